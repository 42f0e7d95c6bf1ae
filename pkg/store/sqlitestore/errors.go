package sqlitestore

import (
	"errors"
	"fmt"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
)

// failure says what an error of a transaction means for what is stored. committing tells an
// error of COMMIT from one before it.
//
// Before COMMIT nothing is stored, whatever fails: the pages that a large transaction writes
// to the log early carry no commit mark, and without one a recovery passes over them.
//
// A COMMIT (sqlite3WalFrames in SQLite's wal.c) writes the changed pages to the log, the last
// one with the commit mark, syncs the log, and then enters the pages into the -shm file.
// SQLITE_FULL (ENOSPC) and SQLITE_IOERR_WRITE (any other error of a write: EFBIG of a file
// size limit, EDQUOT, EIO) come from the writes alone, so the page with the mark is missing or
// cut off, its checksum does not fit, and nobody will ever see the transaction. (But see
// uncommitted, which finds the exception. Pages after
// the mark, which could fail too, are only written to devices without powersafe overwrite;
// SQLite takes none for one of these unless it is told so.) After a failed sync, or a -shm
// file that cannot grow, the whole transaction is in the log: nobody sees it now, and a
// recovery after a crash may. Those, and all that is not named here, are unknown.
// TestEveryFailedCall makes each call of a commit fail and holds this against what a recovery
// finds.
func failure(err error, committing bool) error {
	var code int
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		code = se.Code()
	}
	switch {
	case code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_WRITE:
		return fmt.Errorf("%w: %w", store.ErrStorageFull, err)
	case committing:
		return fmt.Errorf("commit: %w", err)
	case code == sqlite3.SQLITE_IOERR_SHMSIZE: // the -shm file cannot grow
		return fmt.Errorf("%w: %w", store.ErrStorageFull, err)
	case code == sqlite3.SQLITE_IOERR_NOMEM: // too little memory: others give it back
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return classify(err)
}
