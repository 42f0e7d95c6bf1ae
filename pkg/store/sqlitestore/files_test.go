package sqlitestore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// losses returns what people do to the files of a database that is open.
func losses(tb testing.TB, path string) map[string]func() {
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	dir := filepath.Dir(path)
	copyOf := func(name string) {
		data, err := os.ReadFile(name)
		must(err)
		must(os.WriteFile(name+".new", data, 0o600))
		must(os.Rename(name+".new", name))
	}
	return map[string]func(){
		"the folder is moved":             func() { must(os.Rename(dir, dir+"-moved")) },
		"the folder is removed":           func() { must(os.RemoveAll(dir)) },
		"the database is removed":         func() { must(os.Remove(path)) },
		"the database is replaced":        func() { copyOf(path) },
		"the log is removed":              func() { must(os.Remove(path + "-wal")) },
		"the log is replaced":             func() { copyOf(path + "-wal") },
		"the index of the log is removed": func() { must(os.Remove(path + "-shm")) },
		"another folder takes its place": func() {
			must(os.Rename(dir, dir+"-moved"))
			must(os.Mkdir(dir, 0o700))
			other, err := Open(tb.Context(), path)
			must(err)
			must(other.Close())
		},
	}
}

func TestALostDatabaseTakesNothing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows lets nobody move or remove an open file")
	}
	for what := range losses(t, "") {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			e := storetest.NewEvent(t, b, 10)
			losses(t, b.path)[what]()
			_, err := b.Apply(t.Context(), storetest.NewRequests(e.ID, 1))
			if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, ErrLost) {
				t.Fatalf("a write ends with %v, want one that says that nothing is stored, and why", err)
			}
			if err := b.Ping(t.Context()); !errors.Is(err, ErrLost) {
				t.Errorf("a probe ends with %v", err)
			}
			if err := <-b.Lost(); !errors.Is(err, ErrLost) {
				t.Errorf("Lost says %v", err)
			}
		})
		t.Run(what+" while a transaction is open", func(t *testing.T) {
			b := newBench(t)
			e := storetest.NewEvent(t, b, 10)
			lose := losses(t, b.path)[what]
			stop := onCalls(b.path, func(c call) int32 {
				if now := lose; now != nil && c.kind == "sync" {
					lose = nil
					now()
				}
				return sqlite3.SQLITE_OK
			})
			defer stop()
			_, err := b.Apply(t.Context(), storetest.NewRequests(e.ID, 1))
			if !errors.Is(err, ErrLost) || errors.Is(err, store.ErrNothingStored) {
				t.Errorf("a write ends with %v, want one that leaves it open", err)
			}
		})
	}
	t.Run("nobody writes", func(t *testing.T) {
		b := newBench(t)
		losses(t, b.path)["the folder is moved"]()
		select {
		case err := <-b.Lost():
			if !errors.Is(err, ErrLost) {
				t.Errorf("Lost says %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("nobody notices")
		}
	})
}

// TestClosingALostDatabaseSparesItsSuccessor: what takes the place of a lost database is another
// one: closing the lost one leaves it alone.
func TestClosingALostDatabaseSparesItsSuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "eventio.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	lost, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	old := storetest.NewEvent(t, lost, 10)
	if err := os.Rename(filepath.Dir(path), filepath.Dir(path)+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	b := &bench{open(t, path), path}
	e := storetest.NewEvent(t, b, 10)
	if err := lost.Close(); err != nil {
		t.Fatal(err)
	}
	batch := storetest.NewRequests(e.ID, 3)
	b.apply(t, batch)
	if found := b.holds(t, batch); found != len(batch) {
		t.Errorf("a recovery finds %d of %d", found, len(batch))
	}
	moved := open(t, filepath.Join(filepath.Dir(path)+"-moved", "eventio.db"))
	if _, err := moved.Event(t.Context(), old.ID); err != nil {
		t.Errorf("what was stored before the move: %v", err)
	}
}

// TestTheLogOutlivesConnections: the driver may throw a connection away after a cancelled call. The
// last one to go would take the log with it, and the next find another one.
func TestTheLogOutlivesConnections(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 10)
	b.read.SetMaxIdleConns(0) // closes all that nobody uses
	b.write.SetMaxIdleConns(0)
	b.apply(t, storetest.NewRequests(e.ID, 1))
	storetest.Check(t, b, e.ID)
}
