package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema: SQL, then code, in one transaction with the version
// that they lead to.
type migration struct {
	store.SchemaStep
	sql string
	// code is for what SQL cannot express; nil for most. It calls done with how many of all
	// records it has changed.
	code func(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error
}

// stepCode has the code of those steps that need some beside their file, by number.
func stepCode(number int) func(context.Context, *sql.Tx, func(n, all int64)) error {
	switch number {
	case searchStep:
		return fillSearch
	default:
		return nil
	}
}

// migrations reads the steps from the files migrations/NNNN_name.sql. Their numbers begin
// with 1 and leave none out.
func migrations() ([]migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // in order
	if err != nil {
		return nil, err
	}
	steps := make([]migration, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		number := i + 1
		rest, ok := strings.CutPrefix(name, fmt.Sprintf("migrations/%04d_", number))
		if !ok {
			return nil, fmt.Errorf("%s is not migration %04d", name, number)
		}
		title := strings.ReplaceAll(strings.TrimSuffix(rest, ".sql"), "_", " ")
		steps[i] = migration{store.SchemaStep{Number: number, Name: title}, string(text), stepCode(number)}
	}
	return steps, nil
}

// migrator brings one file up to date. It is made anew for each opening of a file.
type migrator struct {
	path  string
	write *sql.DB // one connection, immediate transactions
	steps []migration
}

var _ store.Migrator = (*migrator)(nil)

// OpenMigrator opens the file at path, which must be there, and changes nothing yet.
func OpenMigrator(path string) (store.Migrator, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	steps, err := migrations()
	if err != nil {
		return nil, err
	}
	hadLog := !noLog(path)
	if _, err := Protect(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write, err := openWriter(path)
	if err != nil {
		return nil, err
	}
	return &markedMigrator{&migrator{path, write, steps}, hadLog}, nil
}

// Close implements store.Migrator.
func (m *migrator) Close() error { return m.write.Close() }

// Schema implements store.Migrator.
func (m *migrator) Schema(ctx context.Context) (store.Schema, error) {
	s, err := m.look(ctx)
	if err != nil {
		return store.Schema{}, fmt.Errorf("read the schema of %s: %w", m.path, err)
	}
	return s, nil
}

// look reads the version and leaves the file exactly as it is.
func (m *migrator) look(ctx context.Context) (_ store.Schema, err error) {
	db, err := openReadOnly(m.path)
	if err != nil {
		return store.Schema{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return m.schema(ctx, db)
}

func (m *migrator) schema(ctx context.Context, q querier) (store.Schema, error) {
	steps := make([]store.SchemaStep, len(m.steps))
	for i, step := range m.steps {
		steps[i] = step.SchemaStep
	}
	version, err := schemaVersion(ctx, q)
	if err != nil {
		return store.Schema{}, err
	}
	return store.NewSchema(version, steps), nil
}

// schemaVersion reads the version of a file, and refuses one that is another program's.
func schemaVersion(ctx context.Context, q querier) (int, error) {
	var version, tables, ours int
	err := q.QueryRowContext(ctx, `SELECT user_version,
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'),
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('users', 'events', 'registrations'))
		FROM pragma_user_version`).Scan(&version, &tables, &ours)
	switch {
	case err != nil:
		return 0, classify(err)
	case ours < 3 && (tables > 0 || version != 0):
		return 0, fmt.Errorf("%w: the file has not the tables users, events and registrations: it is damaged, or of another program", store.ErrSchema)
	}
	return version, nil
}

// Migrate implements store.Migrator. A step is one transaction, so what is interrupted has
// not begun. Who waits for another process that writes waits as long as ctx allows.
func (m *migrator) Migrate(ctx context.Context, to int, report func(store.Migration)) error {
	for {
		more, err := m.next(ctx, to, report)
		switch {
		case errors.Is(err, store.ErrUnavailable) && wait(ctx):
			continue
		case err != nil:
			return fmt.Errorf("migrate %s: %w", m.path, err)
		case !more:
			return nil
		}
	}
}

// next makes the first pending step, and reports whether it may not have been the last one.
func (m *migrator) next(ctx context.Context, to int, report func(store.Migration)) (more bool, err error) {
	s, err := m.schema(ctx, m.write)
	if err == nil {
		err = s.Reaches(to)
	}
	if err != nil || s.Version == to {
		return false, err
	}
	// What was read is old until the write lock is held.
	tx, err := m.write.BeginTx(ctx, nil)
	if err != nil {
		return false, classify(err)
	}
	s, err = m.schema(ctx, tx)
	if err == nil && s.Version < to {
		err = m.step(ctx, tx, m.steps[s.Version], report)
	}
	if err != nil {
		return false, classify(errors.Join(err, tx.Rollback()))
	}
	if s.Version >= to {
		return true, tx.Rollback() // another process was faster
	}
	if err := tx.Commit(); err != nil {
		return false, err
	}
	report(store.Migration{Step: m.steps[s.Version].SchemaStep, Over: true})
	return true, nil
}

// step makes one step within tx.
func (m *migrator) step(ctx context.Context, tx *sql.Tx, step migration, report func(store.Migration)) error {
	report(store.Migration{Step: step.SchemaStep})
	if step.Number == 1 {
		// A file from before there were versions has its tables already, or other ones.
		if _, err := m.compare(ctx, tx, step.Number, true); err != nil {
			return err
		}
	}
	err := step.run(ctx, tx, func(n, all int64) {
		report(store.Migration{Step: step.SchemaStep, Done: n, All: all})
	})
	if err == nil {
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, step.Number)) // a number of ours
	}
	if err != nil {
		return fmt.Errorf("step %s: %w", step.SchemaStep, err)
	}
	return nil
}

// run changes the tables.
func (s migration) run(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
	if _, err := tx.ExecContext(ctx, s.sql); err != nil || s.code == nil {
		return err
	}
	return s.code(ctx, tx, done)
}

// open brings the file to the newest version and proves that it has its tables. A file that
// is up to date is only read.
func (m *migrator) open(ctx context.Context) error {
	// The connection for writes makes the file one with a write-ahead log; what is not ours
	// is refused before that.
	if file, err := os.Stat(m.path); err == nil && file.Size() > 0 {
		s, err := m.look(ctx)
		if err == nil {
			err = s.Fits()
		}
		if errors.Is(err, store.ErrSchema) {
			return fmt.Errorf("open %s: %w", m.path, err)
		}
	}
	if err := m.Migrate(ctx, len(m.steps), func(store.Migration) {}); err != nil {
		return err
	}
	for {
		err := m.fits(ctx)
		switch {
		case errors.Is(err, store.ErrUnavailable) && wait(ctx):
			continue
		case err != nil:
			return fmt.Errorf("open %s: %w", m.path, err)
		}
		return nil
	}
}

// busyPause is the pause before a file that another process writes to is tried again, beside
// busyTimeout.
const busyPause = 50 * time.Millisecond

// wait pauses and reports whether ctx is still alive after it.
func wait(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(busyPause):
		return true
	}
}
