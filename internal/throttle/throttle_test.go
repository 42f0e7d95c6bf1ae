package throttle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/pkg/store"
)

// requestTime is how long each attempt may wait, as in an API process.
const requestTime = 5 * time.Second

func address(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n), 1})
}

// adas is an attempt at Ada's account from a network.
func adas(n int) Attempt {
	return Attempt{Account: "ada@example.org", UserID: store.ID{1}, Address: address(n)}
}

// try makes an attempt, and says how long it waited for its turn.
func try(t testing.TB, a *Accounts, attempt Attempt, right bool) (waited time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), requestTime)
	defer cancel()
	began := time.Now()
	turn, err := a.Begin(ctx, attempt)
	waited = time.Since(began)
	if err != nil {
		var slowed *SlowedError
		if !errors.As(err, &slowed) || slowed.RetryAfter <= 0 {
			t.Errorf("got %v", err)
		}
		return waited, err
	}
	defer turn.End()
	turn.Decide(right)
	return waited, nil
}

// guess makes n wrong attempts at an account, and fails unless each waits for so long.
func guess(t testing.TB, a *Accounts, n int, attempt Attempt, wait time.Duration) {
	t.Helper()
	for i := range n {
		if waited, err := try(t, a, attempt, false); err != nil || waited != wait {
			t.Errorf("attempt %d waited %v, want %v: %v", i+1, waited, wait, err)
		}
	}
}

func TestGuessesAtAnAccountAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		for i := range defaultFree {
			guess(t, a, 1, adas(i), 0)
		}
		guess(t, a, 1, adas(100), 0) // nobody went before it in the slow lane
		waits := make(map[time.Duration]int)
		last := time.Duration(0)
		for range 200 {
			waited, err := try(t, a, adas(101), false)
			if err != nil || waited < last {
				t.Fatalf("after %v an attempt waited %v, %v", last, waited, err)
			}
			waits[waited]++
			last = waited
		}
		// Some of them are let off meanwhile.
		if len(waits) != 3 || waits[time.Second] < defaultFree-1 || waits[time.Second] > defaultFree ||
			waits[2*time.Second] < defaultFree || waits[2*time.Second] > defaultFree+2 || waits[3*time.Second] == 0 {
			t.Errorf("attempts waited %v", waits)
		}
		other := adas(0)
		other.Account = "bob@example.org"
		guess(t, a, defaultFree, other, 0)
		time.Sleep(4*time.Hour + time.Minute)
		guess(t, a, 1, adas(0), 0)
		time.Sleep(time.Hour)
		guess(t, a, defaultFree, adas(0), 0)
	})
}

// TestOnlyWrongPasswordsCount: neither a right password nor one that could not be looked at
// brings an account nearer to its slow lane, but all that are under way do.
func TestOnlyWrongPasswordsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		for range 5 * defaultFree {
			if waited, err := try(t, a, adas(0), true); err != nil || waited != 0 {
				t.Fatal(waited, err)
			}
			turn, err := a.Begin(t.Context(), adas(1))
			if err != nil {
				t.Fatal(err)
			}
			turn.End()
			turn.End()
		}
		var turns []*Turn
		for range defaultFree {
			turn, err := a.Begin(t.Context(), adas(1))
			if err != nil {
				t.Fatal(err)
			}
			turns = append(turns, turn)
		}
		slowed, err := a.Begin(t.Context(), adas(2))
		if err != nil {
			t.Fatal(err)
		}
		if slowed.lane == nil {
			t.Error("more attempts than are free are under way at a time")
		}
		for _, turn := range append(turns, slowed) {
			turn.End()
			turn.End()
		}
		acct, _ := a.accounts.Get(a.key("ada@example.org", ""))
		if acct.value != 0 || acct.busy {
			t.Errorf("the count is %v, an attempt is under way %t", acct.value, acct.busy)
		}
		guess(t, a, 1, adas(1), 0)
		turn, err := a.Begin(t.Context(), adas(1))
		if err != nil {
			t.Fatal(err)
		}
		turn.End()
		turn.End()
		if acct.value != 1 {
			t.Errorf("the count is %v after a wrong password and a turn that ended twice", acct.value)
		}
	})
}

