package passwords

import (
	"cmp"
	"context"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"

	"github.com/eventio/eventio/pkg/store"
)

// waitingPerHash is the default number of callers that wait for each hash being made. A hash
// takes tens of milliseconds, so the last of them waits about a second. Any more would
// mostly run out of time.
const waitingPerHash = 32

// Hasher hashes and compares passwords, a few at a time: each takes 19 MiB and tens of
// milliseconds of a core, which registrations need too. It is safe for concurrent use.
type Hasher struct {
	admitted chan struct{} // one entry for each caller that hashes or waits
	running  chan struct{} // one entry for each caller that hashes
	params   argon2id.Params
	dummy    string // the hash of a password that nobody has
}

// NewHasher makes a hasher for parallel hashes at a time (0: half of the cores) while at most
// waiting callers wait (0: 32 for each hash at a time). It panics when the system has no
// randomness.
func NewHasher(parallel, waiting int) *Hasher {
	parallel = cmp.Or(parallel, max(1, runtime.GOMAXPROCS(0)/2))
	waiting = cmp.Or(waiting, parallel*waitingPerHash)
	h := &Hasher{
		admitted: make(chan struct{}, parallel+waiting), running: make(chan struct{}, parallel), params: Params(),
	}
	dummy, err := argon2id.CreateHash("", &h.params)
	if err != nil {
		panic(err)
	}
	h.dummy = dummy
	return h
}

// Acquire waits for a turn to hash, which lasts until release is called. Hash and Matches
// call Acquire themselves. It fails with store.ErrUnavailable when too many wait already,
// and when ctx ends first.
func (h *Hasher) Acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.admitted <- struct{}{}:
	default:
		return nil, fmt.Errorf("hash a password: too many wait: %w", store.ErrUnavailable)
	}
	select {
	case h.running <- struct{}{}:
		return func() { <-h.running; <-h.admitted }, nil
	case <-ctx.Done():
		<-h.admitted
		return nil, fmt.Errorf("wait to hash a password: %w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// Waiting returns how many callers wait for a turn.
func (h *Hasher) Waiting() int { return max(0, len(h.admitted)-len(h.running)) }

// Hash makes the PHC string of a password. It fails as Acquire does.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	release, err := h.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return argon2id.CreateHash(password, &h.params)
}

// Matches compares a password with a PHC string in constant time, and reports whether the
// string was made with weaker parameters than those of new hashes. An empty string stands
// for a user who does not exist: the comparison takes as long and never succeeds. Matches
// fails as Acquire does, and on a string that is no hash.
func (h *Hasher) Matches(ctx context.Context, password, hash string) (right, weak bool, err error) {
	release, err := h.Acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	exists := hash != ""
	right, params, err := argon2id.CheckHash(password, cmp.Or(hash, h.dummy))
	if err != nil {
		return false, false, err
	}
	return right && exists, h.weaker(params), nil
}

// weaker reports whether any parameter of a hash is below that of new hashes.
func (h *Hasher) weaker(p *argon2id.Params) bool {
	return p.Memory < h.params.Memory || p.Iterations < h.params.Iterations || p.Parallelism < h.params.Parallelism ||
		p.SaltLength < h.params.SaltLength || p.KeyLength < h.params.KeyLength
}
