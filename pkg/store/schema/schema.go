// Package schema compares the version of a database with what a program knows, and says how the one
// becomes the other: by numbered steps, which each adapter has in its package migrate.
package schema

import (
	"context"
	"fmt"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

// Step is one numbered change of the schema. Step n leads from version n-1 to version n, and
// leaves the database usable for running processes that know only the version before.
type Step struct {
	Number int
	Name   string // a few words
}

// String returns the number and the name.
func (s Step) String() string { return fmt.Sprintf("%d (%s)", s.Number, s.Name) }

// State compares the version of a database with what a program knows.
type State struct {
	Version int    // of the database; 0: it is empty, or was made before there were versions
	Known   int    // the newest version that the program knows
	Pending []Step // those that lead from Version to Known, in order
}

// New compares the version of a database with the steps that a program knows.
func New(version int, steps []Step) State {
	s := State{Version: version, Known: len(steps)}
	if version >= 0 && version < len(steps) {
		s.Pending = steps[version:]
	}
	return s
}

// CheckKnown returns an ErrSchema when the database has a version that the program does not know.
func (s State) CheckKnown() error {
	if s.Version < 0 || s.Version > s.Known {
		return fmt.Errorf("%w: the database has version %d and this program knows versions up to %d: a newer program is needed, one that knows version %d",
			store.ErrSchema, s.Version, s.Known, s.Version)
	}
	return nil
}

// CheckTarget returns an ErrSchema when no steps lead to version to: the program does not know it,
// or the database is past it.
func (s State) CheckTarget(to int) error {
	switch err := s.CheckKnown(); {
	case err != nil:
		return err
	case to > s.Known:
		return fmt.Errorf("%w: version %d is wanted and this program knows versions up to %d", store.ErrSchema, to, s.Known)
	case to < s.Version:
		return fmt.Errorf("%w: the database has version %d and never goes back to %d: restore a backup made before the upgrade",
			store.ErrSchema, s.Version, to)
	}
	return nil
}

// Migration is the progress of one step of a migration.
type Migration struct {
	Step     Step
	Done     int64 // records, of about All
	All      int64 // 0: the step does not count
	Finished bool  // the database has the version that the step leads to
}

// Migrator changes the schema of a database that others may use meanwhile. One process migrates at
// a time; the others wait for it.
type Migrator interface {
	// Schema reads the version of the database and changes nothing. Errors: ErrSchema when it
	// cannot be told, ErrUnavailable.
	Schema(ctx context.Context) (State, error)
	// Migrate makes the pending steps up to version to, and calls report with its progress. It may
	// be interrupted at any moment and be called again. Errors: ErrSchema when no steps lead there
	// or the database belongs to another program.
	Migrate(ctx context.Context, to int, report func(Migration)) error
	// SettleKeys gives the users who have older keys of their addresses the new ones, as far as these are
	// free, in a database of the newest version, and yields those who keep the older ones. It reads all
	// users. It yields an error at most once, as the last element. A user comes to have an older key
	// when the step that renews them finds the new one taken, or by a process of the version before.
	SettleKeys(ctx context.Context) iter.Seq2[store.KeptKey, error]
	// Close releases the database.
	Close() error
}
