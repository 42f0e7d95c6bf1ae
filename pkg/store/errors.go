package store

import (
	"errors"
	"fmt"
)

// Errors that a store returns, wrapped with the operation. An error that matches none of them
// leaves it unknown whether a write was stored.
var (
	// ErrEventNotFound means that no event has the id.
	ErrEventNotFound = errors.New("event not found")
	// ErrUserNotFound means that no user has the id or e-mail address.
	ErrUserNotFound = errors.New("user not found")
	// ErrRegistrationNotFound means that the user has no registration in the event that is
	// confirmed or waiting.
	ErrRegistrationNotFound = errors.New("registration not found")
	// ErrEmailTaken means that another user has the e-mail address.
	ErrEmailTaken = errors.New("email taken")
	// ErrEmailProven means that a user has proven that the e-mail address is theirs.
	ErrEmailProven = errors.New("email proven")
	// ErrPasswordChanged means that the user's password is no longer the one that the caller has
	// read.
	ErrPasswordChanged = errors.New("password changed meanwhile")
	// ErrKeyReused means that the idempotency key belongs to a request with other content.
	ErrKeyReused = errors.New("idempotency key reused for another request")
	// ErrInProgress means that a request with the same idempotency key and content is still
	// running.
	ErrInProgress = errors.New("a request with this idempotency key is in progress")

	// ErrNothingStored means that surely nothing was stored. Alone it is a fault that waiting
	// does not cure, such as a missing column: an operator must look.
	ErrNothingStored = errors.New("nothing stored")
	// ErrUnavailable means that the store cannot be used now, for a reason that is known to pass:
	// a lost connection, an election, a lock, a timeout. It matches ErrNothingStored.
	ErrUnavailable = fmt.Errorf("store unavailable, %w", ErrNothingStored)
	// ErrStorageFull means that the store has no disk space left. It takes writes again when
	// there is space. It matches ErrNothingStored.
	ErrStorageFull = fmt.Errorf("storage full, %w", ErrNothingStored)

	// ErrDatabaseReplaced means that the database is not the one that was opened: it was dropped,
	// restored or exchanged meanwhile. Waiting does not cure it: the process must be restarted.
	ErrDatabaseReplaced = errors.New("the database was replaced under this process, restart this process")
	// ErrNoDatabaseID means that the database has no id, because no store was opened on it yet.
	ErrNoDatabaseID = errors.New("the database has no id yet: start Event.io on it once")
	// ErrSchema means that the program and the schema of the database do not fit together.
	// Waiting does not cure it; the error's text says what does.
	ErrSchema = errors.New("schema")
	// ErrDamaged means that one record cannot be what this program wrote. The error's text names
	// the record and says what is wrong with it.
	ErrDamaged = errors.New("damaged")
)
