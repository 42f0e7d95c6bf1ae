package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/eventio/eventio/internal/wait"
)

// ErrDisturbed means that another process has opened a database that no process had open, while it
// was read. What was read may be wrong. Reading it again is right.
var ErrDisturbed = errors.New("another process has opened the database while it was read: run the command again")

// Files returns the suffixes of the names of a database's files, which follow the path of the
// database: the file itself, the write-ahead log, the log's index, and the rollback journal that
// SQLite uses before there is a log.
func Files() []string { return []string{"", "-wal", "-shm", "-journal"} }

// Reading is a database that is opened for reading. It neither changes nor makes a file, so its user
// needs only the right to read. How it opens the database depends on the files beside it:
//
//   - The write-ahead log and its index exist: a process may have the database open, or did not close
//     it. SQLite's locks keep the reading and the writers apart (mode=ro). Where the index must not
//     be written, SQLite makes one in memory.
//   - The log exists and its index does not: no process has the database open. SQLite would make the
//     index; a connection that is alone keeps it in memory. It takes no locks, because an exclusive
//     one needs the right to write.
//   - No log exists: no process has the database open, and the file holds everything (immutable=1).
//
// The last two are right only while no process opens the database to write. That cannot be
// prevented, but Check notices it.
type Reading struct {
	DB    *sql.DB
	path  string
	found map[string]fs.FileInfo // the files of a database that no process had open; nil: one may
	noLog bool
}

// OpenReading opens the file at path, which must exist. While another process is just closing the
// database, and so may remove the log at any moment, it waits as long as ctx allows.
func OpenReading(ctx context.Context, path string) (*Reading, error) {
	for {
		r, err := openReading(path)
		if err != nil {
			return nil, err
		}
		err = r.DB.PingContext(ctx)
		if err == nil {
			err = r.DB.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(new(int))
		}
		if err == nil {
			return r, nil
		}
		disturbed := r.Check()
		err = errors.Join(err, r.DB.Close())
		if disturbed == nil || !Wait(ctx) {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
	}
}

func openReading(path string) (*Reading, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	r := &Reading{path: path, noLog: NoLog(path)}
	pragmas := []string{fmt.Sprintf("busy_timeout(%d)", BusyTimeout.Milliseconds()), "query_only(1)"}
	q := url.Values{"mode": {"ro"}, "_txlock": {"deferred"}}
	found, err := FilesOf(path)
	if err != nil {
		return nil, err
	}
	switch {
	case found["-journal"] != nil, found["-wal"] != nil && found["-shm"] != nil:
	case found["-wal"] != nil:
		r.found = found
		pragmas = append([]string{"locking_mode(EXCLUSIVE)"}, pragmas...)
		q.Set("vfs", "unix-none")
		if runtime.GOOS == "windows" {
			q.Set("vfs", "win32-none")
		}
	default:
		r.found = found
		q.Set("immutable", "1")
	}
	q["_pragma"] = pragmas
	if r.DB, err = openDB((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String(), false); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return r, nil
}

// FilesOf returns the files of the database at path that exist, by their suffixes.
func FilesOf(path string) (map[string]fs.FileInfo, error) {
	found := make(map[string]fs.FileInfo)
	for _, suffix := range Files() {
		info, err := os.Stat(path + suffix)
		if err == nil {
			found[suffix] = info
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look at the files of the database: %w", err)
		}
	}
	return found, nil
}

// Check returns ErrDisturbed when a process has opened a database that no process had open.
func (r *Reading) Check() error {
	if r.found == nil {
		return nil
	}
	now, err := FilesOf(r.path)
	if err != nil {
		return err
	}
	same := len(now) == len(r.found)
	for suffix, before := range r.found {
		after := now[suffix]
		same = same && after != nil && os.SameFile(before, after) && before.Size() == after.Size() && before.ModTime().Equal(after.ModTime())
	}
	if !same {
		return ErrDisturbed
	}
	return nil
}

// LogMissing reports whether the database has an open mark and no write-ahead log: then what was
// stored last is missing.
func (r *Reading) LogMissing(ctx context.Context) (bool, error) {
	if !r.noLog {
		return false, nil
	}
	var tables int
	err := r.DB.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`).Scan(&tables)
	if err != nil || tables == 0 {
		return false, err
	}
	var marked bool
	err = r.DB.QueryRowContext(ctx, HasOpenMark).Scan(&marked)
	return marked, err
}

// busyPause is the pause, beside BusyTimeout, before a file that another process uses is tried
// again.
const busyPause = 50 * time.Millisecond

// Wait pauses before a file that another process uses is tried again, and reports whether ctx is
// still alive after it.
func Wait(ctx context.Context) bool { return wait.For(ctx, busyPause) }
