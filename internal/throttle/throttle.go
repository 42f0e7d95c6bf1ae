// Package throttle slows down who guesses the password of one account from many addresses,
// and does not lock its owner out.
//
// # What is slowed
//
// Each account has a count of wrong passwords over all addresses, of which Config.Free are
// taken off each hour. While it is at Config.Free or above, further attempts go through the
// account's slow lane: one at a time, with a pause after each that grows with the count.
// Networks (IPv4 /24, IPv6 /48) take turns there: every second turn goes to the network that
// was wrong least often, the others to the one that waits for the longest time, so nobody
// waits for more than twice as many turns as there are networks. Nobody is refused for good:
// a caller whose time runs out keeps the network's position, so who comes again after
// SlowedError.RetryAfter goes on waiting where they were. A right password that waits for its
// turn is right.
//
// An attempt from a browser that is known to have logged in to the account before (see
// identity.Guard.KnownBrowser) does not wait, unless that browser itself was wrong 10 times
// in an hour. What strangers do never slows it.
//
// An account that does not exist is counted and slowed like one that does, so that nobody
// learns which of them exist.
//
// # Bounds
//
// Memory is bounded: 32,768 accounts, 16,384 known browsers and 16,384 networks in all slow
// lanes (1,024 of them for one account) are about 17 MB. The account, browser or network that
// was used least recently is forgotten for another: to be forgotten, a guesser must make
// 32,768 attempts at other accounts in between. An attempt has no goroutine of its own. Each
// process counts for itself, and forgets when it ends.
package throttle

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/store"
)

const (
	defaultFree         = 20
	defaultFirstPause   = time.Second
	defaultLongestPause = 3 * time.Second

	// browserFree is how many wrong passwords an hour are let off to a known browser.
	browserFree = 10

	// The bounds of the package comment.
	maxAccounts        = 32_768
	maxBrowsers        = 16_384
	maxNetworks        = 16_384
	maxAccountNetworks = 1024
)

// Config has the settings of Accounts. The zero value works.
type Config struct {
	// Free is how many wrong passwords for an account are not slowed, at once and again each
	// hour. Default 20.
	Free int
	// FirstPause is the least pause after an attempt in a slow lane; it doubles with each Free
	// further wrong passwords. Default 1 s.
	FirstPause time.Duration
	// LongestPause is the longest. It is well below the time that a request has, or who waits
	// for their turn does not live to see it. Default 3 s.
	LongestPause time.Duration
	// Log is told once when an account's slow lane opens.
	Log zerolog.Logger
}

// Attempt is somebody who wants a password checked.
type Attempt struct {
	// Account is the key of the e-mail address (store.EmailKey) that was sent, whether or not
	// it has an account. Only a keyed hash of it is kept.
	Account string
	// UserID is the user who has that address, for the log. Zero: nobody has it.
	UserID store.ID
	// Address is the client's.
	Address netip.Addr
	// Browser is the id of a browser that is known to have logged in to this account before.
	// Empty: none.
	Browser string
}

// SlowedError is the error of an attempt that did not get its turn in time. It says nothing
// of the password, which was not looked at.
type SlowedError struct {
	// RetryAfter is when the turn is likely to come.
	RetryAfter time.Duration
	// Cause is the error of the context that ended while the attempt waited. nil: another
	// attempt from the same network waits already, or the slow lane is full.
	Cause error
}

// Error says why the attempt did not get its turn.
func (e *SlowedError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("gave up waiting in an account's slow lane: %v", e.Cause)
	}
	return "no room in an account's slow lane"
}

// Unwrap returns Cause.
func (e *SlowedError) Unwrap() error { return e.Cause }

// Accounts counts and slows the attempts at all accounts. It is safe for concurrent use.
type Accounts struct {
	free   float64
	pauses [2]time.Duration // first, longest
	log    zerolog.Logger
	seed   maphash.Seed // of the keys below

	mu       sync.Mutex // guards all below, and what it points to
	accounts *simplelru.LRU[uint64, *account]
	browsers *simplelru.LRU[uint64, *counter]
	waiting  int                                // attempts in all slow lanes
	absent   *simplelru.LRU[*network, struct{}] // networks of which no attempt waits
}

// New makes Accounts that have counted nothing yet.
func New(config Config) *Accounts {
	a := &Accounts{
		free: float64(cmp.Or(max(0, config.Free), defaultFree)), log: config.Log, seed: maphash.MakeSeed(),
		pauses: [2]time.Duration{cmp.Or(config.FirstPause, defaultFirstPause), cmp.Or(config.LongestPause, defaultLongestPause)},
	}
	a.accounts = newLRU(maxAccounts, func(_ uint64, lost *account) {
		for _, n := range lost.networks {
			a.absent.Remove(n)
		}
	})
	a.browsers = newLRU[uint64, *counter](maxBrowsers, nil)
	a.absent = newLRU[*network, struct{}](maxNetworks, nil)
	return a
}

