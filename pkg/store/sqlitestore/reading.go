package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
)

// ErrDisturbed means that a database which nobody had open was opened by another process while
// it was read. What was read may be wrong; reading it again is right.
var ErrDisturbed = errors.New("another process has opened the database while it was read: run the command again")

// reading is a database that is opened to be read. It changes and makes no file, so the user
// needs no right but to read. How it is opened depends on the files beside the database:
//
//   - The write-ahead log and its index are there: somebody may have the database open, or it
//     was not closed. SQLite's locks keep the reading and the writers apart (mode=ro). Where the
//     index must not be written, SQLite makes one in memory.
//   - The log is there and its index is not: nobody has the database open. SQLite would make the
//     index; a connection that is alone keeps it in memory. It takes no locks, because an
//     exclusive one needs the right to write.
//   - No log is there: nobody has the database open, and the file holds everything (immutable=1).
//
// The last two are right only as long as nobody opens the database to write. That cannot be kept
// from happening, but it is seen: undisturbed tells.
type reading struct {
	db    *sql.DB
	path  string
	found map[string]fs.FileInfo // of a database that nobody has open: its files; else nil
	noLog bool
}

// openReading opens the file at path, which must be there.
func openReading(path string) (*reading, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	r := &reading{path: path, noLog: noLog(path)}
	pragmas := []string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "query_only(1)"}
	q := url.Values{"mode": {"ro"}, "_txlock": {"deferred"}}
	found, err := filesOf(path)
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
	if r.db, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return r, nil
}

// filesOf looks at the files of the database at path that are there, by their suffixes.
func filesOf(path string) (map[string]fs.FileInfo, error) {
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

// undisturbed fails with ErrDisturbed when somebody has opened a database that nobody had open.
func (r *reading) undisturbed() error {
	if r.found == nil {
		return nil
	}
	now, err := filesOf(r.path)
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

// logMissing reports that the database has an open mark and no write-ahead log.
func (r *reading) logMissing(ctx context.Context) (bool, error) {
	if !r.noLog {
		return false, nil
	}
	var tables int
	err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`).Scan(&tables)
	if err != nil || tables == 0 {
		return false, err
	}
	var marked bool
	err = r.db.QueryRowContext(ctx, hasOpenMark).Scan(&marked)
	return marked, err
}

// openFor waits as long as ctx allows for a reading that works at all: a process that is just
// closing the database may remove the log between two looks at it.
func openFor(ctx context.Context, path string) (*reading, error) {
	for {
		r, err := openReading(path)
		if err != nil {
			return nil, err
		}
		err = r.db.PingContext(ctx)
		if err == nil {
			err = r.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(new(int))
		}
		if err == nil {
			return r, nil
		}
		disturbed := r.undisturbed()
		err = errors.Join(err, r.db.Close())
		if disturbed == nil || !wait(ctx) {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
	}
}
