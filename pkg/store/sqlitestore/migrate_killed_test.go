package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store/schema"
)

// contentOf returns all rows of a file and the SQL of its tables and indexes.
func contentOf(tb testing.TB, path string) (all []string) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	texts := func(query string) (found []string) {
		rows, err := db.QueryContext(tb.Context(), query)
		if err != nil {
			tb.Fatalf("%s: %v", query, err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				tb.Fatal(err)
			}
			found = append(found, text)
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		return found
	}
	all = texts(`SELECT type || ' ' || name || ': ' || coalesce(sql, '') FROM sqlite_schema ORDER BY name`)
	for _, table := range texts(`SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name`) {
		var columns []string
		for _, column := range texts(fmt.Sprintf(`SELECT name FROM pragma_table_info('%s')`, table)) {
			columns = append(columns, fmt.Sprintf(`quote("%s")`, column))
		}
		row := strings.Join(columns, ` || ',' || `)
		for _, text := range texts(fmt.Sprintf(`SELECT %s FROM "%s" ORDER BY 1`, row, table)) {
			all = append(all, table+": "+text)
		}
	}
	return all
}

// TestMigrationsAreKilledAnywhere brings the oldest stored file to the newest version, by a process that is killed before its first
// write or sync of a file, or in the middle of it, by another one at its second, and so on; the process that comes after it ends in
// the same state each time, down to every row, as one that nobody has killed.
func TestMigrationsAreKilledAnywhere(t *testing.T) {
	migrated := func(path string, ctx context.Context) error {
		m, err := OpenMigrator(path)
		if err != nil {
			return err
		}
		s, err := m.Schema(ctx)
		if err == nil {
			err = m.Migrate(ctx, s.Known, func(schema.Migration) {})
		}
		_ = m.Close() // of a process that is dead it may fail
		return err
	}
	whole := stored(t, 1)
	if err := migrated(whole, t.Context()); err != nil {
		t.Fatal(err)
	}
	want := contentOf(t, whole)
	killedAt := make(map[int]int) // how often at which version
	for last := 0; ; last++ {
		path := stored(t, 1)
		ctx, die := context.WithCancel(t.Context())
		calls, dead := 0, false
		stop := onCalls(path, func(c call) int32 {
			if calls++; calls <= last && !dead {
				return sqlite3.SQLITE_OK
			}
			if !dead && last%2 == 1 && c.cut != nil {
				c.cut()
			}
			dead = true
			die()
			return sqlite3.SQLITE_IOERR
		})
		err := migrated(path, ctx)
		stop()
		die()
		if !dead {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		killedAt[version(t, path)]++
		if err := migrated(path, t.Context()); err != nil {
			t.Fatalf("killed at call %d: %v", last+1, err)
		}
		if got := contentOf(t, path); !slices.Equal(got, want) {
			t.Errorf("killed at call %d, then begun anew:\n%s\nwant:\n%s", last+1, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for v := 1; v < newest(t, whole); v++ {
		if killedAt[v] == 0 {
			t.Errorf("at version %d the process was never killed", v)
		}
	}
	t.Logf("killed at the versions: %v", killedAt)
}
