package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/relogin"
)

// Codes of the server, from its error_codes.yml.
const (
	codeBadValue              = 2
	codeFailedToParse         = 9
	codeUnauthorized          = 13
	codeTypeMismatch          = 14
	codeAuthenticationFailed  = 18
	codeNamespaceExists       = 48
	codeDocumentValidation    = 121
	codeNotWritablePrimary    = 10107
	codeBSONObjectTooLarge    = 10334
	codeNotPrimaryNoSecondary = 13435
)

// transientCodes returns the codes of errors that pass by themselves: elections, shutdowns, lost
// connections, time limits and collisions. Of other codes it is not known whether they pass.
func transientCodes() []int {
	return []int{
		6,     // HostUnreachable
		7,     // HostNotFound
		24,    // LockTimeout
		43,    // CursorNotFound: its server has restarted
		46,    // LockBusy
		50,    // MaxTimeMSExpired
		64,    // WriteConcernFailed: in time
		89,    // NetworkTimeout
		91,    // ShutdownInProgress
		112,   // WriteConflict
		133,   // FailedToSatisfyReadPreference
		134,   // ReadConcernMajorityNotAvailableYet
		175,   // QueryPlanKilled: an index or collection was changed under it
		189,   // PrimarySteppedDown
		202,   // NetworkInterfaceExceededTimeLimit
		225,   // TransactionTooOld
		237,   // CursorKilled
		239,   // SnapshotTooOld
		246,   // SnapshotUnavailable
		251,   // NoSuchTransaction
		262,   // ExceededTimeLimit
		290,   // TransactionExceededLifetimeLimitSeconds
		317,   // ConnectionPoolExpired
		365,   // TemporarilyUnavailable
		9001,  // SocketException
		10058, // LegacyNotPrimary
		codeNotWritablePrimary,
		11600, // InterruptedAtShutdown
		11601, // Interrupted
		11602, // InterruptedDueToReplStateChange
		codeNotPrimaryNoSecondary,
		13436, // NotPrimaryOrSecondary
	}
}

// transient reports whether an error may pass when one waits.
func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		mongo.IsNetworkError(err) || mongo.IsTimeout(err) || notSent(err) ||
		errors.Is(err, mongo.ErrClientDisconnected) { // this process is ending
		return true
	}
	if loginRefused(err) {
		return true
	}
	var labeled mongo.LabeledError
	if errors.As(err, &labeled) && (labeled.HasErrorLabel("RetryableWriteError") || labeled.HasErrorLabel("TransientTransactionError")) {
		return true
	}
	return hasCode(err, transientCodes()...)
}

// hasCode reports whether the server answered with one of the codes.
func hasCode(err error, codes ...int) bool {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return false
	}
	return slices.ContainsFunc(codes, server.HasErrorCode)
}

// nothingStored marks an error after which surely nothing is stored: by store.ErrUnavailable when it
// is transient, otherwise by store.ErrNothingStored.
func nothingStored(err error) error {
	switch {
	case errors.Is(err, store.ErrNothingStored):
		return err
	case transient(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, withoutCommand(err))
	}
	return fmt.Errorf("%w: %w", store.ErrNothingStored, withoutCommand(err))
}

// readError translates an error of a read, which cannot have stored anything. For a document that
// does not exist it returns notFound, when that is not nil.
func readError(err, notFound error) error {
	if errors.Is(err, mongo.ErrNoDocuments) && notFound != nil {
		return notFound
	}
	return nothingStored(err)
}

// writeError translates an error of a single write. Where the write may be stored it returns the
// error as it is.
func writeError(err error) error {
	if notSent(err) || loginRefused(err) || refused(err) {
		return nothingStored(err)
	}
	return err
}

// notSent reports whether an error of the driver comes before a command is sent, or the server has
// answered that it is no primary.
func notSent(err error) bool {
	var selection topology.ServerSelectionError
	var queue topology.WaitQueueTimeoutError
	if errors.As(err, &selection) || errors.As(err, &queue) || notConnected(err) {
		return true
	}
	return !partial(err) && hasCode(err, codeNotWritablePrimary, codeNotPrimaryNoSecondary)
}

// refused reports whether the server has refused a single write.
func refused(err error) bool {
	if partial(err) {
		return false
	}
	var write mongo.WriteException
	return errors.As(err, &write) || hasCode(err, codeBadValue, codeFailedToParse, codeUnauthorized, codeTypeMismatch,
		codeDocumentValidation, codeBSONObjectTooLarge)
}

// keyTaken reports whether a single write was refused because another document has its key, and a
// majority has that document. A primary that is deposed meanwhile says the first without the
// second: its successor may not have the document.
func keyTaken(err error) bool { return mongo.IsDuplicateKeyError(err) && !partial(err) }

// partial reports whether all or a part of a write was made in spite of its error.
func partial(err error) bool {
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	return errors.As(err, &write) && write.WriteConcernError != nil || errors.As(err, &bulk)
}

// loginRefused reports whether a login is wrong or has ended, because a password is being changed or
// a user is created anew. It passes when the login is right again. It does not report a user who
// lacks a right.
func loginRefused(err error) bool {
	var login *auth.Error
	return errors.As(err, &login) || hasCode(err, codeAuthenticationFailed) ||
		hasCode(err, codeUnauthorized) && relogin.IsLoginMissing(err.Error())
}

// withoutCommand removes the command from the text of an error about a missing right: it may have
// personal data, and errors are logged.
func withoutCommand(err error) error {
	if !hasCode(err, codeUnauthorized, codeAuthenticationFailed) {
		return err
	}
	text, _, _ := strings.Cut(err.Error(), " {")
	return errors.New(text)
}

// notConnected reports whether no connection could be had, so that nothing was sent. When a
// connection breaks while it is used, the driver says NetworkError instead; and when a command that
// was sent could not be sent again, it returns the error of the first time.
func notConnected(err error) bool {
	var connection topology.ConnectionError
	var pool driver.RetryablePoolError // cleared because another operation could not connect
	return !mongo.IsNetworkError(err) && (errors.As(err, &connection) || errors.As(err, &pool))
}
