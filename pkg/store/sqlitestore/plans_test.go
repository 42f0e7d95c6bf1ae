package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/conformance"
	"github.com/eventio/eventio/pkg/store/storetest/lists"
)

// statements has the statements that a store has run, each with arguments with which it was run. It
// is safe for concurrent use.
type statements struct {
	mu   sync.Mutex // guards seen
	seen map[string][]driver.NamedValue
}

func (s *statements) add(query string, args []driver.NamedValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[query] = args
}

// take returns the statements since the last call.
func (s *statements) take() map[string][]driver.NamedValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = make(map[string][]driver.NamedValue)
	return seen
}

// recordingConnector opens connections that record their statements.
type recordingConnector struct {
	driver driver.Driver
	dsn    string
	to     *statements
}

func (c recordingConnector) Driver() driver.Driver { return c.driver }

func (c recordingConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return recordingConn{conn.(sqliteConn), c.to}, nil
}

// sqliteConn is what a connection of the driver can do and database/sql asks for.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

type recordingConn struct {
	sqliteConn
	to *statements
}

func (c recordingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.to.add(query, make([]driver.NamedValue, strings.Count(query, "?")))
	return c.sqliteConn.PrepareContext(ctx, query)
}

func (c recordingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.to.add(query, slices.Clone(args))
	return c.sqliteConn.ExecContext(ctx, query, args)
}

func (c recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.to.add(query, slices.Clone(args))
	return c.sqliteConn.QueryContext(ctx, query, args)
}

// recorded opens a store whose statements are recorded.
func recorded(tb testing.TB, path string) (*Store, *statements) {
	tb.Helper()
	s, to := open(tb, path), &statements{seen: make(map[string][]driver.NamedValue)}
	for _, db := range []struct {
		db  **sql.DB
		dsn string
		max int
	}{{&s.write, sqldb.DSN(path, "immediate"), 1}, {&s.read.DB, sqldb.DSN(path, "deferred") + "&_pragma=query_only(1)", readers}} {
		before := *db.db
		*db.db = sql.OpenDB(recordingConnector{before.Driver(), db.dsn, to})
		(*db.db).SetMaxOpenConns(db.max)
		if err := before.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return s, to
}

// checkPlan checks that a statement scans no table and sorts nothing other than by an index. A list
// that is read in the order of an index, up to a limit, is no scan.
func checkPlan(tb testing.TB, s *Store, query string, args []driver.NamedValue) {
	tb.Helper()
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a.Value
	}
	rows, err := s.read.QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query, values...)
	if err != nil {
		tb.Fatalf("explain %s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			tb.Fatal(err)
		}
		scans := strings.HasPrefix(detail, "SCAN ") && !strings.Contains(detail, "CONSTANT ROW") && !strings.Contains(detail, "VALUES CLAUSE")
		inOrder := strings.Contains(detail, " USING ") && strings.Contains(query, "LIMIT ?")
		if scans && !inOrder || strings.Contains(detail, "TEMP B-TREE") || strings.Contains(detail, "AUTOMATIC") {
			tb.Errorf("%s: %s", detail, query)
		}
		pair := strings.Contains(query, ") >= (?, ?)") || strings.Contains(query, ") <= (?, ?)")
		if pair && strings.Contains(detail, "starts") && !strings.Contains(detail, ")>(?,?)") && !strings.Contains(detail, ")<(?,?)") {
			tb.Errorf("a page begins with what is before it: %s: %s", detail, query)
		}
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
}

// TestConformance runs the conformance suite. It also checks SQLite's plan for each statement that the
// suite leads to: every query is found by an index.
func TestConformance(t *testing.T) {
	seen := make(map[string]bool)
	conformance.Run(t, func(tb testing.TB) storetest.Target {
		path := filepath.Join(tb.TempDir(), "eventio ?#%.db") // a path is a path, whatever it contains
		s, to := recorded(tb, path)
		tb.Cleanup(func() {
			for query, args := range to.take() {
				if !seen[query] && !strings.HasPrefix(query, "PRAGMA") && !strings.Contains(query, "sqlite_sequence") { // which has one row
					seen[query] = true
					checkPlan(tb, s, query, args)
				}
			}
		})
		return targetOver(tb, path, s)
	})
	t.Logf("%d statements", len(seen))
	part := strings.Contains(flag.Lookup("test.run").Value.String(), "/") // of the suite
	if len(seen) < 60 && !part {
		t.Errorf("only %d statements were seen", len(seen))
	}
}

// TestAListCostsWhatItShows checks that each statement reads one range of one index, in order,
// whatever the filters, the order and the cursor.
func TestAListCostsWhatItShows(t *testing.T) {
	s, to := recorded(t, filepath.Join(t.TempDir(), "eventio.db"))
	lists.CheckCosts(t, s, func(tb testing.TB, events []store.Event) {
		err := s.transact(tb.Context(), func(tx *sql.Tx) error {
			for _, e := range events {
				if err := insertEvent(tb.Context(), tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}, func(tb testing.TB) int {
		for query, args := range to.take() {
			if strings.HasPrefix(query, "SELECT") {
				checkPlan(tb, s, query, args)
			}
		}
		to.take() // of the explanations
		return 0
	})
}
