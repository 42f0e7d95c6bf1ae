package sqldb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"

	sqlite "modernc.org/sqlite"
)

// The open mark is a row of the table meta. It is in the database's file while a store has the file
// open, and is removed when the store is closed. So a file with the mark and without a write-ahead
// log beside it is incomplete: it was copied without its log while it was in use, or the log was
// removed after a crash. Then what was stored last is missing, and nothing else in the file shows
// it, because each state that SQLite moves from the log to the file is sound by itself.
//
// A store that opens a file with a mark replaces the mark by its own, and removes only its own. Where
// a mark stays behind, the log stays too when the last connection is closed.
const (
	SetOpenMark = `INSERT INTO meta (name, value) VALUES ('open', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	AddOpenMark = `INSERT INTO meta (name, value) VALUES ('open', ?) ON CONFLICT DO NOTHING`
	EndOpenMark = `DELETE FROM meta WHERE name = 'open' AND value = ?`
	HasOpenMark = `SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'open')`
	// DropOpenMark is for a file that is complete by itself, such as a backup.
	DropOpenMark = `DELETE FROM meta WHERE name = 'open'`
)

// NewOpenMark makes the mark of one store.
func NewOpenMark() []byte {
	mark := make([]byte, 16)
	_, _ = rand.Read(mark) // never fails
	return mark
}

// NoLog reports whether a file that is not empty has no write-ahead log beside it.
func NoLog(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 {
		return false
	}
	_, err = os.Lstat(path + "-wal")
	return errors.Is(err, os.ErrNotExist)
}

// KeepLog lets the log stay when the only connection of db is closed as the last one of its file.
func KeepLog(ctx context.Context, db *sql.DB) {
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
