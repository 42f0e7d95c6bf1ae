package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/storetest/tooltest"
)

// edit runs SQL on a file without Event.io.
func edit(tb testing.TB, path string, statements ...string) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// version reads the version of the file.
func version(tb testing.TB, path string) int {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(tb.Context(), `PRAGMA user_version`).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// newest returns the version to which Open leads.
func newest(tb testing.TB, path string) int {
	tb.Helper()
	m, err := OpenMigrator(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer m.Close()
	schema, err := m.Schema(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return schema.Known
}

// firstTables returns the schema of version 1, as it was made before there were versions.
func firstTables(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("internal", "migrate", "0001_first_tables.sql"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// wantSchemaError wants an ErrSchema whose text is one sentence.
func wantSchemaError(t *testing.T, says string, open func(context.Context) error) {
	t.Helper()
	err := open(t.Context())
	if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %v, want one sentence with %q", err, says)
	}
	if errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v: waiting does not help", err)
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct {
		unversioned bool // made before there were versions
		statements  []string
		says        string
	}{
		"a newer schema":                {false, []string{`PRAGMA user_version = 99`}, "the database has version 99"},
		"a negative version":            {false, []string{`PRAGMA user_version = -1`}, "the database has version -1"},
		"a column less":                 {false, []string{`ALTER TABLE events DROP COLUMN last_edit`}, "table events has no column last_edit"},
		"a column more":                 {false, []string{`ALTER TABLE users ADD COLUMN phone TEXT`}, "table users has the column phone"},
		"a column of another type":      {false, []string{`ALTER TABLE events DROP COLUMN last_edit`, `ALTER TABLE events ADD COLUMN last_edit INTEGER NOT NULL DEFAULT 0`}, "table events has the column last_edit as INTEGER"},
		"a table less":                  {false, []string{`DROP TABLE signing_keys`}, "table signing_keys is missing"},
		"an old file, a column less":    {true, []string{`ALTER TABLE events DROP COLUMN last_edit`}, "table events has no column last_edit"},
		"an old file, an indexed one":   {true, []string{`DROP INDEX registrations_by_number`, `ALTER TABLE registrations DROP COLUMN cancelled`}, "table registrations has no column cancelled"},
		"an old file, a column more":    {true, []string{`ALTER TABLE events ADD COLUMN colour TEXT NOT NULL DEFAULT ''`}, "table events has the column colour"},
		"an old file, no registrations": {true, []string{`DROP TABLE registrations`}, "has not the tables"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "eventio.db")
			if c.unversioned {
				edit(t, path, firstTables(t))
			} else if err := open(t, path).Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, path, c.statements...)
			before := version(t, path)
			wantSchemaError(t, c.says, func(ctx context.Context) error {
				s, err := Open(ctx, path)
				if err == nil {
					_ = s.Close()
				}
				return err
			})
			if after := version(t, path); after != before {
				t.Errorf("the version became %d, it was %d", after, before)
			}
		})
	}
	t.Run("another program's file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "eventio.db")
		edit(t, path, `CREATE TABLE songs (title TEXT)`, `PRAGMA user_version = 1`)
		if _, err := Open(t.Context(), path); !errors.Is(err, store.ErrSchema) {
			t.Errorf("error is %v", err)
		}
	})
}

// TestAnOldFileBecomesVersionOne checks that a file from before there were versions is migrated,
// also when it lacks what every start made then.
func TestAnOldFileBecomesVersionOne(t *testing.T) {
	for name, more := range map[string][]string{
		"whole": nil, "an index less": {`DROP INDEX registrations_by_number`}, "a table less": {`DROP TABLE idempotency_keys`},
		"a stranger's table": {`CREATE TABLE _litestream_seq (id INTEGER)`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "eventio.db")
			edit(t, path, append([]string{firstTables(t)}, more...)...)
			open(t, path)
			if got := version(t, path); got != newest(t, path) {
				t.Errorf("version is %d, want %d", got, newest(t, path))
			}
		})
	}
}

// olderFile returns a file of an earlier version that has the users of a file of the newest.
func olderFile(tb testing.TB, newest string, version int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "eventio.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // a migrator makes none
		tb.Fatal(err)
	}
	m, err := OpenMigrator(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(m.Migrate(tb.Context(), version, func(schema.Migration) {}), m.Close()); err != nil {
		tb.Fatal(err)
	}
	const columns = `id, name, email, email_key, password_hash, created_at, password_version, password_changed_at, locked_at`
	edit(tb, path, fmt.Sprintf(`ATTACH '%s' AS newest; INSERT INTO users (%s) SELECT %s FROM newest.users`, newest, columns, columns))
	return path
}

// TestAddressesGetOneKey checks the step that gives users the new keys of their addresses, and what it
// reports.
func TestAddressesGetOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	s := open(t, path)
	set := func(id store.ID, email, key string) {
		edit(t, path, fmt.Sprintf(`UPDATE users SET email = '%s', email_key = '%s' WHERE id = x'%s'`, email, key, id.Hex()))
	}
	check := tooltest.OldKeys(t, s, set)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path = olderFile(t, path, migrate.AddressStep-1)
	s = open(t, path)
	m, err := OpenMigrator(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	check(s, tooltest.Kept(t, m))
	tooltest.LateKeys(t, s, m, set)
}

// TestAMissingIndexIsMade checks that a start creates a missing index.
func TestAMissingIndexIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	open(t, path)
	edit(t, path, `DROP INDEX registrations_by_number`)
	open(t, path)
	a, err := OpenVerifyReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for err := range a.CheckConstraints(t.Context()) {
		t.Error(err)
	}
}
