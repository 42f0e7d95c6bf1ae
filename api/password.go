package api

import (
	"context"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"

	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/store"
)

// hashing has the argon2id parameters of new hashes: the first choice of OWASP's Password
// Storage Cheat Sheet (19 MiB, two passes, one lane).
var hashing = passwords.Params()

// hasher hashes passwords, a few at a time: each takes 19 MiB and tens of milliseconds of
// a core, which registrations need too.
type hasher struct {
	slots chan struct{}
	dummy string // a hash of nobody's password
}

func newHasher() *hasher {
	h := &hasher{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	dummy, err := argon2id.CreateHash("", &hashing)
	if err != nil { // the system has no randomness
		panic(err)
	}
	h.dummy = dummy
	return h
}

// acquire waits for a turn. Whoever gets none in time is told that nothing happened.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to hash a password: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// hash makes the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, &hashing)
}

// matches compares a password with a PHC string in constant time. With an empty string,
// for a user who does not exist, it takes as long and is false.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if hash == "" {
		_, err := argon2id.ComparePasswordAndHash(password, h.dummy)
		return false, err
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}
