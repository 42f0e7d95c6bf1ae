package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// openTable opens a database with one connection and the table t, which has the numbers from 1 to 3.
func openTable(t *testing.T) *sql.DB {
	t.Helper()
	return openTableAt(t, filepath.Join(t.TempDir(), "x.db"))
}

func openTableAt(t *testing.T, path string) *sql.DB {
	t.Helper()
	db := openAt(t, path)
	mustExec(t, db, `CREATE TABLE t (n INTEGER NOT NULL UNIQUE)`)
	mustExec(t, db, `INSERT INTO t VALUES (1), (2), (3)`)
	return db
}

func openAt(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := OpenWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func mustExec(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// kept returns the statements that the only connection of db keeps.
func kept(t *testing.T, db *sql.DB) map[string]*statement {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all map[string]*statement
	if err := conn.Raw(func(driver any) error {
		all = driver.(*connection).kept
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func numbers(t *testing.T, q Querier, text string, args ...any) []int {
	t.Helper()
	all, err := All(t.Context(), q, ScanValue[int], text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return all
}

func TestAStatementIsPreparedOnce(t *testing.T) {
	db := openTable(t)
	const text = `SELECT n FROM t WHERE n >= ? ORDER BY n`
	for from := range 4 {
		if got := numbers(t, db, text, from); len(got) != min(3, 4-from) {
			t.Errorf("from %d: %v", from, got)
		}
	}
	first := kept(t, db)[text]
	if first == nil {
		t.Fatal("it is not kept")
	}
	mustExec(t, db, `ALTER TABLE t ADD COLUMN more INTEGER`) // SQLite prepares it anew by itself
	if got := numbers(t, db, text, 2); len(got) != 2 || kept(t, db)[text] != first {
		t.Errorf("%v, by another statement", got)
	}
	if got := numbers(t, db, `SELECT count(*) FROM t WHERE more IS NULL`); got[0] != 3 {
		t.Errorf("%v", got)
	}
}

// TestAStatementThatRunsIsNotUsedAgain checks that a statement whose rows are being read has a second one beside it.
func TestAStatementThatRunsIsNotUsedAgain(t *testing.T) {
	db := openTable(t)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	const text = `SELECT n FROM t ORDER BY n`
	outer := 0
	for n, err := range Stream(t.Context(), tx, ScanValue[int], text) {
		outer++
		if inner := numbers(t, tx, text); err != nil || n != outer || len(inner) != 3 {
			t.Errorf("%d, %v; within it %v", n, err, inner)
		}
	}
	if err := tx.Rollback(); err != nil || outer != 3 {
		t.Errorf("%d rows, %v", outer, err)
	}
	if got := kept(t, db); got[text] == nil {
		t.Errorf("kept is %v", got)
	}
}

func TestStatementsThatFailAreNotKept(t *testing.T) {
	db := openTable(t)
	const insert, divide = `INSERT INTO t VALUES (?)`, `SELECT abs(n) FROM (SELECT 1 AS n UNION ALL SELECT -9223372036854775808)`
	if _, err := db.ExecContext(t.Context(), insert, 2); err == nil {
		t.Error("a number twice")
	}
	if _, err := All(t.Context(), db, ScanValue[int], divide); err == nil {
		t.Error("there is no such number")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.ExecContext(ended, insert, 4); err == nil {
		t.Error("after the end")
	}
	if got := kept(t, db); got[insert] != nil || got[divide] != nil {
		t.Errorf("kept is %v", got)
	}
	mustExec(t, db, insert, 5)
	if got := numbers(t, db, `SELECT n FROM t ORDER BY n`); fmt.Sprint(got) != "[1 2 3 5]" {
		t.Errorf("the numbers are %v", got)
	}
}

// TestFewStatementsAreKept checks that those which were used last are kept, and neither long ones nor those that run
// when they are prepared.
func TestFewStatementsAreKept(t *testing.T) {
	db := openTable(t)
	text := func(i int) string { return fmt.Sprintf(`SELECT n FROM t WHERE n = %d`, i) }
	for i := range 2 * keptStatements {
		numbers(t, db, text(i))
		numbers(t, db, text(0))
	}
	got := kept(t, db)
	if len(got) != keptStatements || got[text(0)] == nil || got[text(2*keptStatements-1)] == nil || got[text(1)] != nil {
		t.Errorf("%d are kept", len(got))
	}
	long := `SELECT n FROM t WHERE n IN (` + strings.Repeat("1, ", longestKept/3) + `1)`
	numbers(t, db, long)
	numbers(t, db, `PRAGMA user_version`)
	mustExec(t, db, `PRAGMA user_version = 7`)
	mustExec(t, db, `CREATE TABLE u (n)`)
	for s := range kept(t, db) {
		if !strings.HasPrefix(s, "SELECT n FROM t WHERE n =") {
			t.Errorf("%.40s is kept", s)
		}
	}
}
