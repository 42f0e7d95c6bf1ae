package mongostore

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// processesOf returns a function that opens one database anew, as another process does.
func processesOf(t *testing.T) (open func() *Store) {
	t.Helper()
	uri := testenv.MongoDB(t)
	return func() *Store {
		s, err := Open(t.Context(), uri, zerolog.Nop())
		must(t, err)
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
}

// sentNow returns a request that is sent now.
func sentNow(r store.SeatRequest) store.SeatRequest {
	r.SentAt = time.Now()
	return r
}

// TestAnAttemptThatAnotherWorkerHasRefusedGetsNoSeat: a user whose API process died repeats a request, which another worker
// refuses. The first attempt reaches its worker later, when a seat is free, and does not get it; an attempt that is sent
// after that does.
func TestAnAttemptThatAnotherWorkerHasRefusedGetsNoSeat(t *testing.T) {
	open := processesOf(t)
	for name, knows := range map[string]bool{"a worker that knows the event": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			one, two := open(), open()
			e, holder := storetest.NewEvent(t, one, 1).ID, store.NewID()
			wantOutcome(t, one, register(e, holder), store.Registered)
			if knows {
				wantOutcome(t, two, sentNow(register(e, store.NewID())), store.SoldOut)
			}
			first := sentNow(register(e, store.NewID()))
			wantOutcome(t, one, first, store.SoldOut) // another attempt of it, in truth
			wantOutcome(t, one, cancel(e, holder), store.Cancelled)
			wantOutcome(t, two, first, store.Overtaken)
			wantOutcome(t, two, sentNow(first), store.Registered)

			wantOutcome(t, two, cancel(e, first.UserID), store.Cancelled)
			wantOutcome(t, two, sentNow(register(e, holder)), store.Registered) // what it has refused itself, the worker knows
		})
	}
	t.Run("a user who was registered then", func(t *testing.T) {
		one, two := open(), open()
		e, user := storetest.NewEvent(t, one, 2).ID, store.NewID()
		wantOutcome(t, one, register(e, user), store.Registered)
		first := sentNow(register(e, user))
		wantOutcome(t, one, first, store.AlreadyRegistered)
		wantOutcome(t, one, cancel(e, user), store.Cancelled)
		wantOutcome(t, two, first, store.Overtaken)
		wantOutcome(t, two, sentNow(first), store.Registered)
	})
	for name, knows := range map[string]bool{"an opening that another worker moves": true, "the same, at one that does not know the event": false} {
		t.Run(name, func(t *testing.T) { // an API process has refused by itself before
			one, two := open(), open()
			later := time.Now().Add(time.Hour).Truncate(time.Millisecond)
			e := storetest.NewEvent(t, one, 2).ID
			move := func(s *Store, opens time.Time) {
				t.Helper()
				wantOutcome(t, s, edit(e, store.Edit{Version: store.AnyVersion, OpensAt: &opens, StartsAt: new(later.Add(time.Hour)), EndsAt: new(later.Add(2 * time.Hour))}), store.Edited)
			}
			move(two, later)
			if !knows {
				two = open()
			}
			first := sentNow(register(e, store.NewID()))
			move(one, time.Time{})
			wantOutcome(t, two, first, store.Overtaken)
			wantOutcome(t, one, first, store.Overtaken)
			wantOutcome(t, one, sentNow(first), store.Registered)
		})
	}
	t.Run("an opening that the worker itself moves", func(t *testing.T) {
		s := open()
		later := time.Now().Add(time.Hour).Truncate(time.Millisecond)
		e := storetest.NewEvent(t, s, 2).ID
		hours := store.Edit{Version: store.AnyVersion, OpensAt: &later, StartsAt: new(later.Add(time.Hour)), EndsAt: new(later.Add(2 * time.Hour))}
		wantOutcome(t, s, edit(e, hours), store.Edited)
		first := sentNow(register(e, store.NewID()))
		wantOutcome(t, s, edit(e, store.Edit{Version: store.AnyVersion, OpensAt: new(time.Time)}), store.Edited)
		wantOutcome(t, s, first, store.Overtaken)
		wantOutcome(t, s, sentNow(first), store.Registered)
	})
	t.Run("refusals of several events in one statement", func(t *testing.T) {
		one, two := open(), open()
		full, over := storetest.NewEvent(t, one, 1).ID, storetest.NewEvent(t, one, 1).ID
		holder := store.NewID()
		wantOutcome(t, one, register(full, holder), store.Registered)
		first := sentNow(register(full, store.NewID()))
		if got, err := apply(t, one, 20*time.Second, first, cancel(over, store.NewID())); err != nil || got != store.Cancelled {
			t.Fatalf("%s, %v", got, err)
		}
		wantOutcome(t, one, cancel(full, holder), store.Cancelled)
		wantOutcome(t, two, first, store.Overtaken)
	})
}
