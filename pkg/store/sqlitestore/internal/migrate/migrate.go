// Package migrate changes the schema of a SQLite file: it has the steps that lead from one version to
// the next, and the Migrator that makes those that are pending and compares the tables and indexes
// of a file with what the steps make.
//
// The files NNNN_name.sql are the steps, numbered without gaps. To change the schema, add the file
// with the next number: nothing else names it. A step that needs Go beside SQL has its code in
// stepCode, which runs after the file in the same transaction. A step that was released is never
// changed.
package migrate

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

//go:embed *.sql
var stepFiles embed.FS

// step is one step of the schema: SQL, then code, in one transaction with the version that they lead
// to.
type step struct {
	schema.Step
	sql string
	// code does what SQL cannot express; nil: nothing. It calls done with how many of all records
	// it has changed.
	code func(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error
}

// stepCode returns the code of the step with this number; nil: it has none.
func stepCode(number int) func(context.Context, *sql.Tx, func(n, all int64)) error {
	switch number {
	case SearchStep:
		return FillSearch
	case AddressStep:
		return renewKeys
	case WaitingStep:
		return CountGaps
	default:
		return nil
	}
}

// Newest returns the number of the last step.
func Newest() int {
	names, err := fs.Glob(stepFiles, "*.sql")
	if err != nil {
		panic(err) // the pattern is a constant and right
	}
	return len(names)
}

// readSteps reads the steps from their files, in order.
func readSteps() ([]step, error) {
	names, err := fs.Glob(stepFiles, "*.sql") // in order
	if err != nil {
		return nil, err
	}
	steps := make([]step, len(names))
	for i, name := range names {
		text, err := stepFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		number := i + 1
		rest, ok := strings.CutPrefix(name, fmt.Sprintf("%04d_", number))
		if !ok {
			return nil, fmt.Errorf("%s is not migration %04d", name, number)
		}
		title := strings.ReplaceAll(strings.TrimSuffix(rest, ".sql"), "_", " ")
		steps[i] = step{schema.Step{Number: number, Name: title}, string(text), stepCode(number)}
	}
	return steps, nil
}

// Migrator brings one file up to date.
type Migrator struct {
	path  string
	write *sql.DB // by sqldb.OpenWriter
	steps []step
}

var _ schema.Migrator = (*Migrator)(nil)

// New returns a migrator of the file at path, which writes by write, and changes nothing yet. A
// migrator that only compares may have no write. Close closes write.
func New(path string, write *sql.DB) (*Migrator, error) {
	steps, err := readSteps()
	if err != nil {
		return nil, err
	}
	return &Migrator{path, write, steps}, nil
}

// Known returns the newest version that the program knows.
func (m *Migrator) Known() int { return len(m.steps) }

// Close implements schema.Migrator.
func (m *Migrator) Close() error { return m.write.Close() }

// Schema implements schema.Migrator.
func (m *Migrator) Schema(ctx context.Context) (schema.State, error) {
	s, err := m.readSchema(ctx)
	if err != nil {
		return schema.State{}, fmt.Errorf("read the schema of %s: %w", m.path, err)
	}
	return s, nil
}

// readSchema reads the version and leaves the file exactly as it is.
func (m *Migrator) readSchema(ctx context.Context) (_ schema.State, err error) {
	db, err := sqldb.OpenReadOnly(m.path)
	if err != nil {
		return schema.State{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return m.schemaOf(ctx, db)
}

// schemaOf compares the version of a file with the steps.
func (m *Migrator) schemaOf(ctx context.Context, q sqldb.Querier) (schema.State, error) {
	steps := make([]schema.Step, len(m.steps))
	for i, step := range m.steps {
		steps[i] = step.Step
	}
	version, err := schemaVersion(ctx, q)
	if err != nil {
		return schema.State{}, err
	}
	return schema.New(version, steps), nil
}

// schemaVersion reads the version of a file. It returns a store.ErrSchema for a file of another
// program.
func schemaVersion(ctx context.Context, q sqldb.Querier) (int, error) {
	var version, tables, ours int
	err := q.QueryRowContext(ctx, `SELECT user_version,
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'),
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('users', 'events', 'registrations'))
		FROM pragma_user_version`).Scan(&version, &tables, &ours)
	switch {
	case err != nil:
		return 0, sqldb.NothingStored(err)
	case ours < 3 && (tables > 0 || version != 0):
		return 0, fmt.Errorf("%w: the file has not the tables users, events and registrations: it is damaged, or of another program", store.ErrSchema)
	}
	return version, nil
}

// Migrate implements schema.Migrator. Each step is one transaction, so a step that is interrupted
// changes nothing. While another process writes, Migrate waits as long as ctx allows.
func (m *Migrator) Migrate(ctx context.Context, to int, report func(schema.Migration)) error {
	for {
		more, err := m.next(ctx, to, report)
		switch {
		case errors.Is(err, store.ErrUnavailable) && sqldb.Wait(ctx):
			continue
		case err != nil:
			return fmt.Errorf("migrate %s: %w", m.path, err)
		case !more:
			return nil
		}
	}
}

// next makes the first pending step. more reports whether another one may be pending.
func (m *Migrator) next(ctx context.Context, to int, report func(schema.Migration)) (more bool, err error) {
	s, err := m.schemaOf(ctx, m.write)
	if err == nil {
		err = s.CheckTarget(to)
	}
	if err != nil || s.Version == to {
		return false, err
	}
	// Until the write lock is held, another process may change what was read.
	tx, err := m.write.BeginTx(ctx, nil)
	if err != nil {
		return false, sqldb.NothingStored(err)
	}
	s, err = m.schemaOf(ctx, tx)
	if err == nil && s.Version < to {
		err = m.step(ctx, tx, m.steps[s.Version], report)
	}
	if err != nil {
		return false, sqldb.NothingStored(errors.Join(err, tx.Rollback()))
	}
	if s.Version >= to {
		return true, tx.Rollback() // another process has made the step
	}
	if err := tx.Commit(); err != nil {
		return false, err
	}
	report(schema.Migration{Step: m.steps[s.Version].Step, Finished: true})
	return true, nil
}

// step makes one step within tx.
func (m *Migrator) step(ctx context.Context, tx *sql.Tx, step step, report func(schema.Migration)) error {
	report(schema.Migration{Step: step.Step})
	if step.Number == 1 {
		// A file from before there were versions may have the tables already, or different ones.
		if _, err := m.compare(ctx, tx, step.Number, true); err != nil {
			return err
		}
	}
	err := step.run(ctx, tx, func(n, all int64) {
		report(schema.Migration{Step: step.Step, Done: n, All: all})
	})
	if err == nil {
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, step.Number)) // a number of ours
	}
	if err != nil {
		return fmt.Errorf("step %s: %w", step.Step, err)
	}
	return nil
}

// run runs the SQL and the code of the step.
func (s step) run(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
	if _, err := tx.ExecContext(ctx, s.sql); err != nil || s.code == nil {
		return err
	}
	return s.code(ctx, tx, done)
}

// Start brings the file to the newest version, checks that it has the tables of that version, and
// creates missing indexes. A file in order is only read.
func (m *Migrator) Start(ctx context.Context) error {
	// The writing connection gives the file a write-ahead log, so a file of another program is
	// refused before that.
	if file, err := os.Stat(m.path); err == nil && file.Size() > 0 {
		s, err := m.readSchema(ctx)
		if err == nil {
			err = s.CheckKnown()
		}
		if errors.Is(err, store.ErrSchema) {
			return fmt.Errorf("open %s: %w", m.path, err)
		}
	}
	if err := m.Migrate(ctx, len(m.steps), func(schema.Migration) {}); err != nil {
		return err
	}
	for {
		err := m.createIndexes(ctx)
		switch {
		case errors.Is(err, store.ErrUnavailable) && sqldb.Wait(ctx):
			continue
		case err != nil:
			return fmt.Errorf("open %s: %w", m.path, err)
		}
		return nil
	}
}

// CheckReadable returns an error when the file, read by db, has another version than the newest and
// its tables differ from those of the newest. It does not check a file of the newest version, whose
// damage is for package verify to find.
func (m *Migrator) CheckReadable(ctx context.Context, db *sql.DB) error {
	s, err := m.schemaOf(ctx, db)
	if errors.Is(err, store.ErrSchema) {
		return nil // a table is missing
	}
	if err == nil {
		err = s.CheckKnown()
	}
	if err == nil && s.Version < s.Known {
		if _, err = m.compare(ctx, db, s.Known, false); err != nil {
			err = fmt.Errorf("%w (it has version %d and this program reads version %d; eventio migrate brings it there)", err, s.Version, s.Known)
		}
	}
	return err
}
