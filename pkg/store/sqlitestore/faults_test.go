package sqlitestore

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// bench is one store in a folder of its own.
type bench struct {
	*Store
	path string
}

func newBench(tb testing.TB) *bench {
	path := filepath.Join(tb.TempDir(), "eventio.db")
	return &bench{open(tb, path), path}
}

// recovered calls look with what a recovery finds after a crash at this moment: in a copy of the
// database and its log, without the log's index. Unlike Open it commits nothing.
func (b *bench) recovered(tb testing.TB, look func(*sql.DB)) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "eventio.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(b.path + suffix)
		if err == nil {
			err = os.WriteFile(path+suffix, data, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	look(db)
}

// holds returns how many registrations of the batch a recovery finds.
func (b *bench) holds(tb testing.TB, batch []store.SeatRequest) (n int) {
	tb.Helper()
	b.recovered(tb, func(db *sql.DB) {
		for _, r := range batch {
			var found bool
			if err := db.QueryRow(`SELECT EXISTS (SELECT 1 FROM registrations WHERE user_id = ? AND event_id = ?)`,
				r.UserID[:], r.EventID[:]).Scan(&found); err != nil {
				tb.Fatal(err)
			}
			if found {
				n++
			}
		}
	})
	return n
}

// fault makes one call of a kind on the log fail.
type fault struct {
	kind string
	code int32
	cut  bool // after half of it was written
}

// failAt makes the nth call fail, and counts the calls. With n below 0 none fails.
func (f fault) failAt(path string, n int) (calls *int, stop func()) {
	calls = new(int)
	return calls, onCalls(path, func(c call) int32 {
		if c.kind != f.kind || !strings.HasSuffix(c.file, "-wal") {
			return sqlite3.SQLITE_OK
		}
		*calls++
		if *calls-1 != n {
			return sqlite3.SQLITE_OK
		}
		if f.cut {
			c.cut()
		}
		return f.code
	})
}

// TestEveryFailedCall makes each call of a transaction on the log fail, one at a time. It compares
// what the store says of the transaction with what a recovery finds, and a definite answer after it
// with what a recovery finds then.
func TestEveryFailedCall(t *testing.T) {
	faults := map[string]fault{
		"a disk is full":                {"write", sqlite3.SQLITE_FULL, false},
		"a disk is full within a page":  {"write", sqlite3.SQLITE_FULL, true},
		"a quota or a limit is reached": {"write", sqlite3.SQLITE_IOERR_WRITE, false},
		"a limit cuts a page":           {"write", sqlite3.SQLITE_IOERR_WRITE, true},
		"a sync fails":                  {"sync", sqlite3.SQLITE_IOERR_FSYNC, false},
	}
	logs := map[string]struct {
		batch   int
		prepare string
	}{
		"":                          {3, `SELECT 1`},
		"in a log that starts anew": {3, `PRAGMA wal_checkpoint(RESTART)`},
		// Pages are written before the commit, and again, so that their checksums are made anew.
		"with a cache of ten pages": {200, `PRAGMA cache_size = 10`},
	}
	for what, f := range faults {
		for where, l := range logs {
			t.Run(strings.TrimSpace(what+" "+where), func(t *testing.T) {
				b := newBench(t)
				full := storetest.NewEvent(t, b, 1)
				b.apply(t, storetest.NewRequests(full.ID, 1))
				e := storetest.NewEvent(t, b, 1_000_000)
				prepare := func() {
					if _, err := b.write.Exec(l.prepare); err != nil {
						t.Fatal(err)
					}
				}
				prepare()
				calls, stop := f.failAt(b.path, -1)
				b.apply(t, storetest.NewRequests(e.ID, l.batch))
				stop()
				last := *calls - 1
				if last < 0 {
					t.Fatal("no call to fail")
				}
				for n := range last + 1 {
					if n%37 != 0 && n < last-12 {
						continue // a long transaction: some of its middle, and all of its end
					}
					prepare()
					batch := storetest.NewRequests(e.ID, l.batch)
					_, stop := f.failAt(b.path, n)
					_, err := b.Apply(t.Context(), batch)
					stop()
					found := b.holds(t, batch)
					switch {
					case err == nil:
						if found != len(batch) { // the transaction made fewer calls than the one that was counted
							t.Fatalf("call %d: %d of %d are there after a success", n, found, len(batch))
						}
						continue
					case f.kind == "write" && !errors.Is(err, store.ErrStorageFull) && !errors.Is(err, errMayBeStored):
						t.Fatalf("call %d: %v, want storage full", n, err)
					case errors.Is(err, errMayBeStored) != (f.kind == "write" && found > 0):
						t.Fatalf("call %d: %v, and a recovery finds %d of %d", n, err, found, len(batch))
					case errors.Is(err, store.ErrNothingStored) && found > 0:
						t.Fatalf("call %d: %v, and a recovery finds %d of %d", n, err, found, len(batch))
					}
					// Somebody is told no, which nobody may find untrue after a crash.
					if got := b.apply(t, storetest.NewRequests(full.ID, 1)); got[0].Outcome != store.SoldOut {
						t.Fatalf("the full event answers %s", got[0].Outcome)
					}
					if found := b.holds(t, batch); found > 0 {
						t.Fatalf("call %d: a refusal was given, and then a recovery finds %d of %d", n, found, len(batch))
					}
				}
				b.apply(t, storetest.NewRequests(e.ID, 1))
				storetest.Check(t, b, e.ID)
			})
		}
	}
}

func (b *bench) apply(tb testing.TB, batch []store.SeatRequest) []store.SeatResult {
	tb.Helper()
	results, err := b.Apply(tb.Context(), batch)
	if err != nil {
		tb.Fatal(err)
	}
	return results
}

// TestTheIndexOfTheLogCannotGrow checks what a batch answers when the log's index cannot grow, on a
// full disk or under a limit, which shows after the commit is in the log.
func TestTheIndexOfTheLogCannotGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	small, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if _, err := small.Exec(`PRAGMA page_size = 512; CREATE TABLE any (n INTEGER); DROP TABLE any`); err != nil {
		t.Fatal(err)
	}
	b := &bench{open(t, path), path}
	full := storetest.NewEvent(t, b, 1)
	b.apply(t, storetest.NewRequests(full.ID, 1))
	reading, err := b.read.Begin() // keeps the log from starting anew
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Rollback()
	if err := reading.QueryRow(`SELECT count(*) FROM users`).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	if err := b.transact(t.Context(), fence(1_900_000)); err != nil { // the first part of the index has 4,062 pages
		t.Fatal(err)
	}
	e := storetest.NewEvent(t, b, 1_000_000)
	grows := 0
	stop := onCalls(b.path, func(c call) int32 {
		if c.kind == "shm" {
			grows++
			return sqlite3.SQLITE_IOERR_SHMSIZE
		}
		return sqlite3.SQLITE_OK
	})
	batch := storetest.NewRequests(e.ID, 20)
	for _, err = b.Apply(t.Context(), batch); grows == 0; _, err = b.Apply(t.Context(), batch) {
		if err != nil {
			t.Fatal(err)
		}
		batch = storetest.NewRequests(e.ID, 20)
	}
	if err == nil || errors.Is(err, store.ErrNothingStored) {
		t.Fatalf("%v, want an error that leaves it open", err)
	}
	if found := b.holds(t, batch); found != len(batch) {
		t.Fatalf("a recovery finds %d of %d: the test does not show what it is about", found, len(batch))
	}
	if _, err := b.Apply(t.Context(), storetest.NewRequests(full.ID, 1)); !errors.Is(err, store.ErrStorageFull) {
		t.Fatalf("while there is no room for a fence: %v, want storage full", err)
	}
	stop()
	if got := b.apply(t, storetest.NewRequests(full.ID, 1)); got[0].Outcome != store.SoldOut {
		t.Fatalf("the full event answers %s", got[0].Outcome)
	}
	if found := b.holds(t, batch); found > 0 {
		t.Fatalf("a refusal was given, and then a recovery finds %d of %d", found, len(batch))
	}
}
