package fairqueue

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
)

// stranger returns the party of network n.
func stranger(n int) Party {
	return Stranger(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}))
}

func known(n int) Party { return Known(store.ID{byte(n >> 8), byte(n)}) }

func TestNetwork(t *testing.T) {
	for _, c := range []struct{ address, other, network string }{
		{"192.0.2.1", "192.0.2.254", "192.0.2.0/24"},
		{"::ffff:192.0.2.1", "192.0.2.7", "192.0.2.0/24"},
		{"2001:db8:1:2::3", "2001:db8:1:ffff::1", "2001:db8:1::/48"},
		{"fe80::1%eth0", "fe80::2%eth1", "fe80::/48"},
	} {
		a, b := Network(netip.MustParseAddr(c.address)), Network(netip.MustParseAddr(c.other))
		if a.String() != c.network || a != b {
			t.Errorf("%s is in %v, %s in %v", c.address, a, c.other, b)
		}
	}
	if Network(netip.Addr{}) != (netip.Prefix{}) || Stranger(netip.Addr{}) != (Party{}) {
		t.Error("an invalid address has a network")
	}
	if Stranger(netip.MustParseAddr("192.0.2.1")) == Stranger(netip.MustParseAddr("192.0.3.1")) || known(1) == known(2) {
		t.Error("different parties are equal")
	}
}

// crowd makes callers wait for q and notes in which order they get slots, each held for
// hold. It runs in a synctest bubble.
type crowd struct {
	q    *Queue
	hold time.Duration

	mu     sync.Mutex
	served []Party
	busy   map[Party]int // refusals
	wg     sync.WaitGroup
}

func (c *crowd) come(ctx context.Context, n int, party Party) {
	for range n {
		c.wg.Go(func() {
			release, err := c.q.Acquire(ctx, party)
			c.mu.Lock()
			if err != nil {
				if c.busy == nil {
					c.busy = make(map[Party]int)
				}
				c.busy[party]++
			} else {
				c.served = append(c.served, party)
			}
			c.mu.Unlock()
			if err == nil {
				time.Sleep(c.hold)
				release()
			}
		})
	}
	synctest.Wait()
}

func TestAnIdleQueueServesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Config{Slots: 3, Waiting: 1})
		began := time.Now()
		for i := range 3 {
			if wait := q.Wait(stranger(i)); wait != 0 {
				t.Errorf("a free slot comes in %v", wait)
			}
			release, err := q.Acquire(t.Context(), stranger(i))
			if err != nil {
				t.Fatal(err)
			}
			defer release()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// TestOneLoudNetworkAgainstTenQuietOnes: whoever is alone in their network waits for a turn
// of each network and not for the thousand of the loud one, though these came first.
func TestOneLoudNetworkAgainstTenQuietOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quiet = 10
		c := crowd{q: New(Config{Waiting: 2000}), hold: time.Second}
		c.come(t.Context(), 1001, stranger(0)) // one of them has the slot
		for i := range quiet {
			c.come(t.Context(), 1, stranger(1+i))
		}
		time.Sleep((quiet + 1) * time.Second)
		synctest.Wait()
		turns := c.served[1 : quiet+2]
		for i := range quiet + 1 {
			if !slices.Contains(turns, stranger(i)) {
				t.Errorf("network %d had none of the first %d turns: %v", i, len(turns), turns)
			}
		}
		c.wg.Wait()
		if len(c.served) != 1001+quiet || len(c.busy) > 0 {
			t.Errorf("%d were served, refusals %v", len(c.served), c.busy)
		}
	})
}

