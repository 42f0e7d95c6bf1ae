package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"

	sqlite "modernc.org/sqlite"
)

// The open mark is a row of the table meta. It is in the database's file while a Store has that
// open, and goes when the Store is closed. So a file that has the mark and no write-ahead log
// beside it is not whole: it was copied without its log while it was in use, or the log was
// removed after a crash. What was stored last is missing then, and nothing else in the file
// tells: each state that SQLite moves from the log to the file is sound by itself.
//
// Who opens a file that has a mark puts its own in the place of that, and takes away only its
// own. Where a mark stays behind, the log is kept when the last connection is closed.
const (
	setOpenMark = `INSERT INTO meta (name, value) VALUES ('open', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	addOpenMark = `INSERT INTO meta (name, value) VALUES ('open', ?) ON CONFLICT DO NOTHING`
	endOpenMark = `DELETE FROM meta WHERE name = 'open' AND value = ?`
	hasOpenMark = `SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'open')`
	// dropOpenMark is for a file that is complete by itself.
	dropOpenMark = `DELETE FROM meta WHERE name = 'open'`
)

// newOpenMark makes the mark of one Store.
func newOpenMark() []byte {
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // never fails
	return mark
}

// noLog reports that a file, in which there is something, has no write-ahead log beside it.
func noLog(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return false
	}
	_, err = os.Lstat(path + "-wal")
	return errors.Is(err, os.ErrNotExist)
}

// LogMissing reports that the file had the mark of a Store and no write-ahead log when this
// Store opened it: what was stored last before is missing.
func (s *Store) LogMissing() bool { return s.logMissing }

// markOpen sets the mark in the transaction of a start.
func (s *Store) markOpen(hadNoLog bool) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		var marked bool
		if err := tx.QueryRow(hasOpenMark).Scan(&marked); err != nil {
			return err
		}
		s.logMissing = marked && hadNoLog
		_, err := tx.Exec(setOpenMark, s.mark)
		return err
	}
}

// backfill brings the mark from the log into the database's file. Where that fails, it gets
// there with the next checkpoint.
func (s *Store) backfill(ctx context.Context) {
	_, _ = s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`)
}

// stayMarked sets the mark again when another Store of this file took away its own, which had
// been in the place of this one's. The next look makes good for an error.
func (s *Store) stayMarked(ctx context.Context) {
	var marked bool
	// Not interrupted: the driver would close the connection that keeps the log.
	err := s.keep.QueryRowContext(context.WithoutCancel(ctx), hasOpenMark).Scan(&marked)
	if err != nil || marked {
		return
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(addOpenMark, s.mark)
		return err
	})
	if err == nil {
		s.backfill(ctx)
	}
}

// endMark takes the mark away before the Store is closed. When a mark is left all the same,
// because nothing can be written or it is another Store's, the log stays beside the file.
func (s *Store) endMark() {
	if s.files == nil || s.look() != nil {
		return // it was never open, or is lost
	}
	ctx, cancel := context.WithTimeout(context.Background(), busyTimeout)
	defer cancel()
	var marked bool
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(endOpenMark, s.mark); err != nil {
			return err
		}
		return tx.QueryRow(hasOpenMark).Scan(&marked)
	})
	if err != nil || marked {
		keepLog(ctx, s.write)
	}
}

// keepLog has the log stay when the one connection of db is closed as the last of its file.
func keepLog(ctx context.Context, db *sql.DB) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.Raw(func(driver any) error {
		if c, ok := driver.(sqlite.FileControl); ok {
			_, err := c.FileControlPersistWAL("main", 1)
			return err
		}
		return nil
	})
}

// markedMigrator leaves a file and its log, which a killed process has left, as whole as they are.
type markedMigrator struct {
	*migrator
	hadLog bool // when it was opened
}

// Close implements store.Migrator.
func (m *markedMigrator) Close() error {
	if m.hadLog && m.write.Stats().OpenConnections > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), busyTimeout)
		defer cancel()
		var marked bool
		if err := m.write.QueryRowContext(ctx, hasOpenMark).Scan(&marked); err == nil && marked {
			keepLog(ctx, m.write)
		}
	}
	return m.migrator.Close()
}
