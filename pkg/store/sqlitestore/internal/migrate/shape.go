package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// shape is the tables and indexes of a file, as far as the program depends on them.
type shape struct {
	columns map[string]map[string]string // the type and constraints of each column, by table and name
	indexes map[string]string            // SQL, by name
}

// compare returns a store.ErrSchema when a table is not as the steps up to version make it. It
// returns the SQL of indexes that are missing. It ignores other tables and indexes, and, with
// someTables, also missing tables.
func (m *Migrator) compare(ctx context.Context, with sqldb.Querier, version int, someTables bool) (missing []string, err error) {
	want, err := m.fresh(ctx, version)
	if err != nil {
		return nil, err
	}
	got, err := readShape(ctx, with)
	if err != nil {
		return nil, err
	}
	for _, table := range slices.Sorted(maps.Keys(want.columns)) {
		if got.columns[table] == nil && someTables {
			continue
		}
		if err := sameColumns(table, got.columns[table], want.columns[table]); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.indexes)) {
		if _, there := got.indexes[name]; !there {
			missing = append(missing, want.indexes[name])
		}
	}
	return missing, nil
}

// createIndexes checks that the file has the tables of the newest version, and creates indexes that
// are missing.
func (m *Migrator) createIndexes(ctx context.Context) error {
	missing, err := m.compare(ctx, m.write, len(m.steps), false)
	if err != nil || len(missing) == 0 {
		return err
	}
	tx, err := m.write.BeginTx(ctx, nil)
	if err != nil {
		return sqldb.NothingStored(err)
	}
	// Compare again, now that no other process can create them.
	if missing, err = m.compare(ctx, tx, len(m.steps), false); err == nil {
		for _, index := range missing {
			if _, err = tx.ExecContext(ctx, index); err != nil {
				err = fmt.Errorf("make a missing index (%s): %w", index, err)
				break
			}
		}
	}
	if err != nil {
		return sqldb.NothingStored(errors.Join(err, tx.Rollback()))
	}
	return tx.Commit()
}

// sameColumns returns a store.ErrSchema when the columns of a table differ.
func sameColumns(table string, got, want map[string]string) error {
	refuse := func(what string, args ...any) error {
		return fmt.Errorf("%w: table %s %s: the file is damaged, or of another version or program; nothing was changed",
			store.ErrSchema, table, fmt.Sprintf(what, args...))
	}
	if got == nil {
		return refuse("is missing")
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch column, there := got[name]; {
		case !there:
			return refuse("has no column %s", name)
		case column != want[name]:
			return refuse("has the column %s as %s instead of %s", name, column, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, known := want[name]; !known {
			return refuse("has the column %s, which nobody knows", name)
		}
	}
	return nil
}

// fresh returns the shape that the steps up to version give to an empty database.
func (m *Migrator) fresh(ctx context.Context, version int) (_ shape, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return shape{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // another connection would be another database
	for _, step := range m.steps[:version] {
		if err := sqldb.Within(ctx, db, func(tx *sql.Tx) error { return step.run(ctx, tx, func(int64, int64) {}) }); err != nil {
			return shape{}, err
		}
	}
	return readShape(ctx, db)
}

func readShape(ctx context.Context, q sqldb.Querier) (shape, error) {
	s := shape{columns: make(map[string]map[string]string), indexes: make(map[string]string)}
	type column struct{ table, name, what string }
	scan := func(row sqldb.Scanner) (c column, err error) {
		err = row.Scan(&c.table, &c.name, &c.what)
		return c, err
	}
	for c, err := range sqldb.Stream(ctx, q, scan, `SELECT t.name, c.name, trim(upper(c.type)
			|| iif(c."notnull", ' NOT NULL', '') || iif(c.dflt_value IS NULL, '', ' DEFAULT ' || c.dflt_value)
			|| iif(c.pk, ' PRIMARY KEY ' || c.pk, '') || iif(c.hidden, ' GENERATED', ''))
		FROM sqlite_schema t JOIN pragma_table_xinfo(t.name) c WHERE t.type = 'table'`) {
		if err != nil {
			return shape{}, err
		}
		if s.columns[c.table] == nil {
			s.columns[c.table] = make(map[string]string)
		}
		s.columns[c.table][c.name] = c.what
	}
	type index struct{ name, text string }
	for i, err := range sqldb.Stream(ctx, q, func(row sqldb.Scanner) (i index, err error) {
		err = row.Scan(&i.name, &i.text)
		return i, err
	}, `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`) {
		if err != nil {
			return shape{}, err
		}
		s.indexes[i.name] = i.text
	}
	return s, nil
}