// TestTheOwnerGetsIn: while 300 networks guess one account's password for an hour, as fast as
// they are let, they make 1,200 guesses an hour; the owner logs in at once from a
// known browser, and from a new one when a turn comes, which is soon for who did not guess.
func TestTheOwnerGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := New(Config{Log: zerolog.New(&log)})
		const networks = 300
		var guesses atomic.Int64
		ctx, end := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range networks {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, err := try(t, a, adas(i), false)
					if slowed, ok := errors.AsType[*SlowedError](err); ok {
						time.Sleep(slowed.RetryAfter)
					} else {
						guesses.Add(1)
						time.Sleep(20 * time.Millisecond) // the hash
					}
				}
			})
		}
		known := adas(1000)
		known.Browser = "Ada's browser"
		unknown := func(from int) (took time.Duration) {
			began := time.Now()
			for {
				_, err := try(t, a, adas(from), true)
				var slowed *SlowedError
				if !errors.As(err, &slowed) {
					return time.Since(began)
				}
				time.Sleep(slowed.RetryAfter.Truncate(time.Second) + time.Second) // in whole seconds, as a header says it
			}
		}
		time.Sleep(time.Minute)
		for i := range 3 { // all have come and few have had a turn
			if took := unknown(1000 + i); took > 2*networks*defaultLongestPause {
				t.Errorf("early: the owner got in after %v", took)
			} else {
				t.Logf("early: the owner got in after %v", took)
			}
		}
		time.Sleep(time.Hour)
		guesses.Store(0)
		for range 4 {
			time.Sleep(5 * time.Minute)
			if waited, err := try(t, a, known, true); err != nil || waited != 0 {
				t.Errorf("a known browser waits %v, %v", waited, err)
			}
		}
		// One more than pauses fit in, since the first may come at once.
		if n := guesses.Load(); n > 1+int64(20*time.Minute/defaultLongestPause) {
			t.Errorf("%d guesses in 20 minutes", n)
		} else {
			t.Logf("%d guesses in 20 minutes", n)
		}
		if took := unknown(2000); took > 30*time.Second {
			t.Errorf("later: the owner got in after %v", took)
		} else {
			t.Logf("later: the owner got in after %v", took)
		}
		end()
		wg.Wait()
		if want := `{"level":"warn","security_event":"password_guessing","user_id":"010000000000000000000000","count":20,"message":"security: somebody guesses the password of an account, from however many addresses; it is slowed down, and told once; count is how many were wrong"}` + "\n"; log.String() != want {
			t.Errorf("the log has %s", log.String())
		}
	})
}

// TestAnAccountThatDoesNotExistIsSlowedAlike, and nobody is told of it.
func TestAnAccountThatDoesNotExistIsSlowedAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := New(Config{Log: zerolog.New(&log)})
		nobody := Attempt{Account: "nobody@example.org", Address: address(1)}
		guess(t, a, defaultFree+1, nobody, 0)
		guess(t, a, 5, nobody, time.Second)
		if log.Len() > 0 {
			t.Errorf("the log has %s", log.String())
		}
	})
}

// TestAWarningComesOncePerAttack: again only after the account was left alone.
func TestAWarningComesOncePerAttack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := New(Config{Log: zerolog.New(&log)})
		for _, c := range []struct {
			pause    time.Duration
			warnings int
		}{{0, 1}, {90 * time.Minute, 1}, {5 * time.Hour, 2}} { // the count falls by 30, then by more than it has
			time.Sleep(c.pause)
			for range 2 * defaultFree {
				if _, err := try(t, a, adas(1), false); err != nil {
					t.Fatal(err)
				}
			}
			if n := strings.Count(log.String(), "\n"); n != c.warnings {
				t.Errorf("after a pause of %v %d warnings, want %d", c.pause, n, c.warnings)
			}
		}
	})
}

// TestAKnownBrowserThatGuessesIsSlowed: also when it takes its time, so that a little of its count is
// let off between two guesses.
func TestAKnownBrowserThatGuessesIsSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		for i := range 2 * defaultFree {
			_, _ = try(t, a, adas(i), false)
		}
		known := adas(1000)
		known.Browser = "Ada's browser"
		const pause = 100 * time.Millisecond
		for i := range 3 * browserFree {
			time.Sleep(pause)
			if waited, err := try(t, a, known, false); err != nil || i != browserFree && (waited > 0) != (i > browserFree) {
				t.Errorf("guess %d waited %v, %v", i+1, waited, err)
			}
		}
	})
}

// TestAKnownBrowserIsCountedByItself: it is not slowed by others, slows nobody, and is one
// that is not known when it was wrong too often.
func TestAKnownBrowserIsCountedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		first, second := adas(1), adas(2)
		first.Browser, second.Browser = "first", "second"
		guess(t, a, browserFree, first, 0)
		guess(t, a, defaultFree, adas(3), 0) // nobody slowed the account
		guess(t, a, 1, first, 0)             // the first in the slow lane
		guess(t, a, 1, first, time.Second)
		guess(t, a, browserFree-1, second, 0)
		guess(t, a, 1, adas(3), time.Second)
		other := second
		other.Account = "bob@example.org"
		guess(t, a, browserFree+defaultFree+1, other, 0) // is not the same browser
		time.Sleep(time.Hour)
		guess(t, a, browserFree, first, 0)
	})
}

