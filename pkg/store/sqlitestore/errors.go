package sqlitestore

import (
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// transactionError says what an error of a transaction means for what is stored. committing tells
// whether COMMIT failed, or something before it.
//
// Before COMMIT nothing is stored, whatever fails: the pages that a large transaction writes to the
// log early have no commit mark, and a recovery skips pages without one.
//
// COMMIT (sqlite3WalFrames in SQLite's wal.c) writes the changed pages to the log, the last one with
// the commit mark, then syncs the log, and then enters the pages into the -shm file. SQLITE_FULL
// (ENOSPC) and SQLITE_IOERR_WRITE (any other error of a write: EFBIG of a file size limit, EDQUOT,
// EIO) come from the writes alone. So the page with the mark is missing or cut off, its checksum
// does not fit, and nobody will ever see the transaction; for the one exception see
// checkUncommitted. (Pages after the mark, whose writes could fail too, are only written to devices
// without powersafe overwrite, and SQLite assumes that a device has it.) After a failed sync, or
// when the -shm file cannot grow, the whole transaction is in the log: nobody sees it now, but a
// recovery after a crash may. Then, and after every error that is not named here, it is unknown
// whether the transaction is stored. TestEveryFailedCall makes each call of a commit fail and
// compares this function with what a recovery finds.
func transactionError(err error, committing bool) error {
	code := sqldb.Code(err)
	switch {
	case code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_WRITE:
		return fmt.Errorf("%w: %w", store.ErrStorageFull, err)
	case committing:
		return fmt.Errorf("commit: %w", err)
	case code == sqlite3.SQLITE_IOERR_SHMSIZE: // the -shm file cannot grow
		return fmt.Errorf("%w: %w", store.ErrStorageFull, err)
	case code == sqlite3.SQLITE_IOERR_NOMEM: // too little memory, which others give back
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return sqldb.NothingStored(err)
}