// TestLanesTakeTurns: whichever lane is flooded, by however many parties, one caller in the
// other waits for two turns at most and is never refused.
func TestLanesTakeTurns(t *testing.T) {
	for name, parties := range map[string]func(i int) (flood, single Party){
		"a flood of strangers":    func(i int) (Party, Party) { return stranger(i), known(0) },
		"a flood of known people": func(i int) (Party, Party) { return known(i), stranger(0) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := crowd{q: New(Config{Waiting: 50}), hold: time.Second}
				ctx, end := context.WithCancel(t.Context())
				defer c.wg.Wait()
				defer end()
				_, single := parties(0)
				for i := range 200 {
					flood, _ := parties(i)
					c.come(ctx, 1, flood)
				}
				if len(c.busy) != 149 {
					t.Fatalf("%d of the flood are refused", len(c.busy))
				}
				for range 3 {
					before := len(c.served)
					began := time.Now()
					c.come(ctx, 1, single)
					time.Sleep(2 * time.Second)
					synctest.Wait()
					at := slices.Index(c.served[before:], single)
					if at < 0 || at > 1 || c.busy[single] > 0 {
						t.Errorf("after %v %v were served, refusals %d", time.Since(began), c.served[before:], c.busy[single])
					}
				}
			})
		})
	}
}

// TestTheLongestLineGivesWay: a full lane has room for a party with a shorter queue, at the
// cost of the last of the longest one, and none for a party with as long a queue.
func TestTheLongestLineGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := crowd{q: New(Config{Waiting: 6, WaitingOfParty: 5}), hold: time.Second}
		c.come(t.Context(), 1, stranger(9)) // has the slot
		c.come(t.Context(), 7, stranger(0))
		if c.busy[stranger(0)] != 2 || c.q.Waiting() != 5 {
			t.Fatalf("a party has 5 at most: %d refused, %d wait", c.busy[stranger(0)], c.q.Waiting())
		}
		for i, want := range []int{2, 3, 4, 5, 6} { // the refused of the longest line after each; there is room for one
			c.come(t.Context(), 1, stranger(1+i))
			if c.busy[stranger(0)] != want || c.q.Waiting() != 6 {
				t.Errorf("after %d others %d of the longest line are refused and %d wait", i+1, c.busy[stranger(0)], c.q.Waiting())
			}
		}
		c.come(t.Context(), 1, stranger(6)) // one of each waits: to change places helps nobody
		if c.busy[stranger(6)] != 1 || c.busy[stranger(0)] != 6 {
			t.Errorf("refusals are %v", c.busy)
		}
		var busy *BusyError
		if err := c.q.Room(stranger(7)); !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Errorf("Room says %v of a full lane", err)
		}
		if err := c.q.Room(known(6)); err != nil {
			t.Errorf("Room says %v of an empty lane", err)
		}
		c.wg.Wait()
		if err := c.q.Room(stranger(7)); err != nil {
			t.Errorf("Room says %v of an idle queue", err)
		}
	})
}

// TestWhoCameLastGivesWay: of the longest line the one who waited for the shortest time goes.
func TestWhoCameLastGivesWay(t *testing.T) {
	q := New(Config{Waiting: 3, WaitingOfParty: 3})
	var callers []*caller
	for range 4 {
		c, busy := q.enter(stranger(0))
		if busy != nil {
			t.Fatal(busy)
		}
		callers = append(callers, c)
	}
	if _, busy := q.enter(stranger(1)); busy != nil {
		t.Fatal(busy)
	}
	for i, c := range callers[1:] {
		if refused := len(c.answer) > 0; refused != (i == 2) {
			t.Errorf("caller %d of the longest line: refused %t", i, refused)
		}
	}
}

