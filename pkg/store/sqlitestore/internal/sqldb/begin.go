package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// turnTimeout is how long a transaction waits for its turn, unless its context ends before, as that of a request does.
	turnTimeout = 10 * time.Second
	// turnPause is the least time between two tries to get the lock that another process has. A try takes some 5 us.
	turnPause = 100 * time.Microsecond
)

// BeginTx implements driver.ConnBeginTx. On a connection that writes it tries to get the lock of the file every 100 us,
// for turnTimeout: SQLite itself sleeps up to 100 ms between two tries, and so hardly ever meets one of the moments in
// which a process that writes all the time, as one that serves a crowd does, has let go of it. What writes outside a
// transaction has no such patience.
func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if !c.writes {
		return c.sqliteConn.BeginTx(ctx, opts)
	}
	until := time.Now().Add(turnTimeout)
	for {
		tx, err := c.sqliteConn.BeginTx(ctx, opts)
		if Code(err)&0xff != sqlite3.SQLITE_BUSY || !time.Now().Before(until) {
			return tx, err
		}
		time.Sleep(turnPause) // the next try fails if ctx has ended
	}
}

// Within runs fn in one transaction.
func Within(ctx context.Context, db *sql.DB, fn func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
