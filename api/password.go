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

// hashesWaiting is how many wait for each hash that is being made. A hash takes tens of
// milliseconds, so the last one waits about a second. More would only be told later that
// there was no time.
const hashesWaiting = 32

// hasher hashes passwords, a few at a time: each takes 19 MiB and tens of milliseconds of
// a core, which registrations need too.
type hasher struct {
	places chan struct{} // those being hashed and those that wait
	slots  chan struct{} // those being hashed
	params argon2id.Params
	dummy  string // a hash of nobody's password
}

func newHasher() *hasher {
	slots := max(1, runtime.GOMAXPROCS(0)/2)
	h := &hasher{
		places: make(chan struct{}, slots*(1+hashesWaiting)), slots: make(chan struct{}, slots), params: hashing,
	}
	dummy, err := argon2id.CreateHash("", &h.params)
	if err != nil { // the system has no randomness
		panic(err)
	}
	h.dummy = dummy
	return h
}

// acquire waits for a turn. Whoever gets none in time, or finds too many waiting, is told
// that nothing happened.
func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.places <- struct{}{}:
	default:
		return nil, fmt.Errorf("hash a password: too many wait: %w", store.ErrUnavailable)
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; <-h.places }, nil
	case <-ctx.Done():
		<-h.places
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
	return argon2id.CreateHash(password, &h.params)
}

// matches compares a password with a PHC string in constant time, and says whether the
// string is weaker than today's. With an empty string, for a user who does not exist, it
// takes as long and is false.
func (h *hasher) matches(ctx context.Context, password, hash string) (right, weak bool, err error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	nobody := hash == ""
	if nobody {
		hash = h.dummy
	}
	right, params, err := argon2id.CheckHash(password, hash)
	if err != nil {
		return false, false, err
	}
	return right && !nobody, h.weaker(params), nil
}

// weaker reports whether any parameter of a hash is below today's.
func (h *hasher) weaker(p *argon2id.Params) bool {
	return p.Memory < h.params.Memory || p.Iterations < h.params.Iterations || p.Parallelism < h.params.Parallelism ||
		p.SaltLength < h.params.SaltLength || p.KeyLength < h.params.KeyLength
}
