package tooltest

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func recount(event store.ID) store.SeatRequest {
	return store.SeatRequest{Kind: store.Recount, EventID: event, RequestID: "recount-" + store.NewID().Hex(), At: storetest.Now()}
}

func testRecount(t *testing.T, target Target) {
	s := target.Store
	for _, c := range []struct {
		name       string
		places     int64
		requests   int
		damage     func(*store.Event)
		want       store.Outcome
		sold       int64
		repairable bool
	}{
		{"tickets_sold too high", 5, 3, func(e *store.Event) { e.TicketsSold = 5 }, store.Recounted, 3, true},
		{"tickets_sold too low", 5, 3, func(e *store.Event) { e.TicketsSold = 1 }, store.Recounted, 3, true},
		{"waiting wrong", 3, 5, func(e *store.Event) { e.Waiting = 7 }, store.Recounted, 3, true},
		{"a free place while people wait", 3, 5, func(e *store.Event) { e.TicketsSold, e.ConfirmedThrough, e.Waiting = 2, 2, 3 }, store.Recounted, 3, true},
		{"places free for all who wait", 3, 5, func(e *store.Event) { e.Capacity = 9 }, store.Recounted, 5, true},
		{"confirmed_through lost", 3, 5, func(e *store.Event) { e.ConfirmedThrough = 0 }, store.Recounted, 3, true},
		{"confirmed_through beyond the last number", 5, 3, func(e *store.Event) { e.ConfirmedThrough = 50 }, store.Recounted, 3, true},
		{"last_number too low", 3, 5, func(e *store.Event) { e.LastNumber = 2 }, store.Recounted, 3, true},
		{"everything lost", 3, 5, func(e *store.Event) { e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = 0, 0, 0, 0 }, store.Recounted, 3, true},
		{"more people than places", 5, 5, func(e *store.Event) { e.Capacity, e.TicketsSold = 4, 4 }, store.Overbooked, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			event := storetest.NewWaitlistEvent(t, s, c.places)
			batch := storetest.NewRequests(event.ID, c.requests)
			storetest.MustApply(t, s, batch...)
			damaged := storetest.ReadEvent(t, s, event.ID)
			c.damage(&damaged)
			target.SetCounters(t, damaged)
			found := checkEvent(t, target.VerifyReader, event.ID)
			if len(found.Findings) == 0 || found.Repairable() != c.repairable {
				t.Fatalf("findings: %+v", found.Findings)
			}
			storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(event.ID)), c.want)
			after := storetest.ReadEvent(t, s, event.ID)
			if after.TicketsSold != c.sold {
				t.Fatalf("tickets_sold is %d, want %d", after.TicketsSold, c.sold)
			}
			if c.want == store.Overbooked {
				if !after.Equal(damaged) {
					t.Fatalf("the event was %+v and is %+v", damaged, after)
				}
				return
			}
			wantClean(t, target, event.ID)
			if got := storetest.RosterUsers(storetest.Roster(t, s, after)); !slices.Equal(got, storetest.RequestUsers(batch[:c.sold])) {
				t.Fatalf("roster is %v", got)
			}
			next := storetest.NewRequest(event.ID)
			storetest.MustApply(t, s, next)
			wantClean(t, target, event.ID)
		})
	}
	t.Run("with cancellations that found nothing", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 2)
		w := storetest.NewRequests(event.ID, 5)
		storetest.MustApply(t, s, storetest.WithKey(storetest.NewCancel(w[4])), storetest.WithKey(storetest.NewCancel(w[3])))
		wantClean(t, target, event.ID)
		storetest.MustApply(t, s, w...)
		storetest.MustApply(t, s, storetest.WithKey(storetest.NewCancel(storetest.NewRequest(event.ID))))
		wantClean(t, target, event.ID)
		damaged := storetest.ReadEvent(t, s, event.ID)
		damaged.TicketsSold, damaged.Waiting, damaged.LastNumber = 0, 0, 0
		target.SetCounters(t, damaged)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(event.ID), storetest.WithKey(storetest.NewCancel(storetest.NewRequest(event.ID)))), store.Recounted, store.Cancelled)
		wantClean(t, target, event.ID)
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, storetest.RequestUsers(w[:2])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("of a sound event changes nothing", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 2)
		storetest.MustApply(t, s, storetest.NewRequests(event.ID, 4)...)
		before := storetest.ReadEvent(t, s, event.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(event.ID), recount(event.ID)), store.Recounted, store.Recounted)
		if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("counts before its neighbours in the batch", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 3)
		w := storetest.NewRequests(event.ID, 5)
		storetest.MustApply(t, s, w...)
		damaged := storetest.ReadEvent(t, s, event.ID)
		damaged.TicketsSold, damaged.Waiting, damaged.LastNumber = 0, 0, 1
		target.SetCounters(t, damaged)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(w[0]), storetest.NewRequest(event.ID), recount(event.ID), storetest.NewCancel(w[4])),
			store.Cancelled, store.Waitlisted, store.Recounted, store.Cancelled)
		wantClean(t, target, event.ID)
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, storetest.RequestUsers(w[1:4])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("promotes nobody into a cancelled event", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		storetest.MustApply(t, s, storetest.NewRequests(event.ID, 3)...)
		storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Cancel: true}))
		damaged := storetest.ReadEvent(t, s, event.ID)
		damaged.Capacity, damaged.Waiting = 5, 0
		target.SetCounters(t, damaged)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(event.ID)), store.Recounted)
		if e := storetest.ReadEvent(t, s, event.ID); e.TicketsSold != 1 || e.Waiting != 2 {
			t.Fatalf("%d sold and %d waiting", e.TicketsSold, e.Waiting)
		}
		wantClean(t, target, event.ID)
	})
	t.Run("of an event that does not exist", func(t *testing.T) {
		storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(store.NewID())), store.EventNotFound)
	})
}