// TestWhoLeavesMakesRoom: a context that ends takes its caller out of the line at once; the
// place in the line, and a slot that comes at that moment, are free for others.
func TestWhoLeavesMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Config{Waiting: 2})
		release, err := q.Acquire(t.Context(), stranger(0))
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := q.Acquire(ctx, stranger(1))
			left <- err
		}()
		synctest.Wait()
		if q.Waiting() != 1 {
			t.Fatalf("%d wait", q.Waiting())
		}
		end()
		var busy *BusyError
		if err := <-left; !errors.As(err, &busy) || !errors.Is(err, context.Canceled) || busy.RetryAfter <= 0 {
			t.Errorf("who left gets %v", err)
		}
		if q.Waiting() != 0 || len(q.lanes[0].lines) != 0 || len(q.lanes[0].turns) != 0 {
			t.Errorf("%d wait in %d lines", q.Waiting(), len(q.lanes[0].lines))
		}
		if _, err := q.Acquire(ctx, stranger(1)); !errors.Is(err, context.Canceled) || q.Waiting() != 0 {
			t.Errorf("who has left before gets %v", err)
		}
		release()
		release() // twice: frees nothing that is not held
		if _, err := q.Acquire(ctx, stranger(1)); !errors.Is(err, context.Canceled) || q.held != 0 {
			t.Errorf("who has left before gets %v, %d slots are held", err, q.held)
		}

		// The slot is given and the context ends before the caller has looked.
		release, err = q.Acquire(t.Context(), stranger(0))
		if err != nil {
			t.Fatal(err)
		}
		c, _ := q.enter(stranger(1))
		next, _ := q.enter(stranger(2))
		release()
		if busy := q.leave(c, context.Canceled); busy == nil {
			t.Error("who left has a slot")
		}
		if busy := <-next.answer; busy != nil || q.held != 1 {
			t.Errorf("the next gets %v, %d slots are held", busy, q.held)
		}
	})
}

// TestAPanicGivesTheSlotBack: a holder that panics gives the slot back by its deferred
// release, and the next caller in line has it.
func TestAPanicGivesTheSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Config{})
		held := make(chan struct{})
		go func() {
			defer func() { _ = recover() }()
			release, err := q.Acquire(t.Context(), stranger(0))
			if err != nil {
				t.Error(err)
			}
			defer release()
			<-held
			panic("in the work")
		}()
		synctest.Wait()
		c, busy := q.enter(stranger(1))
		if busy != nil {
			t.Fatal(busy)
		}
		close(held)
		if busy := <-c.answer; busy != nil {
			t.Error(busy)
		}
	})
}

// TestRetryAfterIsHonest: at the time that a refused caller is told, all who were before are
// served, and not much earlier; the time is measured.
func TestRetryAfterIsHonest(t *testing.T) {
	for _, slots := range []int{1, 4} {
		for _, hold := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d slots of %v", slots, hold), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := crowd{q: New(Config{Slots: slots, Waiting: 40}), hold: hold}
					for range 100 { // measure
						c.come(t.Context(), 1, stranger(0))
						c.wg.Wait()
					}
					for i := range 40 + slots {
						c.come(t.Context(), 1, stranger(i))
					}
					for i := range 40 {
						c.come(t.Context(), 1, known(i))
					}
					var busy *BusyError
					if _, err := c.q.Acquire(t.Context(), stranger(1000)); !errors.As(err, &busy) {
						t.Fatal(err)
					}
					began := time.Now()
					c.wg.Wait()
					took := time.Since(began)
					if busy.RetryAfter < took*99/100 || busy.RetryAfter > took*11/10 {
						t.Errorf("told to come back after %v, all are served after %v", busy.RetryAfter, took)
					}
				})
			})
		}
	}
}

// TestWhoIsToldToComeBackFindsRoom: of a crowd that is far too large, each from another network or all from one,
// all are served in the time that serving them takes, though each comes only when told to. Programs round the time
// up to seconds.
func TestWhoIsToldToComeBackFindsRoom(t *testing.T) {
	const people, hold = 3000, 20 * time.Millisecond
	for name, party := range map[string]func(int) Party{
		"each from another network": stranger, "all from one": func(int) Party { return stranger(0) }, "known": known,
		"from ten": func(i int) Party { return stranger(i % 10) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(Config{Typical: hold})
				var mu sync.Mutex
				tries, latest, worst := 0, time.Duration(0), 0
				began := time.Now()
				var crowd sync.WaitGroup
				for i := range people {
					crowd.Go(func() {
						time.Sleep(time.Duration(i) * time.Millisecond) // all within three seconds
						for own := 1; ; own++ {
							ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
							release, err := q.Acquire(ctx, party(i))
							cancel()
							if err == nil {
								time.Sleep(hold)
								release()
							}
							mu.Lock()
							tries, latest, worst = tries+1, time.Since(began), max(worst, own)
							mu.Unlock()
							if err == nil {
								return
							}
							var busy *BusyError
							if !errors.As(err, &busy) {
								t.Error(err)
								return
							}
							time.Sleep((busy.RetryAfter + time.Second - 1).Truncate(time.Second))
						}
					})
				}
				crowd.Wait()
				if latest > people*hold*105/100 || tries > people*21/10 || worst > 4 {
					t.Errorf("served after %v, where %v is the least; %d tries of %d people, %d of one", latest, people*hold, tries, people, worst)
				}
			})
		})
	}
}

