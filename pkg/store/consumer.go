package store

import (
	"context"
	"errors"
	"time"
)

// Lease is the right of one process to act for a consumer until a time.
type Lease struct {
	Consumer string
	Owner    string // the process, by a name that no other has
	// Token grows each time somebody takes the lease: an earlier one has lost it.
	Token int64
	// Position is where the consumer has come, when the lease was taken.
	Position Position
}

// The errors of Consumers.
var (
	// ErrConsumerNotFound means that there is no consumer of that name.
	ErrConsumerNotFound = errors.New("there is no such consumer of the record of changes")
	// ErrLeaseHeld means that another process has the lease.
	ErrLeaseHeld = errors.New("another process has the lease")
	// ErrLeaseLost means that the lease is not held any more: it ended, or another process has it.
	ErrLeaseLost = errors.New("the lease is lost")
)

// Consumers keeps how far named readers of the record of changes have come, and which process acts
// for each of them. All times are those of the store's clock. Errors of every method, beside those that
// it names: ErrUnavailable, ErrStorageFull, and ErrNothingStored for a fault that does not pass.
type Consumers interface {
	// CreateConsumer creates a consumer at a position. One that exists stays as it is.
	CreateConsumer(ctx context.Context, name string, at Position) error
	// ConsumerPosition returns where a consumer is, whoever has its lease. Errors: ErrConsumerNotFound.
	ConsumerPosition(ctx context.Context, name string) (Position, error)
	// TakeLease gives the lease of a consumer to an owner for a time, if nobody has it, or the owner
	// itself. Errors: ErrConsumerNotFound, ErrLeaseHeld.
	TakeLease(ctx context.Context, name, owner string, length time.Duration) (Lease, error)
	// RenewLease lets a lease end after a time from now. Errors: ErrLeaseLost, also when it has ended
	// and nobody else has taken it.
	RenewLease(ctx context.Context, l Lease, length time.Duration) error
	// StorePosition stores how far the holder of a lease has come, and renews the lease. Errors:
	// ErrLeaseLost, as of RenewLease; nothing is stored then.
	StorePosition(ctx context.Context, l Lease, to Position, length time.Duration) error
	// EndLease ends a lease at once. One that is lost stays as it is.
	EndLease(ctx context.Context, l Lease) error
	// RemoveConsumer forgets a consumer. One that does not exist is no error.
	RemoveConsumer(ctx context.Context, name string) error
}