// enterSlowLane brings Ada's account to where attempts wait.
func enterSlowLane(t testing.TB, a *Accounts) *account {
	t.Helper()
	guess(t, a, defaultFree+1, adas(0), 0)
	acct, ok := a.accounts.Get(a.key("ada@example.org", ""))
	if !ok {
		t.Fatal("the account is not there")
	}
	return acct
}

// TestOneAtATime: nobody else has a turn in a slow lane while a password is looked at, nor
// after a panic until the pause is over; then the next one has.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		enterSlowLane(t, a)
		panicked := make(chan time.Time)
		go func() {
			defer func() { _ = recover(); panicked <- time.Now() }()
			turn, err := a.Begin(t.Context(), adas(1))
			if err != nil {
				t.Error(err)
				return
			}
			defer turn.End()
			time.Sleep(time.Minute)
			panic("in a hash")
		}()
		synctest.Wait()
		time.Sleep(2 * time.Second)
		next := make(chan time.Time)
		go func() {
			turn, err := a.Begin(t.Context(), adas(2))
			if err != nil {
				t.Error(err)
				return
			}
			turn.End()
			next <- time.Now()
		}()
		ended := <-panicked
		if began := <-next; began.Sub(ended) != time.Second {
			t.Errorf("the next began %v after the end of the one before", began.Sub(ended))
		}
	})
}

// TestAPositionIsKept: who gave up waiting and comes again is before those who came later,
// and who guessed wrong gets each second turn only while others wait.
func TestAPositionIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		acct := enterSlowLane(t, a)
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		come := func(name string, n int, ctx context.Context) {
			wg.Go(func() {
				turn, err := a.Begin(ctx, adas(n))
				if err != nil {
					return
				}
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				turn.Decide(false)
				turn.End()
			})
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		guess(t, a, 1, adas(4), time.Second)
		guess(t, a, 1, adas(5), time.Second) // both are wrong in the slow lane
		holder, err := a.Begin(t.Context(), adas(6))
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithCancel(t.Context())
		come("guesser", 5, t.Context())
		come("other guesser", 4, t.Context())
		come("first", 1, short)
		come("second", 2, t.Context())
		cancel()
		synctest.Wait()
		if acct.first().prefix != fairqueue.Network(address(2)) {
			t.Error("who has left is waited for")
		}
		come("third", 3, t.Context())
		come("first", 1, t.Context())
		holder.End()
		wg.Wait()
		// Each second turn goes by the time of arrival, whoever guessed.
		if want := []string{"first", "guesser", "second", "other guesser", "third"}; !slices.Equal(order, want) {
			t.Errorf("the order is %v, want %v", order, want)
		}
	})
}

// TestOneOfANetworkWaits: a second attempt of it is told at once when to come again.
func TestOneOfANetworkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		enterSlowLane(t, a)
		waited := make(chan time.Duration)
		go func() {
			took, err := try(t, a, adas(1), false)
			if err != nil {
				t.Error(err)
			}
			waited <- took
		}()
		synctest.Wait()
		var slowed *SlowedError
		if took, err := try(t, a, adas(1), false); took != 0 || !errors.As(err, &slowed) || slowed.RetryAfter != time.Second || slowed.Cause != nil {
			t.Errorf("after %v: %+v", took, err)
		}
		if took := <-waited; took != time.Second {
			t.Errorf("the first waited %v", took)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := a.Begin(ended, adas(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("who is gone gets %v", err)
		}
		if _, err := a.Begin(ended, Attempt{Account: "new"}); !errors.Is(err, context.Canceled) || a.accounts.Len() != 1 {
			t.Errorf("who is gone gets %v and is counted", err)
		}
	})
}

// TestRetryAfterIsHonest: who gave up and comes again when told has the turn at once, and not
// much earlier.
func TestRetryAfterIsHonest(t *testing.T) {
	for _, early := range []time.Duration{0, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			a := New(Config{})
			enterSlowLane(t, a)
			holder, err := a.Begin(t.Context(), adas(1))
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for n := range 4 {
				wg.Go(func() { _, _ = try(t, a, adas(10+n), false) })
				synctest.Wait()
				time.Sleep(time.Millisecond)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err = a.Begin(ctx, adas(2))
			var slowed *SlowedError
			if !errors.As(err, &slowed) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if slowed.RetryAfter != 5*time.Second { // one has the turn, and four are to come
				t.Errorf("told to come again after %v", slowed.RetryAfter)
			}
			holder.End()
			time.Sleep(slowed.RetryAfter - early)
			if waited, err := try(t, a, adas(2), true); err != nil || waited != early {
				t.Errorf("who came %v earlier waited %v, %v", early, waited, err)
			}
			wg.Wait()
		})
	}
}

