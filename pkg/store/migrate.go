package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrSchema marks an error about the shape of what is stored: a program and a database that
// do not fit. Waiting does not cure it, and its text says what does.
var ErrSchema = errors.New("schema")

// SchemaStep is one numbered change of what is stored. Step n leads from version n-1 to
// version n, and leaves the database usable for running processes of the version before.
type SchemaStep struct {
	Number int
	Name   string // a few words
}

func (s SchemaStep) String() string { return fmt.Sprintf("%d (%s)", s.Number, s.Name) }

// Schema says which version a database has, and which one the program knows.
type Schema struct {
	Version int          // of the database; 0 when it is empty or was made before there were versions
	Known   int          // the newest that the program knows
	Pending []SchemaStep // those that lead from Version to Known, in order
}

// NewSchema compares the version of a database with the steps that a program knows.
func NewSchema(version int, steps []SchemaStep) Schema {
	s := Schema{Version: version, Known: len(steps)}
	if version >= 0 && version < len(steps) {
		s.Pending = steps[version:]
	}
	return s
}

// Fits reports an ErrSchema when the database is newer than the program.
func (s Schema) Fits() error {
	if s.Version < 0 || s.Version > s.Known {
		return fmt.Errorf("%w: the database has version %d and this program knows versions up to %d: a newer program is needed, one that knows version %d",
			ErrSchema, s.Version, s.Known, s.Version)
	}
	return nil
}

// Reaches reports an ErrSchema when no steps lead to version `to`: it is not known, or it
// has been passed.
func (s Schema) Reaches(to int) error {
	switch err := s.Fits(); {
	case err != nil:
		return err
	case to > s.Known:
		return fmt.Errorf("%w: version %d is wanted and this program knows versions up to %d", ErrSchema, to, s.Known)
	case to < s.Version:
		return fmt.Errorf("%w: the database has version %d and never goes back to %d: restore a backup made before the upgrade",
			ErrSchema, s.Version, to)
	}
	return nil
}

// Migration is how far a step of a migration is.
type Migration struct {
	Step SchemaStep
	Done int64 // records, of about All
	All  int64 // 0 when the step does not count
	Over bool  // the database has the step's version now
}

// Migrator changes the schema of a database that others may serve meanwhile. One process
// migrates at a time; the others wait.
type Migrator interface {
	// Schema reads the version of the database and changes nothing. Errors: ErrSchema when
	// it cannot be told, ErrUnavailable.
	Schema(ctx context.Context) (Schema, error)
	// Migrate makes the pending steps up to version `to`, and calls report as they go on. It
	// may be interrupted at any moment and be called again. Errors: ErrSchema when no steps
	// lead there or the database is of another program.
	Migrate(ctx context.Context, to int, report func(Migration)) error
	// Close releases the database.
	Close() error
}
