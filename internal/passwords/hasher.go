package passwords

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// restFactor is how many times as long as it was used a turn stays taken while others need the cores more.
	// So hashing takes an eighth of the cores that it may use, as lists do that give way.
	restFactor = 7
	// maxRest bounds a rest, which may go on when nobody needs the cores any more.
	maxRest = 500 * time.Millisecond
)

// waitingPerHash is the default number of callers that wait in each lane for each hash being
// made. A hash takes about 20 ms, so the last of them waits for 2 s, and for 4 s when both
// lanes are full. Any more would run out of time.
const waitingPerHash = 100

// errNoHash tells of a stored text that nobody can log in with.
var errNoHash = errors.New("the stored hash of a password is none, or costs too much to check")

// Hasher hashes and compares passwords, a few at a time: each takes 19 MiB and tens of
// milliseconds of a core, which registrations need too. Who waits is served in fair turns, by
// network or, if known, by account: see package fairqueue, which also says what bounds the
// memory. A Hasher is safe for concurrent use.
type Hasher struct {
	queue  *fairqueue.Queue
	params argon2id.Params
	dummy  string      // the hash of a password that nobody has
	busy   func() bool // whether others need the cores more; see GiveWay
}

// NewHasher makes a hasher for atOnce hashes at a time (0: half of the cores) while at most
// waiting callers wait in each lane (0: 100 for each hash at a time), and half as many of one
// network or account. It panics when the system has no randomness.
func NewHasher(atOnce, waiting int) *Hasher {
	atOnce = cmp.Or(atOnce, max(1, runtime.GOMAXPROCS(0)/2))
	h := &Hasher{params: Params()}
	began := time.Now()
	dummy, err := argon2id.CreateHash("", &h.params)
	if err != nil {
		panic(err)
	}
	h.dummy = dummy
	h.queue = fairqueue.New(fairqueue.Config{
		Slots: atOnce, Waiting: cmp.Or(waiting, atOnce*waitingPerHash), Typical: time.Since(began),
	})
	return h
}

// GiveWay lets turns rest while busy reports that others need the cores more: who hashes has the result at
// once, and the next turn begins later. The times that callers are told are longer by that. It must be called
// before anything else.
func (h *Hasher) GiveWay(busy func() bool) { h.busy = busy }

// end ends a turn that began then, or lets it rest.
func (h *Hasher) end(release func(), began time.Time) {
	if h.busy == nil || !h.busy() {
		release()
		return
	}
	time.AfterFunc(min(restFactor*time.Since(began), maxRest), release)
}

// Acquire waits for a turn to hash, which lasts until release is called; release may be
// called again. Hash and Matches call Acquire themselves. It fails with an error that is both
// store.ErrUnavailable and *fairqueue.BusyError, which says when to come again: when too many
// wait already, when a party with a shorter queue takes the room, and when ctx ends first.
func (h *Hasher) Acquire(ctx context.Context, who fairqueue.Party) (release func(), err error) {
	release, err = h.queue.Acquire(ctx, who)
	return release, unavailable(err)
}

// Room returns nil when a caller could hash or wait for it now, and fails as Acquire would
// when it would fail at once. It is for refusing before anything else is done in vain.
func (h *Hasher) Room(who fairqueue.Party) error { return unavailable(h.queue.Room(who)) }

// unavailable says that nothing was done because of err, if any.
func unavailable(err error) error {
	if err != nil {
		return fmt.Errorf("hash a password: %w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// Waiting returns how many callers wait for a turn.
func (h *Hasher) Waiting() int { return h.queue.Waiting() }

// Hash makes the PHC string of a password. It fails as Acquire does.
func (h *Hasher) Hash(ctx context.Context, who fairqueue.Party, password string) (string, error) {
	release, err := h.Acquire(ctx, who)
	if err != nil {
		return "", err
	}
	defer h.end(release, time.Now())
	return argon2id.CreateHash(text.PasswordForms(password)[0], &h.params)
}

// Matches compares a password with a PHC string in constant time, and reports whether the
// string is weak: made with weaker parameters than those of new hashes or by another program, or of another form of the
// password than the normal one. Then it should be made anew. An empty string stands for a user who does
// not exist: the comparison takes as long as with any wrong password and never succeeds. That is as
// long as a hash, or as two, which depends on the password alone. A hash of another program
// takes its own time. Matches fails as Acquire does, and on a
// string that is no hash.
func (h *Hasher) Matches(ctx context.Context, who fairqueue.Party, password, hash string) (right, weak bool, err error) {
	release, err := h.Acquire(ctx, who)
	if err != nil {
		return false, false, err
	}
	defer h.end(release, time.Now())
	exists := hash != ""
	if matches := parseForeign(hash); matches != nil {
		return slices.ContainsFunc(text.PasswordForms(password), matches), true, nil
	}
	if exists && !IsHash(hash) { // stored by a version that took it
		return false, false, errNoHash
	}
	for i, form := range text.PasswordForms(password) {
		same, params, err := argon2id.CheckHash(form, cmp.Or(hash, h.dummy))
		if err != nil {
			return false, false, err
		}
		if same && exists {
			return true, i > 0 || h.weaker(params), nil
		}
		weak = h.weaker(params)
	}
	return false, weak, nil
}

// weaker reports whether any parameter of a hash is below that of new hashes.
func (h *Hasher) weaker(p *argon2id.Params) bool {
	return p.Memory < h.params.Memory || p.Iterations < h.params.Iterations || p.Parallelism < h.params.Parallelism ||
		p.SaltLength < h.params.SaltLength || p.KeyLength < h.params.KeyLength
}
