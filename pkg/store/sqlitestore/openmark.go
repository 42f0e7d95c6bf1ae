package sqlitestore

import (
	"context"
	"database/sql"

	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// LogMissing reports whether the file had an open mark and no write-ahead log when this Store opened it.
// Then what was stored last before is missing.
func (s *Store) LogMissing() bool { return s.logMissing }

// markOpen returns a function that sets the open mark of this Store, in the transaction of its start.
func (s *Store) markOpen(hadNoLog bool) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		var marked bool
		if err := tx.QueryRow(sqldb.HasOpenMark).Scan(&marked); err != nil {
			return err
		}
		s.logMissing = marked && hadNoLog
		_, err := tx.Exec(sqldb.SetOpenMark, s.mark)
		return err
	}
}

// backfill moves the open mark from the log to the database's file. When that fails, the next checkpoint
// does it.
func (s *Store) backfill(ctx context.Context) {
	_, _ = s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`)
}

// keepOpenMark sets the open mark again when another Store of the same file has removed it, after it had
// replaced the mark of this Store by its own. After an error the next call does it.
func (s *Store) keepOpenMark(ctx context.Context) {
	var marked bool
	// Not interrupted: the driver would close the connection that keeps the log.
	err := s.keep.QueryRowContext(context.WithoutCancel(ctx), sqldb.HasOpenMark).Scan(&marked)
	if err != nil || marked {
		return
	}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(sqldb.AddOpenMark, s.mark)
		return err
	})
	if err == nil {
		s.backfill(ctx)
	}
}

// endOpenMark removes the open mark before the Store is closed. When a mark is left, because nothing can
// be written or it is another Store's, the log stays beside the file.
func (s *Store) endOpenMark() {
	if s.files == nil || s.compareFiles() != nil {
		return // the database was never open, or is lost
	}
	ctx, cancel := context.WithTimeout(context.Background(), sqldb.BusyTimeout)
	defer cancel()
	var marked bool
	err := s.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(sqldb.EndOpenMark, s.mark); err != nil {
			return err
		}
		return tx.QueryRow(sqldb.HasOpenMark).Scan(&marked)
	})
	if err != nil || marked {
		sqldb.KeepLog(ctx, s.write)
	}
}

// markedMigrator keeps the log of a file with an open mark, which a killed process has left: without
// its log such a file would count as incomplete.
type markedMigrator struct {
	*migrate.Migrator
	write  *sql.DB
	hadLog bool // when it was opened
}

// Close implements schema.Migrator.
func (m *markedMigrator) Close() error {
	if m.hadLog && m.write.Stats().OpenConnections > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), sqldb.BusyTimeout)
		defer cancel()
		var marked bool
		if err := m.write.QueryRowContext(ctx, sqldb.HasOpenMark).Scan(&marked); err == nil && marked {
			sqldb.KeepLog(ctx, m.write)
		}
	}
	return m.Migrator.Close()
}
