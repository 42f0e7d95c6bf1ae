// Package mongodb is MongoDB as mongostore and its migrations use it: what an error means for what is
// stored, how a query is sent, and how a client logs in again.
package mongodb

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
)

// Codes of the server, from its error_codes.yml.
const (
	CodeBadValue              = 2
	CodeFailedToParse         = 9
	CodeUnauthorized          = 13 // not logged in, or without the right
	CodeIndexNotFound         = 27
	CodeIndexOptionsConflict  = 85
	CodeTypeMismatch          = 14
	CodeAuthenticationFailed  = 18
	CodeNamespaceExists       = 48
	CodeDocumentValidation    = 121
	CodeNotWritablePrimary    = 10107
	CodeBSONObjectTooLarge    = 10334
	CodeNotPrimaryNoSecondary = 13435
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
		CodeNotWritablePrimary,
		11600, // InterruptedAtShutdown
		11601, // Interrupted
		11602, // InterruptedDueToReplStateChange
		CodeNotPrimaryNoSecondary,
		13436, // NotPrimaryOrSecondary
	}
}

// Transient reports whether an error may pass when one waits.
func Transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		mongo.IsNetworkError(err) || mongo.IsTimeout(err) || notSent(err) ||
		errors.Is(err, mongo.ErrClientDisconnected) { // this process is ending
		return true
	}
	if LoginRefused(err) {
		return true
	}
	var labeled mongo.LabeledError
	if errors.As(err, &labeled) && (labeled.HasErrorLabel("RetryableWriteError") || labeled.HasErrorLabel("TransientTransactionError")) {
		return true
	}
	return HasCode(err, transientCodes()...)
}

// HasCode reports whether the server answered with one of the codes.
func HasCode(err error, codes ...int) bool {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return false
	}
	return slices.ContainsFunc(codes, server.HasErrorCode)
}

// NothingStored marks an error after which surely nothing is stored: by store.ErrUnavailable when it
// is transient, otherwise by store.ErrNothingStored.
func NothingStored(err error) error {
	switch {
	case errors.Is(err, store.ErrNothingStored):
		return err
	case Transient(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, withoutCommand(err))
	}
	return fmt.Errorf("%w: %w", store.ErrNothingStored, withoutCommand(err))
}

// ReadError translates an error of a read, which cannot have stored anything. For a document that
// does not exist it returns notFound, when that is not nil.
func ReadError(err, notFound error) error {
	if errors.Is(err, mongo.ErrNoDocuments) && notFound != nil {
		return notFound
	}
	return NothingStored(err)
}

// WriteError translates an error of a single write. Where the write may be stored it returns the
// error as it is.
func WriteError(err error) error {
	if notSent(err) || LoginRefused(err) || refused(err) {
		return NothingStored(err)
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
	return !partial(err) && HasCode(err, CodeNotWritablePrimary, CodeNotPrimaryNoSecondary)
}

// refused reports whether the server has refused a single write.
func refused(err error) bool {
	if partial(err) {
		return false
	}
	var write mongo.WriteException
	return errors.As(err, &write) || HasCode(err, CodeBadValue, CodeFailedToParse, CodeUnauthorized, CodeTypeMismatch,
		CodeDocumentValidation, CodeBSONObjectTooLarge)
}

// KeyTaken reports whether a single write was refused because another document has its key, and a
// majority has that document. A primary that is deposed meanwhile says the first without the
// second: its successor may not have the document.
func KeyTaken(err error) bool { return mongo.IsDuplicateKeyError(err) && !partial(err) }

// partial reports whether all or a part of a write was made in spite of its error.
func partial(err error) bool {
	var write mongo.WriteException
	var bulk mongo.BulkWriteException
	return errors.As(err, &write) && write.WriteConcernError != nil || errors.As(err, &bulk)
}

// LoginRefused reports whether a login is wrong or has ended, because a password is being changed or
// a user is created anew. It passes when the login is right again. It does not report a user who
// lacks a right.
func LoginRefused(err error) bool {
	var login *auth.Error
	return errors.As(err, &login) || HasCode(err, CodeAuthenticationFailed) ||
		HasCode(err, CodeUnauthorized) && isLoginMissing(err.Error())
}

// RightMissing reports whether a user who has logged in lacks a right.
func RightMissing(err error) bool { return HasCode(err, CodeUnauthorized) && !LoginRefused(err) }

// withoutCommand removes the command from the text of an error about a missing right: it may have
// personal data, and errors are logged.
func withoutCommand(err error) error {
	if !HasCode(err, CodeUnauthorized, CodeAuthenticationFailed) {
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
