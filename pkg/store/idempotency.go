package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"time"
)

// KeyLife is how long an idempotency key is remembered when its claim does not say.
const KeyLife = 24 * time.Hour

// Digest is a SHA-256.
type Digest = [sha256.Size]byte

// Claim is the right to create something under an idempotency key. What is created has its id and
// time before anything is written: so a process that takes over the claim of one that died can see
// whether the thing was created, and creates it under the same id if not. No response is stored,
// because it follows from the claim and the request.
type Claim struct {
	Key         Digest // of the route, of whose key it is, and of the key
	Fingerprint Digest // of the request's content, without secrets
	Resource    ID     // of what is created
	CreatedAt   time.Time
	// Life is how long the key is remembered after CreatedAt. 0: KeyLife.
	Life time.Duration
	// Owner tells the processes and requests that hold the claim one after the other apart.
	Owner ID
	// Inherited says that an earlier owner began the work, and may still write.
	Inherited bool
}

// Idempotency remembers which creations were begun and finished under an idempotency key. Errors
// of every method, beside those that it names: ErrUnavailable, and ErrNothingStored for a fault
// that does not pass.
type Idempotency interface {
	// Begin claims a key for the duration of lease. It returns the claim as it is stored, with the
	// Resource and CreatedAt of its first owner, and whether its work is done. The caller becomes
	// the owner of a claim that is not done and whose lease has expired. Of concurrent calls one
	// gets the claim. Errors: ErrKeyReused, ErrInProgress.
	Begin(ctx context.Context, c Claim, lease time.Duration) (claim Claim, done bool, err error)
	// Finish remembers that the claim's work is done, until the Life of the claim is over.
	Finish(ctx context.Context, c Claim) error
	// Release gives up a claim whose work was surely not done, so that its key is free for any
	// request. The key of an inherited claim stays bound to its content.
	Release(ctx context.Context, c Claim) error
}

// ExpiresAt returns when a key that is claimed now is forgotten.
func (c Claim) ExpiresAt() time.Time { return c.CreatedAt.Add(cmp.Or(c.Life, KeyLife)) }