func newLRU[K comparable, V any](size int, lost simplelru.EvictCallback[K, V]) *simplelru.LRU[K, V] {
	l, err := simplelru.NewLRU(size, lost)
	if err != nil { // only without a size
		panic(err)
	}
	return l
}

// Begin waits for the turn of an attempt, at once unless its account is slowed. Whoever gets
// one calls End when the password has been looked at, or could not be. Begin fails with
// *SlowedError: when ctx ends first, and at once when another attempt of the same network
// waits for the same account, or more networks wait than can be remembered. Only in the last
// case no position is kept.
func (a *Accounts) Begin(ctx context.Context, attempt Attempt) (*Turn, error) {
	if err := ctx.Err(); err != nil {
		return nil, &SlowedError{RetryAfter: a.pauses[0], Cause: err}
	}
	turn, acct, warn := a.unslowed(attempt, time.Now())
	if warn > 0 {
		security.Log(a.log, security.PasswordGuessing, security.Actor{}, security.About{User: attempt.UserID, Count: warn})
	}
	if turn != nil {
		return turn, nil
	}
	return a.slow(ctx, acct, fairqueue.Network(attempt.Address))
}

// unslowed gives an attempt its turn, or finds that the account is slowed. warn is above 0
// when an operator should be told of so many wrong passwords: once, until the account has
// been left alone for so long that its count is 0.
func (a *Accounts) unslowed(attempt Attempt, now time.Time) (turn *Turn, acct *account, warn int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if attempt.Browser != "" {
		key := a.key(attempt.Account, attempt.Browser)
		browser, ok := a.browsers.Get(key)
		if !ok {
			browser = &counter{}
			a.browsers.Add(key, browser)
		}
		// Compared with one more, because a little has been let off since the last one.
		if browser.count(now, browserFree)+1 <= browserFree {
			browser.add(1, browserFree)
			return &Turn{accounts: a, counter: browser, most: browserFree}, nil, 0
		}
	}
	key := a.key(attempt.Account, "")
	acct, ok := a.accounts.Get(key)
	if !ok {
		acct = &account{}
		a.accounts.Add(key, acct)
	}
	count := acct.count(now, a.free)
	if count == 0 {
		acct.told = false
	}
	if count < a.free {
		acct.add(1, a.most())
		return &Turn{accounts: a, counter: &acct.counter, most: a.most()}, nil, 0
	}
	if !acct.told && !attempt.UserID.IsZero() {
		acct.told = true
		warn = int(count)
	}
	return nil, acct, warn
}

// key returns the key of an account, or of a browser that is known to it.
func (a *Accounts) key(account, browser string) uint64 {
	return maphash.Comparable(a.seed, [2]string{account, browser})
}

// most is where the count of an account stops, so that its slow lane closes within 4 hours
// after the last attempt.
func (a *Accounts) most() float64 { return 5 * a.free }

// pause is how long nobody has a turn after an attempt in the slow lane of an account with
// this count.
func (a *Accounts) pause(count float64) time.Duration {
	doublings := max(0, int(count/a.free)-1) // at most 4, by most
	return min(a.pauses[0]<<doublings, a.pauses[1])
}

// Turn is the right to have one password looked at.
type Turn struct {
	accounts *Accounts
	counter  *counter // where the attempt is counted as wrong from the start
	most     float64
	lane     *account // whose slow lane it is in, as one of network. nil: not slowed
	network  *network

	decided, right, ended bool
}

// Decide says whether the password was right, for End. It is not called when the password
// could not be looked at.
func (t *Turn) Decide(right bool) { t.decided, t.right = true, right }

// End ends the turn. It may come more than once, also after a panic: defer it. Only a
// password that was decided to be wrong stays counted. Before End nothing is known of the
// attempt, so it counts as wrong: who makes many at once gains nothing.
func (t *Turn) End() {
	a := t.accounts
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	wrong := t.decided && !t.right
	if !wrong {
		t.counter.add(-1, t.most)
	}
	if t.lane == nil {
		return
	}
	switch {
	case wrong:
		t.network.wrong++
	case t.right:
		t.network.wrong = 0
	}
	now := time.Now()
	t.lane.busy = false
	t.lane.free = now.Add(a.pause(t.lane.count(now, a.free)))
	t.lane.wake()
}
