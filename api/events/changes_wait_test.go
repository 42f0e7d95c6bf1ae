package events

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// recordStore has one event, and counts how often it is read.
type recordStore struct {
	mu    sync.Mutex
	event store.Event
	next  chan struct{} // nil: it does not learn of changes
	fails bool
	away  bool // NATS is
	take  func(messages.EventNews)
	reads atomic.Int64
}

func (s *recordStore) ListenEvent(_ store.ID, take func(messages.EventNews)) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take = take
	return func() {}, nil
}

func (s *recordStore) Connected() bool { return !s.away }

func (s *recordStore) Event(context.Context, store.ID) (store.Event, error) {
	s.reads.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return store.Event{}, errors.New("an election")
	}
	return s.event, nil
}

func (s *recordStore) NextChange() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// change moves the record on, and tells of it if the store does.
func (s *recordStore) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event.Recorded++
	if s.next != nil {
		close(s.next)
		s.next = make(chan struct{})
	}
}

// waits runs test in a bubble with waits over a store.
func waits(t *testing.T, told bool, test func(t *testing.T, s *recordStore, c *changeWaits)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &recordStore{event: store.Event{ID: store.NewID(), OrganizerID: store.NewID(), Recorded: 5}}
		if s.away = !told; told {
			s.next = make(chan struct{})
		}
		var background sync.WaitGroup
		test(t, s, newChangeWaits(s, 0, time.Second, &background, s))
		background.Wait() // nobody waits any more, so nobody reads
	})
}

func TestManyWaitersShareTheReads(t *testing.T) {
	for _, told := range []bool{false, true} {
		waits(t, told, func(t *testing.T, s *recordStore, c *changeWaits) {
			var all sync.WaitGroup
			began := time.Now()
			for range maxOrganizerWaits {
				all.Go(func() {
					if !c.await(t.Context(), s.event, 5, netip.Prefix{}) {
						t.Error("one may not wait")
					}
				})
			}
			time.Sleep(10 * time.Second)
			if n, most := s.reads.Load(), int64(10*time.Second/waitPoll)+1; n > most {
				t.Errorf("%d reads in 10 s, want %d at most", n, most)
			}
			s.change()
			all.Wait()
			if took := time.Since(began) - 10*time.Second; took > waitPoll || told && took > waitGap {
				t.Errorf("they go on after %v", took)
			}
		})
	}
}

func TestABusyEventIsNotReadAllTheTime(t *testing.T) {
	waits(t, true, func(t *testing.T, s *recordStore, c *changeWaits) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		e := s.event
		var changing sync.WaitGroup
		changing.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(time.Millisecond)
				s.change()
			}
		})
		c.await(ctx, e, 1<<40, netip.Prefix{})
		if n, most := s.reads.Load(), int64(10*time.Second/waitGap)+1; n > most || n < most/2 {
			t.Errorf("%d reads in 10 s, want about %d", n, most)
		}
		changing.Wait()
	})
}

func TestWaitsAreBounded(t *testing.T) {
	for _, most := range []int{0, 30, 2} { // 0: maxWaits
		waits(t, false, func(t *testing.T, s *recordStore, c *changeWaits) {
			all, organizers := maxWaits, maxOrganizerWaits
			if most > 0 {
				all, organizers, c.most = most, max(1, most/4), most
			}
			ctx, cancel := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			var refused atomic.Int64
			// enter has n clients of a network wait for an event of an organizer of its own.
			enter := func(network string, n int) {
				e := s.event
				e.ID, e.OrganizerID = store.NewID(), store.NewID()
				for range n {
					waiting.Go(func() {
						if !c.await(ctx, e, 5, netip.MustParsePrefix(network)) {
							refused.Add(1)
						}
					})
				}
				synctest.Wait()
			}
			enter("192.0.2.0/24", organizers+3)
			if n := refused.Swap(0); n != 3 || c.count() != organizers {
				t.Errorf("of one organizer %d are refused", n)
			}
			for range all {
				enter("192.0.2.0/24", 1)
			}
			if c.count() != max(1, all/2) {
				t.Errorf("of one network %d wait, of %d", c.count(), all)
			}
			for range all {
				enter("2001:db8::/48", 1)
			}
			refused.Store(0)
			enter("198.51.100.0/24", 2)
			if n := refused.Swap(0); n != 2 || c.count() != all {
				t.Errorf("of all %d are refused, and %d wait, of %d", n, c.count(), all)
			}
			cancel()
			waiting.Wait()
			if c.count() != 0 || len(c.events) != 0 || len(c.organizers) != 0 || len(c.networks) != 0 {
				t.Errorf("%d wait, of %d events, %d organizers and %d networks", c.count(), len(c.events), len(c.organizers), len(c.networks))
			}
		})
	}
}

func TestAReadThatFailsIsRepeated(t *testing.T) {
	waits(t, false, func(t *testing.T, s *recordStore, c *changeWaits) {
		e := s.event
		s.fails = true
		done := make(chan bool)
		go func() { done <- c.await(t.Context(), e, 5, netip.Prefix{}) }()
		time.Sleep(3 * time.Second)
		s.change()
		time.Sleep(3 * time.Second)
		s.mu.Lock()
		s.fails = false
		s.mu.Unlock()
		if began := time.Now(); !<-done || time.Since(began) > 2*waitPoll {
			t.Errorf("it goes on after %v", time.Since(began))
		}
	})
}

// TestNewsSparesReads: while NATS tells of changes, the store is read when there is one, and now and then
// in case the message was lost. Forged news causes few reads and lets nobody go on.
func TestNewsSparesReads(t *testing.T) {
	waits(t, false, func(t *testing.T, s *recordStore, c *changeWaits) {
		s.away = false
		var done atomic.Bool
		var all sync.WaitGroup
		e := s.event
		all.Go(func() { done.Store(c.await(t.Context(), e, 5, netip.Prefix{})) })
		time.Sleep(10 * time.Second)
		if n := s.reads.Swap(0); n > int64(10*time.Second/waitHeal)+1 {
			t.Errorf("%d reads in 10 s without a change", n)
		}
		for range 1000 {
			s.take(messages.EventNews{EventID: e.ID, Revision: 1 << 40})
			time.Sleep(time.Millisecond)
		}
		if n := s.reads.Load(); n > int64(time.Second/waitGap)+1 || done.Load() {
			t.Errorf("forged news causes %d reads in 1 s; goes on: %v", n, done.Load())
		}
		began := time.Now()
		s.change()
		s.take(messages.EventNews{EventID: e.ID, Revision: 6})
		all.Wait()
		if took := time.Since(began); took > waitGap {
			t.Errorf("it goes on %v after the news", took)
		}
		e.Recorded = 6
		all.Go(func() { done.Store(c.await(t.Context(), e, 6, netip.Prefix{})) })
		time.Sleep(time.Second)
		began = time.Now()
		s.change() // the news of it is lost
		all.Wait()
		if took := time.Since(began); took > waitHeal+waitGap {
			t.Errorf("it goes on %v after a change of which no news came", took)
		}
	})
}
