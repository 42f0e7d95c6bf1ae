package migrate

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// firstTables returns the schema of version 1, as it was made before there were versions.
func firstTables(tb testing.TB) string {
	tb.Helper()
	steps, err := readSteps()
	if err != nil {
		tb.Fatal(err)
	}
	return steps[0].sql
}

// edit runs SQL on a file without Event.io.
func edit(tb testing.TB, path string, statement string) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(tb.Context(), statement); err != nil {
		tb.Fatal(err)
	}
}

// version reads the version of the file.
func version(tb testing.TB, path string) (n int) {
	tb.Helper()
	db, err := sqldb.OpenReadOnly(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(tb.Context(), `PRAGMA user_version`).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// three returns a migrator with two more steps than the first, of which the second has code.
func three(tb testing.TB, path string) *Migrator {
	tb.Helper()
	write, err := sqldb.OpenWriter(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := write.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &Migrator{path, write, []step{
		{schema.Step{Number: 1, Name: "first"}, firstTables(tb), nil},
		{schema.Step{Number: 2, Name: "shout"}, `ALTER TABLE users ADD COLUMN shout TEXT NOT NULL DEFAULT ''`,
			func(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
				done(0, 1)
				_, err := tx.ExecContext(ctx, `UPDATE users SET shout = upper(name)`)
				done(1, 1)
				return err
			}},
		{schema.Step{Number: 3, Name: "a log"}, `CREATE TABLE log (n INTEGER)`, nil},
	}}
}

func TestStepsAreMadeOnceByOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	edit(t, path, firstTables(t))
	var all sync.WaitGroup
	var mu sync.Mutex
	made := make(map[int]int)
	for range 4 {
		m := three(t, path)
		all.Go(func() {
			err := m.Migrate(t.Context(), 3, func(p schema.Migration) {
				mu.Lock()
				defer mu.Unlock()
				if p.Finished {
					made[p.Step.Number]++
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made[1] != 1 || made[2] != 1 || made[3] != 1 {
		t.Errorf("the steps were made %v times", made)
	}
	if got := version(t, path); got != 3 {
		t.Errorf("version is %d", got)
	}
}

func TestMigrateGoesAsFarAsItIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	m := three(t, path)
	ignore := func(schema.Migration) {}
	if err := m.Migrate(t.Context(), 2, ignore); err != nil {
		t.Fatal(err)
	}
	s, err := m.Schema(t.Context())
	if err != nil || s.Version != 2 || s.Known != 3 || len(s.Pending) != 1 || s.Pending[0].Number != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for to, says := range map[int]string{4: "knows versions up to 3", 1: "never goes back"} {
		if err := m.Migrate(t.Context(), to, ignore); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), says) {
			t.Errorf("to %d: %v", to, err)
		}
	}
}

// TestAFailedStepLeavesNothing checks that a step that fails leaves neither its tables nor its
// version.
func TestAFailedStepLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	m := three(t, path)
	broken := errors.New("the machine stops")
	m.steps[1].code = func(context.Context, *sql.Tx, func(n, all int64)) error { return broken }
	if err := m.Migrate(t.Context(), 3, func(schema.Migration) {}); !errors.Is(err, broken) || !strings.Contains(err.Error(), "step 2 (shout)") {
		t.Fatalf("error is %v", err)
	}
	if got := version(t, path); got != 1 {
		t.Errorf("version is %d", got)
	}
	if err := three(t, path).Migrate(t.Context(), 3, func(schema.Migration) {}); err != nil {
		t.Errorf("repeated: %v", err)
	}
}
