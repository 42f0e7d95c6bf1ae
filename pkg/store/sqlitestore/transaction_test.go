package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// syncs counts those of the log at path.
func syncs(tb testing.TB, path string) *atomic.Int64 {
	n := new(atomic.Int64)
	tb.Cleanup(onCalls(path, func(c call) int32 {
		if c.kind == "sync" && strings.HasSuffix(c.file, "-wal") {
			n.Add(1)
		}
		return sqlite3.SQLITE_OK
	}))
	return n
}

func TestARefusalCostsNoCommit(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 1)
	b.apply(t, storetest.NewRequests(e.ID, 1))
	n := syncs(t, b.path)
	if got := b.apply(t, storetest.NewRequests(e.ID, 1)); got[0].Outcome != store.SoldOut {
		t.Fatalf("a full event answers %s", got[0].Outcome)
	}
	if n := n.Load(); n > 0 {
		t.Errorf("a refusal synced the log %d times", n)
	}
}

// TestOpenSyncsWhatItFinds: what a recovery finds in the log may not be on the disk yet.
func TestOpenSyncsWhatItFinds(t *testing.T) {
	b := newBench(t)
	storetest.NewEvent(t, b, 1)
	n := syncs(t, b.path)
	open(t, b.path)
	if n.Load() == 0 {
		t.Error("nothing was synced")
	}
}

func TestADefiniteAnswerWaitsForTheFence(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 10)
	syncing := int32(sqlite3.SQLITE_IOERR_FSYNC)
	stop := onCalls(b.path, func(c call) int32 {
		if c.kind == "sync" {
			return syncing
		}
		return sqlite3.SQLITE_OK
	})
	defer stop()
	request := storetest.NewRequests(e.ID, 1)
	if _, err := b.Apply(t.Context(), request); err == nil || errors.Is(err, store.ErrNothingStored) {
		t.Fatalf("%v, want an error that leaves it open", err)
	}
	leave := []store.SeatRequest{{Kind: store.Cancel, EventID: e.ID, UserID: request[0].UserID, RequestID: "leave", At: request[0].At}}
	taken := store.User{ID: store.NewID(), Email: "a@example.org"}
	for what, call := range map[string]func(context.Context) error{
		"a cancellation that finds nothing": func(ctx context.Context) error { _, err := b.Apply(ctx, leave); return err },
		"a user who is not there":           func(ctx context.Context) error { return b.SetPassword(ctx, taken, taken) },
		"a key":                             func(ctx context.Context) error { return b.Finish(ctx, store.Claim{}) },
	} {
		if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want unavailable while nothing can be synced", what, err)
		}
	}
	stop()
	if got := b.apply(t, leave); got[0].Outcome != store.Cancelled {
		t.Errorf("a cancellation that finds nothing answers %s", got[0].Outcome)
	}
	if found := b.holds(t, request); found > 0 {
		t.Error("the cancellation was confirmed, and a recovery finds the registration")
	}
}

// TestTheTimeEndsWithinACommit: a caller whose time ends within a commit must not hide how that
// ended.
func TestTheTimeEndsWithinACommit(t *testing.T) {
	for what, c := range map[string]struct {
		kind string
		code int32
		want error
	}{
		"it is stored":        {"sync", sqlite3.SQLITE_OK, nil},
		"there is no room":    {"write", sqlite3.SQLITE_FULL, store.ErrStorageFull},
		"the limit is passed": {"write", sqlite3.SQLITE_IOERR_WRITE, store.ErrStorageFull},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			e := storetest.NewEvent(t, b, 10)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stop := onCalls(b.path, func(got call) int32 {
				if got.kind != c.kind {
					return sqlite3.SQLITE_OK
				}
				cancel()
				for range 10_000 { // who looks at ctx gets to see it
					runtime.Gosched()
				}
				return c.code
			})
			defer stop()
			if _, err := b.Apply(ctx, storetest.NewRequests(e.ID, 1)); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestPingWritesAndIsShared(t *testing.T) {
	b := newBench(t)
	n := syncs(t, b.path)
	started := time.Now()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if err := b.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, most := n.Load(), 1+int64(time.Since(started)/pingInterval); n < 1 || n > most {
		t.Errorf("200 probes synced the log %d times, want 1 to %d", n, most)
	}
}

// TestPingAsksForTheRoomThatAWriteDidNotFind: pages of the log that are there already take small
// writes also on a full disk: a probe asks for as much room as those who were refused.
func TestPingAsksForTheRoomThatAWriteDidNotFind(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 1000)
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	writes := 0
	stop := onCalls(b.path, func(c call) int32 {
		if c.kind == "sync" {
			writes = 0
		}
		if c.kind != "write" {
			return sqlite3.SQLITE_OK
		}
		if writes++; writes > 6 { // there is room for three pages
			return sqlite3.SQLITE_FULL
		}
		return sqlite3.SQLITE_OK
	})
	defer stop()
	refused := false
	for range 10 {
		writes = 0
		if _, err := b.Apply(t.Context(), storetest.NewRequests(e.ID, 50)); errors.Is(err, store.ErrStorageFull) {
			refused = true
			break
		}
	}
	if !refused {
		t.Fatal("every write has room")
	}
	writes = 0
	if err := b.Ping(t.Context()); !errors.Is(err, store.ErrStorageFull) {
		t.Errorf("after a write that found no room a probe says %v", err)
	}
	if _, err := b.Event(t.Context(), e.ID); err != nil {
		t.Errorf("a read: %v", err)
	}
	stop()
	b.apply(t, storetest.NewRequests(e.ID, 50))
	testenv.Eventually(t, 20*time.Second, "a probe that succeeds", func() error { return b.Ping(t.Context()) })
}

func TestALongLogIsCut(t *testing.T) {
	b := newBench(t)
	path := b.path + "-wal"
	if err := os.Truncate(path, 2*sqldb.LogLimit); err != nil { // as readers have let it grow
		t.Fatal(err)
	}
	if _, err := b.write.Exec(`PRAGMA wal_checkpoint(RESTART)`); err != nil {
		t.Fatal(err)
	}
	if err := b.transact(t.Context(), fence(fenceBytes)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > sqldb.LogLimit {
		t.Errorf("the log has %d bytes, after it began anew", info.Size())
	}
}

// TestASeatThatAnEarlierVersionHasFreedWaitsForLeases: that one knows nothing of leases and frees it at once, which is why nobody
// grants by default. A worker of now gives it to nobody before the leases have ended.
func TestASeatThatAnEarlierVersionHasFreedWaitsForLeases(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eventio.db"))
	e := storetest.NewEvent(t, s, 1)
	holder, asks := storetest.NewRequest(e.ID), storetest.NewRequest(e.ID)
	asks.Lease = time.Second
	granted := storetest.MustApply(t, s, holder, asks, asks)[1]
	if granted.Lease != 0 {
		t.Fatal("a batch that sells a seat grants a lease")
	}
	granted = storetest.MustApply(t, s, asks)[0]
	err := s.transact(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE events SET tickets_sold = 0, revision = revision + 1 WHERE id = ?`, e.ID[:])
		if err == nil {
			_, err = tx.ExecContext(t.Context(), `UPDATE registrations SET cancelled = 1 WHERE event_id = ?`, e.ID[:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	storetest.WantOutcomes(t, storetest.MustApply(t, s, asks), store.LeaseOut)
	asks.LeasesEnded = granted.LeasesGranted
	storetest.WantOutcomes(t, storetest.MustApply(t, s, asks), store.Registered)
	storetest.Check(t, s, e.ID)
}
