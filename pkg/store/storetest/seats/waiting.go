package seats

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testCancelling(t *testing.T, target storetest.Target) {
	s := target.Store
	t.Run("frees the seat exactly once", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		cancellation := storetest.NewCancel(request)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, request, cancellation, cancellation, storetest.NewCancel(request)),
			store.Registered, store.Cancelled, store.Cancelled, store.Cancelled)
		storetest.Check(t, s, event.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, target.Again(t), cancellation, storetest.NewRequest(event.ID), storetest.NewRequest(event.ID)),
			store.Cancelled, store.Registered, store.SoldOut)
		storetest.Check(t, s, event.ID)
	})
	t.Run("of who holds nothing changes nothing", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		before := storetest.ReadEvent(t, s, event.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(storetest.NewRequest(event.ID)), storetest.NewCancel(storetest.NewRequest(store.NewID()))), store.Cancelled, store.EventNotFound)
		if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("registering anew goes to the end of the order", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 3)
		first, second := storetest.NewRequest(event.ID), storetest.NewRequest(event.ID)
		storetest.MustApply(t, s, first, second)
		storetest.MustApply(t, s, storetest.NewCancel(first))
		another := first
		another.RequestID = "another"
		res := storetest.MustApply(t, s, another)
		storetest.WantOutcomes(t, res, store.Registered)
		if res[0].Registration.Number != 3 {
			t.Fatalf("number is %d, want 3: none is used again", res[0].Registration.Number)
		}
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, []store.ID{second.UserID, first.UserID}) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("the request of a cancelled registration does not bring it back", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 2)
		request := storetest.NewRequest(event.ID)
		storetest.MustApply(t, s, request)
		storetest.MustApply(t, s, storetest.NewCancel(request))
		storetest.WantOutcomes(t, storetest.MustApply(t, s, request), store.RegistrationCancelled)
		another := request
		another.RequestID = "another"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, another, request, another), store.Registered, store.RegistrationCancelled, store.Registered)
		storetest.Check(t, s, event.ID)
	})
	t.Run("repeated, it does not hit the registration made since", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		cancellation, another := storetest.NewCancel(request), request
		another.RequestID = "another"
		storetest.MustApply(t, s, request)
		storetest.MustApply(t, s, cancellation)
		storetest.MustApply(t, s, another)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellation), store.Cancelled)
		if got := len(storetest.Check(t, s, event.ID)); got != 1 {
			t.Fatalf("%d registered after an old cancellation came again", got)
		}
	})
	t.Run("a person comes and goes many times", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		for i := range 50 {
			request.RequestID = fmt.Sprint("request ", i)
			storetest.WantOutcomes(t, storetest.MustApply(t, s, request), store.Registered)
			storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(request)), store.Cancelled)
		}
		if e := storetest.ReadEvent(t, s, event.ID); e.LastNumber != 50 {
			t.Fatalf("last number is %d, want 50", e.LastNumber)
		}
		storetest.Check(t, s, event.ID)
	})
}

func testWaitingList(t *testing.T, target storetest.Target) {
	s := target.Store
	t.Run("a full event takes people in line", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		batch := storetest.NewRequests(event.ID, 3)
		results := storetest.MustApply(t, s, batch...)
		storetest.WantOutcomes(t, results, store.Registered, store.Waitlisted, store.Waitlisted)
		if results[1].Position != 1 || results[2].Position != 2 {
			t.Fatalf("positions are %d and %d", results[1].Position, results[2].Position)
		}
		again := batch[2]
		again.RequestID = "again"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, again, batch[2]), store.AlreadyWaitlisted, store.Waitlisted)
		for i, want := range []int64{0, 1, 2} {
			if got, err := s.Position(storetest.Context(t), event.ID, results[i].Registration.Number); err != nil || got != want {
				t.Fatalf("position of request %d is %d, %v; want %d", i, got, err, want)
			}
		}
		storetest.Check(t, s, event.ID)
	})
	t.Run("a freed place goes to the first in line", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 2)
		batch := storetest.NewRequests(event.ID, 5)
		storetest.MustApply(t, s, batch...)
		// Nobody can slip in, not even in the same batch.
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(batch[0]), storetest.NewRequest(event.ID)), store.Cancelled, store.Waitlisted)
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, storetest.RequestUsers(batch[1:3])) {
			t.Fatalf("roster is %v", got)
		}
		// Who leaves the line is passed over.
		storetest.MustApply(t, s, storetest.NewCancel(batch[3]))
		storetest.MustApply(t, target.Again(t), storetest.NewCancel(batch[1]))
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, []store.ID{batch[2].UserID, batch[4].UserID}) {
			t.Fatalf("roster is %v", got)
		}
		if e := storetest.ReadEvent(t, s, event.ID); e.TicketsSold != 2 || e.Waiting != 1 {
			t.Fatalf("%d sold and %d waiting", e.TicketsSold, e.Waiting)
		}
	})
	t.Run("all of it in one batch", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		w := storetest.NewRequests(event.ID, 4)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, w[0], w[1], w[2], storetest.NewCancel(w[1]), storetest.NewCancel(w[0]), w[3], storetest.NewCancel(w[2]), storetest.NewCancel(w[3])),
			store.Registered, store.Waitlisted, store.Waitlisted, store.Cancelled, store.Cancelled,
			store.Waitlisted, store.Cancelled, store.Cancelled)
		if got := storetest.Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("the last in line leave and a place stays free", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		w := storetest.NewRequests(event.ID, 3)
		storetest.MustApply(t, s, w...)
		storetest.MustApply(t, s, storetest.NewCancel(w[1]), storetest.NewCancel(w[2]), storetest.NewCancel(w[0]))
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(event.ID)), store.Registered)
		storetest.Check(t, s, event.ID)
	})
	t.Run("a list that is switched off takes nobody and keeps who is in it", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		w := storetest.NewRequests(event.ID, 2)
		storetest.MustApply(t, s, w...)
		off := false
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 2, Waitlist: &off}), storetest.NewRequest(event.ID), storetest.NewCancel(w[0]), storetest.NewRequest(event.ID)),
			store.Edited, store.SoldOut, store.Cancelled, store.SoldOut)
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, storetest.RequestUsers(w[1:])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("many at once keep their order", func(t *testing.T) { testStorm(t, target) })
}

// testStorm checks that people who come and go on two stores at the same time are promoted in the
// order in which they joined the waiting list.
func testStorm(t *testing.T, target storetest.Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	event := storetest.NewWaitlistEvent(t, handles[0], 5)
	var crowd sync.WaitGroup
	for g := range 10 {
		crowd.Go(func() {
			for i := range 5 {
				request := storetest.NewRequest(event.ID)
				batch := [][]store.SeatRequest{{request}, {storetest.NewCancel(request)}, {request}}
				for _, b := range batch[:1+(g+i)%3] {
					if _, err := handles[(g+i)%2].Apply(storetest.Context(t), b); err != nil {
						t.Errorf("apply: %v", err)
					}
				}
			}
		})
	}
	crowd.Wait()
	roster := storetest.Check(t, handles[1], event.ID)
	if len(roster) != 5 {
		t.Fatalf("%d of 5 places are taken", len(roster))
	}
}
