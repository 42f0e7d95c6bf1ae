package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	sqlite "modernc.org/sqlite"

	"github.com/eventio/eventio/internal/private"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// ErrDisturbed means that another process has opened a database that no process had open, while it was
// read. What was read may be wrong. Reading it again is right.
var ErrDisturbed = sqldb.ErrDisturbed

const (
	// stepPages is how many pages of the database a backup copies between two checks of its context:
	// 1 MB.
	stepPages = 256
	// syncPages is after how many pages a backup syncs what it wrote, and rests for as long as
	// that took: 4 MB. Commits of a process that serves wait for a disk that is busy.
	syncPages = 1024
	// maxBackupTries is how often a backup is tried when a process opens the database meanwhile.
	maxBackupTries = 3
)

// Backup copies the database at path, as it is at one moment, into the new file to, which only this user
// may read. It calls report with how many of all pages are copied. It returns that moment: the copy
// has every change that was acknowledged before Backup was called.
//
// The database may be in use. A backup waits for no write and delays none, but the write-ahead log
// grows as long as it lasts. The caller needs the right to read the database's files and folder, and
// no other.
//
// The copy is one file that needs no other. The file to exists only when all of it is on disk. Errors:
// fs.ErrExist when to exists already; ErrDisturbed when processes kept opening a database that no
// process had open; store.ErrStorageFull when there is no disk space for the copy. An interrupted
// Backup leaves nothing behind; a process that is killed leaves a file named to.partial-*.
func Backup(ctx context.Context, path, to string, report func(done, all int64)) (at time.Time, err error) {
	if _, err := os.Lstat(to); err == nil {
		return at, fmt.Errorf("write a backup: %s: %w", to, fs.ErrExist)
	}
	for try := 1; ; try++ {
		at, err = backup(ctx, path, to, report)
		if !errors.Is(err, ErrDisturbed) || try == maxBackupTries {
			break
		}
	}
	if err != nil {
		return at, fmt.Errorf("back %s up: %w", path, err)
	}
	return at, nil
}

func backup(ctx context.Context, path, to string, report func(done, all int64)) (at time.Time, err error) {
	source, err := sqldb.OpenReading(ctx, path)
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, source.DB.Close()) }()
	missing, err := source.LogMissing(ctx)
	if err != nil {
		return at, sqldb.NothingStored(err)
	}
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix) // never fails
	c := &copying{path: to + ".partial-" + hex.EncodeToString(suffix), logMissing: missing}
	if c.file, err = private.Create(c.path); err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, c.discard()) }()
	if at, err = c.copy(ctx, source.DB, report); err != nil {
		return at, err
	}
	if err := c.complete(ctx); err != nil {
		return at, err
	}
	if err := source.Check(); err != nil {
		return at, err
	}
	return at, c.publish(to)
}

// copying is a copy under its temporary name.
type copying struct {
	path string
	file *os.File // for syncing; nothing is written through it
	// logMissing says that the original is incomplete, and so will the copy be.
	logMissing bool
}

// copy copies all pages within one read transaction, and so at one moment. Without the transaction
// SQLite would begin a backup anew after each commit of another process, which under load never ends.
func (c *copying) copy(ctx context.Context, source *sql.DB, report func(done, all int64)) (at time.Time, err error) {
	conn, err := source.Conn(ctx)
	if err != nil {
		return at, sqldb.NothingStored(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return at, sqldb.NothingStored(err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(new(int)); err != nil {
		return at, sqldb.NothingStored(err)
	}
	at = time.Now()
	err = conn.Raw(func(driver any) error {
		from, ok := driver.(interface {
			NewBackup(to string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver %T makes no backups", driver)
		}
		b, err := from.NewBackup(c.dsn("journal_mode(OFF)"))
		if err != nil {
			return transactionError(err, false)
		}
		return errors.Join(c.steps(ctx, b, report), b.Finish())
	})
	return at, err
}

// steps copies page by page until all are copied or ctx ends.
func (c *copying) steps(ctx context.Context, b *sqlite.Backup, report func(done, all int64)) error {
	synced, begun := 0, time.Now()
	for {
		more, err := b.Step(stepPages)
		if err != nil {
			return transactionError(err, false)
		}
		all := b.PageCount()
		done := all - b.Remaining()
		report(int64(done), int64(all))
		if !more {
			return nil
		}
		if done-synced >= syncPages {
			if err := c.file.Sync(); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Since(begun)):
			}
			synced, begun = done, time.Now()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// complete makes the copy one file that needs no write-ahead log, and removes the open mark, unless the
// original is incomplete.
func (c *copying) complete(ctx context.Context) (err error) {
	db, err := sql.Open("sqlite", c.dsn("journal_mode(DELETE)"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	var tables int
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`).Scan(&tables)
	if err == nil && tables > 0 && !c.logMissing {
		_, err = db.ExecContext(ctx, sqldb.DropOpenMark)
	}
	if err != nil {
		return transactionError(err, false)
	}
	return nil
}

// dsn returns the data source name of the copy. SQLite does not sync it: publish does.
func (c *copying) dsn(journal string) string {
	q := url.Values{"_pragma": {"synchronous(OFF)", journal}}
	return (&url.URL{Scheme: "file", Path: c.path, RawQuery: q.Encode()}).String()
}

// publish syncs the copy and gives it the name to. It never replaces a file.
func (c *copying) publish(to string) error {
	if err := c.file.Sync(); err != nil {
		return err
	}
	// A link fails where a rename would replace. Not every file system has links.
	err := os.Link(c.path, to)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		var place *os.File
		if place, err = private.Create(to); err == nil {
			err = errors.Join(place.Close(), os.Rename(c.path, to))
		}
	}
	if err != nil {
		return err
	}
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// discard removes what is left under the temporary name.
func (c *copying) discard() error {
	err := c.file.Close()
	for _, suffix := range sqldb.Files() {
		if failed := os.Remove(c.path + suffix); !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// syncFolder makes the names in a folder durable. Windows has no such call.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// OwnFile reports whether the database at path uses the name to for a file of its own.
func OwnFile(path, to string) bool {
	rest, ok := strings.CutPrefix(filepath.Base(to), filepath.Base(path))
	if !ok {
		return false
	}
	a, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return false
	}
	b, err := os.Stat(filepath.Dir(to))
	if err != nil || !os.SameFile(a, b) {
		return false
	}
	return slices.Contains(sqldb.Files(), rest)
}
