package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"
)

// Errors of Idempotency.
var (
	// ErrKeyReused: the key belongs to a request with another content.
	ErrKeyReused = errors.New("idempotency key reused for another request")
	// ErrInProgress: a request with this key and content is still running.
	ErrInProgress = errors.New("a request with this idempotency key is in progress")
)

// KeyLife is how long a key is remembered.
const KeyLife = 24 * time.Hour

// Digest is a SHA-256.
type Digest = [sha256.Size]byte

// Claim is a creation under an idempotency key. What it creates has an id and a time before
// anything is written, so that whoever takes the claim over from a process that died can
// look whether its work was done, and goes on with the same id if not. No answer is stored:
// it follows from the claim and the request.
type Claim struct {
	Key         Digest // of the route, whose key it is, and the key
	Fingerprint Digest // of the request's content, without secrets
	Resource    ID     // of what is created
	CreatedAt   time.Time
	// Owner tells holders of the claim apart.
	Owner ID
	// Inherited says that another holder began before, whose write may still arrive.
	Inherited bool
}

// Idempotency remembers which creations were begun and done under a key.
type Idempotency interface {
	// Begin claims a key for the time of the lease. It returns the claim as it stands, with
	// Resource and CreatedAt of the first holder, and whether its work is done. A claim
	// that is not done and whose lease has run out passes to the caller. Of concurrent
	// calls one gets the claim. Errors: ErrKeyReused, ErrInProgress, ErrUnavailable.
	Begin(ctx context.Context, c Claim, lease time.Duration) (claim Claim, done bool, err error)
	// Finish remembers that the claim's work is done, until KeyLife after CreatedAt.
	Finish(ctx context.Context, c Claim) error
	// Release gives up a claim whose work was surely not done, so that the key is free for
	// any request; an inherited one stays bound to its content.
	Release(ctx context.Context, c Claim) error
}