// TestAppointmentsThatAreNotKept: where nobody comes back, slots go to others at once, and the times that
// are told become those of the callers who are there.
func TestAppointmentsThatAreNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hold = 20 * time.Millisecond
		c := crowd{q: New(Config{Typical: hold}), hold: hold}
		refused, longest := 0, time.Duration(0)
		began := time.Now()
		for i := 0; time.Since(began) < 10*time.Minute; i++ {
			c.come(t.Context(), 1, stranger(i)) // one at a time, each once: twice as many as are served
			if busy := c.q.Room(stranger(-1 - i)); busy != nil {
				refused++
				if time.Since(began) > 9*time.Minute {
					longest = max(longest, busy.(*BusyError).RetryAfter)
				}
			}
			time.Sleep(hold / 2)
		}
		c.wg.Wait()
		if took := time.Since(began); len(c.served) < int(took/hold)*95/100 {
			t.Errorf("%d were served in %v", len(c.served), took)
		}
		if refused == 0 || longest > 20*time.Second {
			t.Errorf("%d were refused, and told to come back after up to %v", refused, longest)
		}
		time.Sleep(2 * time.Hour)
		_ = c.q.Wait(stranger(0))
		c.q.lanes[0].told.lapse()
		if a := &c.q.lanes[0].told; a.all != 0 || len(a.parties) != 0 {
			t.Errorf("%d appointments of %d parties are left", a.all, len(a.parties))
		}
	})
}

