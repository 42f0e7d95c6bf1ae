package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/eventio/eventio/pkg/store"
)

// Codes of the server, from its error_codes.yml.
const (
	codeBadValue              = 2
	codeFailedToParse         = 9
	codeUnauthorized          = 13
	codeTypeMismatch          = 14
	codeAuthenticationFailed  = 18
	codeIndexNotFound         = 27
	codeIndexOptionsConflict  = 85
	codeDocumentValidation    = 121
	codeNotWritablePrimary    = 10107
	codeBSONObjectTooLarge    = 10334
	codeNotPrimaryNoSecondary = 13435
)

// passingCodes are of errors that end by themselves: elections, shut-downs, lost
// connections, time limits and collisions. What is not here is not known to pass.
func passingCodes() []int {
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

// passes reports errors that waiting may cure.
func passes(err error) bool {
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
	return hasCode(err, passingCodes()...)
}

// hasCode reports whether an error of the server has one of the codes.
func hasCode(err error, codes ...int) bool {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return false
	}
	return slices.ContainsFunc(codes, server.HasErrorCode)
}

// nothingStored marks an error after which surely nothing is stored: store.ErrUnavailable
// when it is known to pass, else store.ErrNothingStored.
func nothingStored(err error) error {
	switch {
	case errors.Is(err, store.ErrNothingStored):
		return err
	case passes(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, withoutCommand(err))
	}
	return fmt.Errorf("%w: %w", store.ErrNothingStored, withoutCommand(err))
}

// readError translates an error of a read: it cannot have stored anything.
func readError(err, notFound error) error {
	if errors.Is(err, mongo.ErrNoDocuments) && notFound != nil {
		return notFound
	}
	return nothingStored(err)
}

// writeError translates an error of a single write. One that does not surely come before
// the write keeps no meaning: it may be stored.
func writeError(err error) error {
	if notSent(err) || loginRefused(err) || refused(err) {
		return nothingStored(err)
	}
	return err
}

// notSent reports errors of the driver that come before a command is sent, and the
// server's word that it is no primary.
func notSent(err error) bool {
	var selection topology.ServerSelectionError
	var queue topology.WaitQueueTimeoutError
	if errors.As(err, &selection) || errors.As(err, &queue) || notConnected(err) {
		return true
	}
	return !partial(err) && hasCode(err, codeNotWritablePrimary, codeNotPrimaryNoSecondary)
}

// refused reports that the server did not let a single write in.
func refused(err error) bool {
	if partial(err) {
		return false
	}
	var write mongo.WriteException
	return errors.As(err, &write) || hasCode(err, codeBadValue, codeFailedToParse, codeUnauthorized, codeTypeMismatch,
		codeDocumentValidation, codeBSONObjectTooLarge)
}

// keyTaken reports that a single write was refused because another document has its key, and
// that a majority has that document. A primary that is deposed meanwhile says the first without
// the second: its successor may not have the document.
func keyTaken(err error) bool { return mongo.IsDuplicateKeyError(err) && !partial(err) }

// partial reports errors of a write that was made all the same, or part of it.
func partial(err error) bool {
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	return errors.As(err, &write) && write.WriteConcernError != nil || errors.As(err, &bulk)
}