// TestMemoryIsBounded: 300,000 accounts, browsers and networks tried leave no more behind
// than the bounds allow, and what is under attack meanwhile is not forgotten.
func TestMemoryIsBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	a := New(Config{})
	now := time.Now()
	attacked := func() (slowed bool) {
		turn, _, _ := a.unslowed(adas(0), now)
		if turn != nil {
			turn.Decide(false)
			turn.End()
		}
		return turn == nil
	}
	for range defaultFree {
		attacked()
	}
	for i := range 300_000 {
		attempt := Attempt{Account: fmt.Sprint("user", i, "@example.org"), UserID: store.ID{1}}
		if i%2 == 0 {
			attempt.Browser = "b"
		}
		turn, _, _ := a.unslowed(attempt, now)
		turn.Decide(false)
		turn.End()
		if i%1000 == 0 && !attacked() {
			t.Fatal("an account under attack is forgotten")
		}
	}
	for acct := range 20 { // in the slow lanes of many accounts, all from networks that leave again
		lane, _ := a.accounts.Get(a.key(fmt.Sprint("user", 299_999-2*acct, "@example.org"), ""))
		for i := range 10_000 {
			n, slowed := a.arrive(lane, fairqueue.Network(address(10_000*acct+i)))
			if slowed != nil {
				t.Fatal(slowed)
			}
			a.depart(n)
		}
		if len(lane.networks) > maxAccountNetworks {
			t.Fatalf("%d networks of an account", len(lane.networks))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if a.accounts.Len() > maxAccounts || a.browsers.Len() > maxBrowsers || a.absent.Len() > maxNetworks {
		t.Errorf("%d accounts, %d browsers, %d networks", a.accounts.Len(), a.browsers.Len(), a.absent.Len())
	}
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if grown > 20<<20 {
		t.Errorf("%d bytes", grown)
	}
	t.Logf("%d accounts, %d browsers and %d networks are %.1f MB", a.accounts.Len(), a.browsers.Len(), a.absent.Len(), float64(grown)/1e6)
}

// TestASlowLaneIsBounded: the networks that wait are bounded for an account, and in all; one
// that has left is forgotten for one that comes, and after an hour by itself.
func TestASlowLaneIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		acct := enterSlowLane(t, a)
		for i := range maxAccountNetworks {
			if _, slowed := a.arrive(acct, fairqueue.Network(address(i))); slowed != nil {
				t.Fatal(slowed)
			}
		}
		if _, slowed := a.arrive(acct, fairqueue.Network(address(5000))); slowed == nil || slowed.RetryAfter <= 0 {
			t.Errorf("a full lane answers %v", slowed)
		}
		left := acct.waiting[7]
		a.depart(left)
		if _, slowed := a.arrive(acct, fairqueue.Network(address(5000))); slowed != nil || acct.networks[left.prefix] != nil {
			t.Errorf("it answers %v while a network has left", slowed)
		}
		for a.waiting < maxNetworks {
			lane := &account{}
			for n := range min(maxAccountNetworks, maxNetworks-a.waiting) {
				if _, slowed := a.arrive(lane, fairqueue.Network(address(n))); slowed != nil {
					t.Fatal(slowed)
				}
			}
		}
		if _, slowed := a.arrive(&account{}, fairqueue.Network(address(0))); slowed == nil {
			t.Error("all networks together are not bounded")
		}
		for _, n := range slices.Clone(acct.waiting) {
			a.depart(n)
		}
		time.Sleep(keepNetwork)
		lane := &account{}
		n, slowed := a.arrive(lane, fairqueue.Network(address(0)))
		if slowed != nil || len(acct.networks) != 0 || a.absent.Len() != 0 {
			t.Errorf("%v, %d networks are remembered", slowed, len(acct.networks))
		}
		// What an account has goes with it.
		a.accounts.Add(1, lane)
		a.depart(n)
		a.accounts.Remove(1)
		if a.absent.Len() != 0 {
			t.Error("a network of a forgotten account is remembered")
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	a := New(Config{})
	b.ReportAllocs()
	for b.Loop() {
		turn, err := a.Begin(b.Context(), adas(1))
		if err != nil {
			b.Fatal(err)
		}
		turn.Decide(true)
		turn.End()
	}
}
