package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

func testCancelling(t *testing.T, target Target) {
	s := target.Store
	t.Run("frees the seat exactly once", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		cancellation := NewCancel(request)
		WantOutcomes(t, MustApply(t, s, request, cancellation, cancellation, NewCancel(request)),
			store.Registered, store.Cancelled, store.Cancelled, store.Cancelled)
		Check(t, s, event.ID)
		WantOutcomes(t, MustApply(t, target.Again(t), cancellation, NewRequest(event.ID), NewRequest(event.ID)),
			store.Cancelled, store.Registered, store.SoldOut)
		Check(t, s, event.ID)
	})
	t.Run("of who holds nothing changes nothing", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		before := ReadEvent(t, s, event.ID)
		WantOutcomes(t, MustApply(t, s, NewCancel(NewRequest(event.ID)), NewCancel(NewRequest(store.NewID()))), store.Cancelled, store.EventNotFound)
		if after := ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("registering anew goes to the end of the order", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		first, second := NewRequest(event.ID), NewRequest(event.ID)
		MustApply(t, s, first, second)
		MustApply(t, s, NewCancel(first))
		another := first
		another.RequestID = "another"
		res := MustApply(t, s, another)
		WantOutcomes(t, res, store.Registered)
		if res[0].Registration.Number != 3 {
			t.Fatalf("number is %d, want 3: none is used again", res[0].Registration.Number)
		}
		if got := RosterUsers(Check(t, s, event.ID)); !slices.Equal(got, []store.ID{second.UserID, first.UserID}) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("the request of a cancelled registration does not bring it back", func(t *testing.T) {
		event := NewEvent(t, s, 2)
		request := NewRequest(event.ID)
		MustApply(t, s, request)
		MustApply(t, s, NewCancel(request))
		WantOutcomes(t, MustApply(t, s, request), store.RegistrationCancelled)
		another := request
		another.RequestID = "another"
		WantOutcomes(t, MustApply(t, s, another, request, another), store.Registered, store.RegistrationCancelled, store.Registered)
		Check(t, s, event.ID)
	})
	t.Run("repeated, it does not hit the registration made since", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		cancellation, another := NewCancel(request), request
		another.RequestID = "another"
		MustApply(t, s, request)
		MustApply(t, s, cancellation)
		MustApply(t, s, another)
		WantOutcomes(t, MustApply(t, s, cancellation), store.Cancelled)
		if got := len(Check(t, s, event.ID)); got != 1 {
			t.Fatalf("%d registered after an old cancellation came again", got)
		}
	})
	t.Run("a person comes and goes many times", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		for i := range 50 {
			request.RequestID = fmt.Sprint("request ", i)
			WantOutcomes(t, MustApply(t, s, request), store.Registered)
			WantOutcomes(t, MustApply(t, s, NewCancel(request)), store.Cancelled)
		}
		if e := ReadEvent(t, s, event.ID); e.LastNumber != 50 {
			t.Fatalf("last number is %d, want 50", e.LastNumber)
		}
		Check(t, s, event.ID)
	})
}

func testWaitingList(t *testing.T, target Target) {
	s := target.Store
	t.Run("a full event takes people in line", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 1)
		batch := NewRequests(event.ID, 3)
		results := MustApply(t, s, batch...)
		WantOutcomes(t, results, store.Registered, store.Waitlisted, store.Waitlisted)
		if results[1].Position != 1 || results[2].Position != 2 {
			t.Fatalf("positions are %d and %d", results[1].Position, results[2].Position)
		}
		again := batch[2]
		again.RequestID = "again"
		WantOutcomes(t, MustApply(t, s, again, batch[2]), store.AlreadyWaitlisted, store.Waitlisted)
		for i, want := range []int64{0, 1, 2} {
			if got, err := s.Position(Context(t), event.ID, results[i].Registration.Number); err != nil || got != want {
				t.Fatalf("position of request %d is %d, %v; want %d", i, got, err, want)
			}
		}
		Check(t, s, event.ID)
	})
	t.Run("a freed place goes to the first in line", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 2)
		batch := NewRequests(event.ID, 5)
		MustApply(t, s, batch...)
		// Nobody can slip in, not even in the same batch.
		WantOutcomes(t, MustApply(t, s, NewCancel(batch[0]), NewRequest(event.ID)), store.Cancelled, store.Waitlisted)
		if got := RosterUsers(Check(t, s, event.ID)); !slices.Equal(got, RequestUsers(batch[1:3])) {
			t.Fatalf("roster is %v", got)
		}
		// Who leaves the line is passed over.
		MustApply(t, s, NewCancel(batch[3]))
		MustApply(t, target.Again(t), NewCancel(batch[1]))
		if got := RosterUsers(Check(t, s, event.ID)); !slices.Equal(got, []store.ID{batch[2].UserID, batch[4].UserID}) {
			t.Fatalf("roster is %v", got)
		}
		if e := ReadEvent(t, s, event.ID); e.TicketsSold != 2 || e.Waiting != 1 {
			t.Fatalf("%d sold and %d waiting", e.TicketsSold, e.Waiting)
		}
	})
	t.Run("all of it in one batch", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 1)
		w := NewRequests(event.ID, 4)
		WantOutcomes(t, MustApply(t, s, w[0], w[1], w[2], NewCancel(w[1]), NewCancel(w[0]), w[3], NewCancel(w[2]), NewCancel(w[3])),
			store.Registered, store.Waitlisted, store.Waitlisted, store.Cancelled, store.Cancelled,
			store.Waitlisted, store.Cancelled, store.Cancelled)
		if got := Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("the last in line leave and a place stays free", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 1)
		w := NewRequests(event.ID, 3)
		MustApply(t, s, w...)
		MustApply(t, s, NewCancel(w[1]), NewCancel(w[2]), NewCancel(w[0]))
		WantOutcomes(t, MustApply(t, s, NewRequest(event.ID)), store.Registered)
		Check(t, s, event.ID)
	})
	t.Run("a list that is switched off takes nobody and keeps who is in it", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 1)
		w := NewRequests(event.ID, 2)
		MustApply(t, s, w...)
		off := false
		WantOutcomes(t, MustApply(t, s, NewEdit(event.ID, store.Edit{Version: 2, Waitlist: &off}), NewRequest(event.ID), NewCancel(w[0]), NewRequest(event.ID)),
			store.Edited, store.SoldOut, store.Cancelled, store.SoldOut)
		if got := RosterUsers(Check(t, s, event.ID)); !slices.Equal(got, RequestUsers(w[1:])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("many at once keep their order", func(t *testing.T) { testStorm(t, target) })
}

// testStorm checks that people who come and go on two stores at the same time are promoted in the
// order in which they joined the waiting list.
func testStorm(t *testing.T, target Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	event := NewWaitlistEvent(t, handles[0], 5)
	var crowd sync.WaitGroup
	for g := range 10 {
		crowd.Go(func() {
			for i := range 5 {
				request := NewRequest(event.ID)
				batch := [][]store.SeatRequest{{request}, {NewCancel(request)}, {request}}
				for _, b := range batch[:1+(g+i)%3] {
					if _, err := handles[(g+i)%2].Apply(Context(t), b); err != nil {
						t.Errorf("apply: %v", err)
					}
				}
			}
		})
	}
	crowd.Wait()
	roster := Check(t, handles[1], event.ID)
	if len(roster) != 5 {
		t.Fatalf("%d of 5 places are taken", len(roster))
	}
}
