package seats

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// keptRequests is how many requests of a user for an event are remembered when they are over;
// docs/api.md promises it.
const keptRequests = 32

// testRepeats checks that a request under an idempotency key which succeeded changes nothing when
// it comes again, whatever has happened since, also when it found nothing to do the first time.
func testRepeats(t *testing.T, target storetest.Target) {
	s := target.Store
	t.Run("a cancellation of who was never registered", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		cancellation := storetest.WithKey(storetest.NewCancel(request))
		before := storetest.ReadEvent(t, s, event.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellation, cancellation), store.Cancelled, store.Cancelled)
		before.Revision++
		before.Recorded = before.Revision
		before.LastNumber++
		if got := storetest.ReadEvent(t, s, event.ID); !got.Equal(before) {
			t.Fatalf("the event is %+v, want %+v", got, before)
		}
		if got := storetest.Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
		res := storetest.MustApply(t, target.Again(t), request, cancellation, storetest.NewRequest(event.ID))
		storetest.WantOutcomes(t, res, store.Registered, store.Cancelled, store.SoldOut)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellation, request), store.Cancelled, store.Registered)
		if got := storetest.Check(t, s, event.ID); len(got) != 1 || got[0].Number != 2 {
			t.Fatalf("roster is %v", got)
		}
		// An id of its own cancels, of course.
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(request)), store.Cancelled)
		if got := storetest.Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("a cancellation of who has left", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		storetest.MustApply(t, s, request)
		late := storetest.WithKey(storetest.NewCancel(request))
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(request), late), store.Cancelled, store.Cancelled)
		storetest.WantOutcomes(t, storetest.MustApply(t, target.Again(t), another(request)), store.Registered)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, late, request), store.Cancelled, store.RegistrationCancelled)
		if got := storetest.Check(t, s, event.ID); len(got) != 1 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("of many who are in one batch", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 2)
		w := storetest.NewRequests(event.ID, 6)
		var cancellations []store.SeatRequest
		for _, request := range w {
			cancellations = append(cancellations, storetest.WithKey(storetest.NewCancel(request)))
		}
		storetest.MustApply(t, s, cancellations...)
		storetest.MustApply(t, s, w...)
		storetest.MustApply(t, s, cancellations...)
		if got := storetest.Check(t, s, event.ID); len(got) != 2 {
			t.Fatalf("roster is %v", got)
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(w[0]), storetest.NewCancel(w[2])), store.Cancelled, store.Cancelled)
		if got := storetest.Check(t, s, event.ID); len(got) != 2 || got[0].UserID != w[1].UserID || got[1].UserID != w[3].UserID {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("a request of who was registered does not bring them back", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		w := storetest.NewRequests(event.ID, 2)
		again := []store.SeatRequest{storetest.WithKey(another(w[0])), storetest.WithKey(another(w[1]))}
		storetest.MustApply(t, s, w...)
		for range 2 {
			storetest.WantOutcomes(t, storetest.MustApply(t, s, again...), store.AlreadyRegistered, store.AlreadyWaitlisted)
		}
		storetest.MustApply(t, s, storetest.NewCancel(w[1]), storetest.NewCancel(w[0]))
		storetest.WantOutcomes(t, storetest.MustApply(t, target.Again(t), again...), store.RegistrationCancelled, store.RegistrationCancelled)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, another(w[0]), again[0]), store.Registered, store.AlreadyRegistered)
		storetest.Check(t, s, event.ID)
	})
	t.Run("without a key nothing is written", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 2)
		request := storetest.NewRequest(event.ID)
		storetest.MustApply(t, s, request)
		before := storetest.ReadEvent(t, s, event.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(storetest.NewRequest(event.ID)), another(request)), store.Cancelled, store.AlreadyRegistered)
		if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("as many as is promised", func(t *testing.T) { testRepeatsBoundary(t, target) })
	t.Run("the latest edits", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		edits := make([]store.SeatRequest, 9)
		for i := range edits {
			title := fmt.Sprint("Title ", i)
			edits[i] = storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title})
			storetest.WantOutcomes(t, storetest.MustApply(t, s, edits[i]), store.Edited)
		}
		for _, e := range edits[1:] {
			storetest.WantOutcomes(t, storetest.MustApply(t, s, e), store.Edited)
		}
		if e := storetest.ReadEvent(t, s, event.ID); e.Title != "Title 8" || e.Version != 10 || len(e.LastEdits) != 8 {
			t.Fatalf("the event is %+v", e)
		}
	})
}