// TestNobodyWaitsForMoreTurnsThanThereAreParties drives a queue at random. A party that
// begins to wait, or goes on waiting after its turn, is served after at most one turn of each
// party that waited then, and in all lanes after twice as many. Bounds hold at every step,
// and no slot is idle while somebody waits.
func TestNobodyWaitsForMoreTurnsThanThereAreParties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := Config{
			Slots:          rapid.IntRange(1, 3).Draw(rt, "slots"),
			Waiting:        rapid.IntRange(1, 20).Draw(rt, "waiting"),
			WaitingOfParty: rapid.IntRange(1, 12).Draw(rt, "waiting of a party"),
		}
		q := New(config)
		var waiting []*caller        // in order of arrival
		ahead := make(map[Party]int) // turns in its lane that a waiting party may have to wait for
		passed := make(map[Party][2]int)
		held := 0
		begin := func(p Party) {
			ahead[p] = len(q.lanes[p.lane()].turns) - 1
			passed[p] = [2]int{}
		}
		// collect finds out who was served or refused, and checks the order.
		collect := func() {
			var served []Party
			waiting = slices.DeleteFunc(waiting, func(c *caller) bool {
				select {
				case busy := <-c.answer:
					if busy == nil {
						served = append(served, c.party)
					}
					return true
				default:
					return false
				}
			})
			if len(served) > 1 {
				rt.Fatalf("one slot was given to %v", served)
			}
			for _, p := range served {
				held++
				if passed[p][p.lane()] > ahead[p] || passed[p][0]+passed[p][1] > 2*ahead[p]+1 {
					rt.Fatalf("%v was served after %v turns of strangers and known people, with %d before it", p, passed[p], ahead[p])
				}
				for other, n := range passed {
					n[p.lane()]++
					passed[other] = n
				}
				delete(passed, p)
				if slices.ContainsFunc(waiting, func(c *caller) bool { return c.party == p }) {
					begin(p)
				}
			}
		}
		for range rapid.IntRange(50, 300).Draw(rt, "steps") {
			switch action := rapid.IntRange(0, 9).Draw(rt, "action"); {
			case action < 5:
				party := rapid.SampledFrom([]Party{
					stranger(0), stranger(0), stranger(0), stranger(1), stranger(2), stranger(3), known(0), known(0), known(1), known(2),
				}).Draw(rt, "party")
				c, busy := q.enter(party)
				if busy != nil {
					continue
				}
				if c == nil {
					held++
					continue
				}
				if !slices.ContainsFunc(waiting, func(w *caller) bool { return w.party == party }) {
					begin(party)
				}
				waiting = append(waiting, c)
			case action < 8 && held > 0:
				held--
				q.release(time.Second)
			case len(waiting) > 0:
				at := rapid.IntRange(0, len(waiting)-1).Draw(rt, "leaving")
				c := waiting[at]
				waiting = slices.Delete(waiting, at, at+1)
				if busy := q.leave(c, context.Canceled); busy == nil {
					rt.Fatal("who left is told nothing")
				}
				if !slices.ContainsFunc(waiting, func(w *caller) bool { return w.party == c.party }) {
					delete(passed, c.party)
				}
			}
			collect()
			// Who gave way to another party may have been the last of its own.
			for p := range passed {
				if !slices.ContainsFunc(waiting, func(w *caller) bool { return w.party == p }) {
					delete(passed, p)
				}
			}
			if q.held != held || held > config.Slots || len(waiting) > 0 && held < config.Slots {
				rt.Fatalf("%d of %d slots are held (%d by the queue), %d wait", held, config.Slots, q.held, len(waiting))
			}
			if q.Waiting() != len(waiting) {
				rt.Fatalf("%d wait, %d by the queue", len(waiting), q.Waiting())
			}
			for i := range q.lanes {
				l := &q.lanes[i]
				if l.waiting > config.Waiting || len(l.lines) != len(l.turns) {
					rt.Fatalf("%d wait in %d lines with %d turns", l.waiting, len(l.lines), len(l.turns))
				}
				longest, all := 0, 0
				for _, line := range l.turns {
					longest, all = max(longest, len(line.callers)), all+len(line.callers)
				}
				if l.sizes.most() != longest || l.sizes.within(longest) != all || l.sizes.within(1) != len(l.turns) {
					rt.Fatalf("the sizes of the lines are %v; the longest has %d of %d", l.sizes, longest, all)
				}
				for _, line := range l.turns {
					if len(line.callers) == 0 || len(line.callers) > config.WaitingOfParty {
						rt.Fatalf("%d of a party wait", len(line.callers))
					}
				}
			}
		}
	})
}

// TestMemoryIsBounded: a flood from endless networks leaves no more behind than waits, and
// nothing when it is over.
func TestMemoryIsBounded(t *testing.T) {
	q := New(Config{Waiting: 100})
	if c, busy := q.enter(stranger(0)); c != nil || busy != nil {
		t.Fatal("an idle queue has no slot")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1_000_000 {
		_, _ = q.enter(Stranger(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1})))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	a := &q.lanes[0].told
	if q.Waiting() != 100 || a.all != 100*appointmentsPerRoom || grown > 100*1000+100*appointmentsPerRoom*250 {
		t.Errorf("%d wait and %d were told to come back in %d bytes", q.Waiting(), a.all, grown)
	}
	t.Logf("%d bytes for each caller that was told to come back alone in its network", grown/int64(a.all))
	for range 101 {
		q.release(time.Millisecond)
	}
	if q.held != 0 || q.Waiting() != 0 || len(q.lanes[0].lines) != 0 {
		t.Errorf("%d held, %d wait", q.held, q.Waiting())
	}
}

func BenchmarkAcquireOfAFullQueue(b *testing.B) {
	q := New(Config{Slots: 16})
	for i := range 16 + 1600 {
		_, _ = q.enter(stranger(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = q.Acquire(b.Context(), stranger(2000))
	}
}
