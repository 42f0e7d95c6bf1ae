package sqlitestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eventio/eventio/internal/private"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/verify"
)

func quiet(int64, int64) {}

// backedUp makes a backup, checks that it is one private file and nothing else, and opens it.
func backedUp(tb testing.TB, path string) *Store {
	tb.Helper()
	folder := tb.TempDir()
	to := filepath.Join(folder, "eventio.db")
	pages := int64(0)
	if _, err := Backup(tb.Context(), path, to, func(done, all int64) {
		if done < pages || done > all {
			tb.Errorf("%d of %d pages are done after %d were", done, all, pages)
		}
		pages = done
	}); err != nil {
		tb.Fatal(err)
	}
	if pages == 0 {
		tb.Error("no progress was reported")
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		tb.Errorf("the folder has %v, %v", entries, err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != private.File {
		tb.Errorf("the backup is %v, %v", info.Mode(), err)
	}
	header, err := os.ReadFile(to)
	if err != nil || header[18] != 1 || header[19] != 1 {
		tb.Errorf("the backup needs a write-ahead log: %v, %v", header[18:20], err)
	}
	if got := findings(tb, to); got != sound {
		tb.Errorf("the proof of the backup says %s", got)
	}
	return open(tb, to)
}

// TestABackupHasEverything: every way in which a database may lie there.
func TestABackupHasEverything(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 100)
	b.apply(t, storetest.NewRequests(e.ID, 30))
	closed := copyFiles(t, b.path, "", "-wal")
	s, err := Open(t.Context(), closed)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for what, path := range map[string]string{
		"in use":                       b.path,
		"of a killed process":          copyFiles(t, b.path, "", "-wal", "-shm"),
		"without the index of the log": copyFiles(t, b.path, "", "-wal"),
		"closed":                       closed,
		"a backup":                     backupFile(t, b.path),
	} {
		t.Run(what, func(t *testing.T) {
			before, err := sqldb.FilesOf(path)
			if err != nil {
				t.Fatal(err)
			}
			copied := backedUp(t, path)
			storetest.Check(t, copied, e.ID)
			if got, err := copied.Event(t.Context(), e.ID); err != nil || got.TicketsSold != 30 {
				t.Errorf("the event is %+v, %v", got, err)
			}
			if copied.LogMissing() {
				t.Error("it misses a log")
			}
			after, err := sqldb.FilesOf(path)
			if err != nil || len(after) != len(before) {
				t.Errorf("beside the original are %v, before %v: %v", after, before, err)
			}
		})
	}
}

func backupFile(tb testing.TB, path string) string {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "eventio.db")
	if _, err := Backup(tb.Context(), path, to, quiet); err != nil {
		tb.Fatal(err)
	}
	return to
}

// TestABackupOfAFileThatIsNotWholeIsNotEither checks that the backup of an incomplete file is
// recognized as incomplete too.
func TestABackupOfAFileThatIsNotWholeIsNotEither(t *testing.T) {
	b := newBench(t)
	storetest.NewEvent(t, b, 100)
	wantLogMissing(t, backupFile(t, copyFiles(t, b.path, "")))
}

// TestABackupUnderLoadIsOneMoment checks that a backup has everything that was acknowledged before
// it, and is sound.
func TestABackupUnderLoadIsOneMoment(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 1_000_000)
	large := storetest.NewEvent(t, b, 1)
	for large.Description = strings.Repeat("x", 64<<10); ; { // a backup takes several steps
		large.ID = store.NewID()
		if err := b.CreateEvent(t.Context(), large); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(b.path); err != nil || info.Size() > 6*stepPages*4096 {
			break
		}
	}
	b.apply(t, storetest.NewRequests(e.ID, 500))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sold atomic.Int64
	var crowd sync.WaitGroup
	crowd.Go(func() {
		for ctx.Err() == nil {
			b.apply(t, storetest.NewRequests(e.ID, 5))
			sold.Add(5)
		}
	})
	defer crowd.Wait()
	defer stop()
	for range 2 {
		before := sold.Load()
		copied := backedUp(t, b.path)
		storetest.Check(t, copied, e.ID)
		got, err := copied.Event(t.Context(), e.ID)
		if err != nil || got.TicketsSold < 500+before {
			t.Errorf("the backup has %d people, %d were registered before it began: %v", got.TicketsSold, 500+before, err)
		}
	}
}

