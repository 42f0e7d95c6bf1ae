package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// keptRequests is how many requests of a user for an event are remembered when they are over;
// docs/api.md promises it.
const keptRequests = 32

// testRepeats checks that a request under an idempotency key which succeeded changes nothing when
// it comes again, whatever has happened since, also when it found nothing to do the first time.
func testRepeats(t *testing.T, target Target) {
	s := target.Store
	t.Run("a cancellation of who was never registered", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		cancellation := WithKey(NewCancel(request))
		before := ReadEvent(t, s, event.ID)
		WantOutcomes(t, MustApply(t, s, cancellation, cancellation), store.Cancelled, store.Cancelled)
		before.Revision++
		before.Recorded = before.Revision
		before.LastNumber++
		if got := ReadEvent(t, s, event.ID); !got.Equal(before) {
			t.Fatalf("the event is %+v, want %+v", got, before)
		}
		if got := Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
		res := MustApply(t, target.Again(t), request, cancellation, NewRequest(event.ID))
		WantOutcomes(t, res, store.Registered, store.Cancelled, store.SoldOut)
		WantOutcomes(t, MustApply(t, s, cancellation, request), store.Cancelled, store.Registered)
		if got := Check(t, s, event.ID); len(got) != 1 || got[0].Number != 2 {
			t.Fatalf("roster is %v", got)
		}
		// An id of its own cancels, of course.
		WantOutcomes(t, MustApply(t, s, NewCancel(request)), store.Cancelled)
		if got := Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("a cancellation of who has left", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		MustApply(t, s, request)
		late := WithKey(NewCancel(request))
		WantOutcomes(t, MustApply(t, s, NewCancel(request), late), store.Cancelled, store.Cancelled)
		WantOutcomes(t, MustApply(t, target.Again(t), another(request)), store.Registered)
		WantOutcomes(t, MustApply(t, s, late, request), store.Cancelled, store.RegistrationCancelled)
		if got := Check(t, s, event.ID); len(got) != 1 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("of many who are in one batch", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 2)
		w := NewRequests(event.ID, 6)
		var cancellations []store.SeatRequest
		for _, request := range w {
			cancellations = append(cancellations, WithKey(NewCancel(request)))
		}
		MustApply(t, s, cancellations...)
		MustApply(t, s, w...)
		MustApply(t, s, cancellations...)
		if got := Check(t, s, event.ID); len(got) != 2 {
			t.Fatalf("roster is %v", got)
		}
		WantOutcomes(t, MustApply(t, s, NewCancel(w[0]), NewCancel(w[2])), store.Cancelled, store.Cancelled)
		if got := Check(t, s, event.ID); len(got) != 2 || got[0].UserID != w[1].UserID || got[1].UserID != w[3].UserID {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("a request of who was registered does not bring them back", func(t *testing.T) {
		event := NewWaitlistEvent(t, s, 1)
		w := NewRequests(event.ID, 2)
		again := []store.SeatRequest{WithKey(another(w[0])), WithKey(another(w[1]))}
		MustApply(t, s, w...)
		for range 2 {
			WantOutcomes(t, MustApply(t, s, again...), store.AlreadyRegistered, store.AlreadyWaitlisted)
		}
		MustApply(t, s, NewCancel(w[1]), NewCancel(w[0]))
		WantOutcomes(t, MustApply(t, target.Again(t), again...), store.RegistrationCancelled, store.RegistrationCancelled)
		WantOutcomes(t, MustApply(t, s, another(w[0]), again[0]), store.Registered, store.AlreadyRegistered)
		Check(t, s, event.ID)
	})
	t.Run("without a key nothing is written", func(t *testing.T) {
		event := NewEvent(t, s, 2)
		request := NewRequest(event.ID)
		MustApply(t, s, request)
		before := ReadEvent(t, s, event.ID)
		WantOutcomes(t, MustApply(t, s, NewCancel(NewRequest(event.ID)), another(request)), store.Cancelled, store.AlreadyRegistered)
		if after := ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("as many as is promised", func(t *testing.T) { testRepeatsBoundary(t, target) })
	t.Run("the latest edits", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		edits := make([]store.SeatRequest, 9)
		for i := range edits {
			title := fmt.Sprint("Title ", i)
			edits[i] = NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title})
			WantOutcomes(t, MustApply(t, s, edits[i]), store.Edited)
		}
		for _, e := range edits[1:] {
			WantOutcomes(t, MustApply(t, s, e), store.Edited)
		}
		if e := ReadEvent(t, s, event.ID); e.Title != "Title 8" || e.Version != 10 || len(e.LastEdits) != 8 {
			t.Fatalf("the event is %+v", e)
		}
	})
}

// testRepeatsBoundary checks that the latest 32 requests are remembered, however long their ids
// are, and one more is not. The request of the registration that lives does not count.
func testRepeatsBoundary(t *testing.T, target Target) {
	s := target.Store
	event := NewEvent(t, s, 1)
	request := NewRequest(event.ID)
	cancellations := make([]store.SeatRequest, keptRequests)
	for i := range cancellations {
		cancellations[i] = WithKey(NewCancel(request))
		cancellations[i].RequestID += strings.Repeat("x", 255-len(cancellations[i].RequestID))
		WantOutcomes(t, MustApply(t, s, cancellations[i]), store.Cancelled)
	}
	WantOutcomes(t, MustApply(t, s, request), store.Registered)
	for _, g := range cancellations { // all are known, and the registration lives on
		WantOutcomes(t, MustApply(t, s, g), store.Cancelled)
	}
	for i := range keptRequests { // as many as are kept come by, and it is still known
		WantOutcomes(t, MustApply(t, s, WithKey(another(request))), store.AlreadyRegistered)
		if i == 0 { // one more drops one
			WantOutcomes(t, MustApply(t, s, cancellations[1:]...), slices.Repeat([]store.Outcome{store.Cancelled}, keptRequests-1)...)
		}
	}
	WantOutcomes(t, MustApply(t, target.Again(t), request), store.Registered)
	if got := Check(t, s, event.ID); len(got) != 1 {
		t.Fatalf("roster is %v", got)
	}
	// The cancellations are forgotten by now, so one is taken for a new one.
	WantOutcomes(t, MustApply(t, s, cancellations[keptRequests-1]), store.Cancelled)
	if got := Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("roster is %v", got)
	}
}

// testCancelByNumber checks that a cancellation may say which registration it means.
func testCancelByNumber(t *testing.T, target Target) {
	s := target.Store
	event := NewWaitlistEvent(t, s, 1)
	w := NewRequests(event.ID, 3)
	res := MustApply(t, s, w...)
	meant := func(request store.SeatRequest, number int64) store.SeatRequest {
		cancellation := NewCancel(request)
		cancellation.Number = number
		return cancellation
	}
	first, second, third := res[0].Registration.Number, res[1].Registration.Number, res[2].Registration.Number
	before := ReadEvent(t, s, event.ID)
	WantOutcomes(t, MustApply(t, s,
		meant(w[0], second), meant(w[1], first), meant(w[2], third+1), WithKey(meant(w[0], third)),
		meant(NewRequest(event.ID), first), WithKey(meant(NewRequest(event.ID), third+1)), meant(NewRequest(store.NewID()), 1)),
		store.RegistrationChanged, store.RegistrationChanged, store.RegistrationChanged, store.RegistrationChanged,
		store.RegistrationChanged, store.RegistrationChanged, store.EventNotFound)
	if after := ReadEvent(t, s, event.ID); !after.Equal(before) {
		t.Fatalf("the event was %+v and is %+v", before, after)
	}
	// Who moved up meanwhile has the same number.
	WantOutcomes(t, MustApply(t, s, meant(w[0], first)), store.Cancelled)
	cancellation := meant(w[1], second)
	WantOutcomes(t, MustApply(t, s, cancellation, meant(w[2], third), meant(w[2], third+2)),
		store.Cancelled, store.Cancelled, store.RegistrationChanged)
	if got := Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("roster is %v", got)
	}
	// It is over, for whoever asks and however often.
	WantOutcomes(t, MustApply(t, target.Again(t), cancellation, meant(w[1], second)), store.Cancelled, store.Cancelled)
	WantOutcomes(t, MustApply(t, s, another(w[1]), cancellation, meant(w[1], second)), store.Registered, store.Cancelled, store.RegistrationChanged)
	if got := Check(t, s, event.ID); len(got) != 1 {
		t.Fatalf("roster is %v", got)
	}
}
