package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

// NothingStored marks an error after which surely nothing is stored, unless the error has a meaning
// of its own: by store.ErrUnavailable when it is transient, otherwise by store.ErrNothingStored.
func NothingStored(err error) error {
	for _, own := range []error{
		store.ErrEmailTaken, store.ErrEventNotFound, store.ErrUserNotFound, store.ErrRegistrationNotFound,
		store.ErrPasswordChanged, store.ErrSchema, store.ErrNothingStored, apikeys.ErrOwnerBarred,
	} {
		if errors.Is(err, own) {
			return err
		}
	}
	if transient(err) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", store.ErrNothingStored, err)
}

// ReadError translates an error of a read, which cannot have stored anything. For a row that does
// not exist it returns notFound.
func ReadError(err, notFound error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound
	}
	return NothingStored(err)
}

// closedText is the text of database/sql's error about a database that is closed, which it does not
// export. A process that stops closes its store; the next process serves again.
const closedText = "sql: database is closed"

// transient reports whether an error passes by itself: another process has the lock, too many files
// are open, the caller's time is up, or the store is closed.
func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), closedText) {
		return true
	}
	switch Code(err) & 0xff { // the primary code of an extended one
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return true
	}
	return false
}

// Code returns SQLite's extended code of an error; 0: it is not an error of SQLite.
func Code(err error) int {
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		return se.Code()
	}
	return 0
}