func TestABackupReplacesNothing(t *testing.T) {
	b := newBench(t)
	storetest.NewEvent(t, b, 10)
	folder := t.TempDir()
	there, link, dir := filepath.Join(folder, "file"), filepath.Join(folder, "link"), filepath.Join(folder, "dir")
	err := errors.Join(os.WriteFile(there, []byte("mine"), 0o644), os.Symlink(filepath.Join(folder, "none"), link), os.Mkdir(dir, 0o700))
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{there, link, dir, b.path} {
		copied := false
		_, err := Backup(t.Context(), b.path, to, func(int64, int64) { copied = true })
		if !errors.Is(err, fs.ErrExist) || copied {
			t.Errorf("%s: %v, and it was found out after copying: %v", to, err, copied)
		}
	}
	// Made by somebody else while the backup was on its way.
	late := filepath.Join(folder, "late")
	_, err = Backup(t.Context(), b.path, late, func(int64, int64) { _ = os.WriteFile(late, []byte("mine"), 0o644) })
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that came meanwhile: %v", err)
	}
	for _, path := range []string{there, late} {
		if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
			t.Errorf("%s has %d bytes now, %v", path, len(data), err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*partial*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	b := newBench(t)
	for range 20 {
		b.grow(t)
	}
	e := storetest.NewEvent(t, b, 10)
	b.apply(t, storetest.NewRequests(e.ID, 10))
	folder := t.TempDir()
	to := filepath.Join(folder, "backup.db")
	interrupted, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := Backup(interrupted, b.path, to, func(int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("an interruption: %v", err)
	}
	if _, err := Backup(t.Context(), b.path, filepath.Join(folder, "none", "backup.db"), quiet); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) > 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}

// TestABackupNoticesWhoOpensTheDatabase checks that a backup notices when another process opens a
// database that no process had open, which is read without locks.
func TestABackupNoticesWhoOpensTheDatabase(t *testing.T) {
	b := newBench(t)
	e := storetest.NewEvent(t, b, 10)
	idle := backupFile(t, b.path)
	var s *Store
	to := filepath.Join(t.TempDir(), "eventio.db")
	_, err := Backup(t.Context(), idle, to, func(int64, int64) {
		if s == nil {
			s = open(t, idle)
			if _, err := s.Apply(t.Context(), storetest.NewRequests(e.ID, 3)); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, to).Event(t.Context(), e.ID); err != nil || got.TicketsSold != 3 {
		t.Errorf("it did not begin anew: %+v, %v", got, err)
	}

	a, err := OpenVerifyReader(t.Context(), backupFile(t, b.path))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	open(t, a.path)
	if err := a.ReadEvents(t.Context(), []store.ID{e.ID}, func(verify.Snapshot) error { return nil }); !errors.Is(err, ErrDisturbed) {
		t.Errorf("a proof beside a process that has just begun to serve: %v", err)
	}
}

func TestOwnFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eventio.db")
	for name, own := range map[string]bool{
		"eventio.db": true, "eventio.db-wal": true, "eventio.db-shm": true, "eventio.db-journal": true,
		"eventio.db-old": false, "backup.db": false, "../eventio.db-wal": false, "../" + filepath.Base(dir) + "/eventio.db-wal": true,
	} {
		if got := OwnFile(path, dir+string(filepath.Separator)+name); got != own {
			t.Errorf("%s: %v", name, got)
		}
	}
	if strings.Contains(dir, "eventio.db") {
		t.Error("the test proves nothing")
	}
}