// testRepeatsBoundary checks that the latest 32 requests are remembered, however long their ids
// are, and one more is not. The request of the registration that lives does not count.
func testRepeatsBoundary(t *testing.T, target storetest.Target) {
	s := target.Store
	event := storetest.NewEvent(t, s, 1)
	request := storetest.NewRequest(event.ID)
	cancellations := make([]store.SeatRequest, keptRequests)
	for i := range cancellations {
		cancellations[i] = storetest.WithKey(storetest.NewCancel(request))
		cancellations[i].RequestID += strings.Repeat("x", 255-len(cancellations[i].RequestID))
		storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellations[i]), store.Cancelled)
	}
	storetest.WantOutcomes(t, storetest.MustApply(t, s, request), store.Registered)
	for _, g := range cancellations { // all are known, and the registration lives on
		storetest.WantOutcomes(t, storetest.MustApply(t, s, g), store.Cancelled)
	}
	for i := range keptRequests { // as many as are kept come by, and it is still known
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.WithKey(another(request))), store.AlreadyRegistered)
		if i == 0 { // one more drops one
			storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellations[1:]...), slices.Repeat([]store.Outcome{store.Cancelled}, keptRequests-1)...)
		}
	}
	storetest.WantOutcomes(t, storetest.MustApply(t, target.Again(t), request), store.Registered)
	if got := storetest.Check(t, s, event.ID); len(got) != 1 {
		t.Fatalf("roster is %v", got)
	}
	// The cancellations are forgotten by now, so one is taken for a new one.
	storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellations[keptRequests-1]), store.Cancelled)
	if got := storetest.Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("roster is %v", got)
	}
}

// testCancelByNumber checks that a cancellation may say which registration it means.
func testCancelByNumber(t *testing.T, target storetest.Target) {
	s := target.Store
	event := storetest.NewWaitlistEvent(t, s, 1)
	w := storetest.NewRequests(event.ID, 3)
	res := storetest.MustApply(t, s, w...)
	meant := func(request store.SeatRequest, number int64) store.SeatRequest {
		cancellation := storetest.NewCancel(request)
		cancellation.Number = number
		return cancellation
	}
	first, second, third := res[0].Registration.Number, res[1].Registration.Number, res[2].Registration.Number
	before := storetest.ReadEvent(t, s, event.ID)
	storetest.WantOutcomes(t, storetest.MustApply(t, s,
		meant(w[0], second), meant(w[1], first), meant(w[2], third+1), storetest.WithKey(meant(w[0], third)),
		meant(storetest.NewRequest(event.ID), first), storetest.WithKey(meant(storetest.NewRequest(event.ID), third+1)), meant(storetest.NewRequest(store.NewID()), 1)),
		store.RegistrationChanged, store.RegistrationChanged, store.RegistrationChanged, store.RegistrationChanged,
		store.RegistrationChanged, store.RegistrationChanged, store.EventNotFound)
	if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
		t.Fatalf("the event was %+v and is %+v", before, after)
	}
	// Who moved up meanwhile has the same number.
	storetest.WantOutcomes(t, storetest.MustApply(t, s, meant(w[0], first)), store.Cancelled)
	cancellation := meant(w[1], second)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, cancellation, meant(w[2], third), meant(w[2], third+2)),
		store.Cancelled, store.Cancelled, store.RegistrationChanged)
	if got := storetest.Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("roster is %v", got)
	}
	// It is over, for whoever asks and however often.
	storetest.WantOutcomes(t, storetest.MustApply(t, target.Again(t), cancellation, meant(w[1], second)), store.Cancelled, store.Cancelled)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, another(w[1]), cancellation, meant(w[1], second)), store.Registered, store.Cancelled, store.RegistrationChanged)
	if got := storetest.Check(t, s, event.ID); len(got) != 1 {
		t.Fatalf("roster is %v", got)
	}
}

// another returns a new request of the same user for the same thing.
func another(request store.SeatRequest) store.SeatRequest {
	request.RequestID = "another-" + store.NewID().Hex()
	return request
}
