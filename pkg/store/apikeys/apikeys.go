// Package apikeys defines what a store keeps of keys with which programs act for people. Both adapters of pkg/store implement it.
package apikeys

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Key lets a program act for a person, until it ends.
type Key struct {
	ID      store.ID
	OwnerID store.ID
	// Hash is the SHA-256 of the key, which itself is stored nowhere: it has 256 random bits, so nothing slower is
	// needed.
	Hash [32]byte
	// Name is what its owner calls it.
	Name string
	// Scopes are the words of what it may do, separated by spaces.
	Scopes    string
	CreatedAt time.Time
	// ExpiresAt is when it ends by itself.
	ExpiresAt time.Time
	// LastUsedAt is when it was last used, to within a few minutes; zero: it was not.
	LastUsedAt time.Time
	// EndedAt is when it was ended before its time; zero: it was not.
	EndedAt time.Time
	// ChangedAt is when it was made or ended, by the clock of the store. CreateAPIKey sets it.
	ChangedAt time.Time
}

// Kept is how long a key is kept after it has expired or was ended, so that all processes learn of it.
const Kept = 24 * time.Hour

// ErrOwnerBarred means that the owner of a key is locked or was erased.
var ErrOwnerBarred = errors.New("the owner of the key is locked or was erased")

// Store keeps keys of programs. No request reads it: processes read APIKeysSince now and then, and keep
// what it tells. Writes are durable when they return, and may be repeated. Errors of every method, beside those that
// it names: ErrUnavailable, and ErrNothingStored for a fault that does not pass. Each sequence yields an error at most
// once, as the last element.
type Store interface {
	// CreateAPIKey stores a key. One that is stored already stays as it is. Its owner may be unknown: others have proven who
	// that is. Errors: ErrOwnerBarred, also when the owner is locked or erased meanwhile; then the key has ended, if it is
	// stored at all.
	CreateAPIKey(ctx context.Context, k Key) error
	// APIKeysOf reads the keys of a person that were not ended and that expire after now, the newest first.
	APIKeysOf(ctx context.Context, owner store.ID, now time.Time) ([]Key, error)
	// EndAPIKey ends the key with that id, if it is of that owner. It reports whether there is such a key, ended or not.
	EndAPIKey(ctx context.Context, owner, id store.ID) (found bool, err error)
	// APIKeysSince reads the keys that were made or ended at or after since, by the clock of the store, in any order. It
	// sees all that was acknowledged before the call.
	APIKeysSince(ctx context.Context, since time.Time) iter.Seq2[Key, error]
	// UseAPIKeys moves the LastUsedAt of keys to the given times, if these are later. It does not change ChangedAt.
	UseAPIKeys(ctx context.Context, used map[store.ID]time.Time) error
}
