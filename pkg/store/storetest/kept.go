package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// keptRequests is how many requests of a person for an event are kept when they are over;
// docs/api.md promises it.
const keptRequests = 32

// keyed is a request under a key of the client's own.
func keyed(r store.SeatRequest) store.SeatRequest {
	r.Keyed = true
	return r
}

// anew is another wish of the same user.
func anew(wish store.SeatRequest) store.SeatRequest {
	wish.RequestID = "anew-" + store.NewID().Hex()
	return wish
}

// testKept: what succeeded under a key and comes again does nothing, whatever has happened
// since, also where there was nothing to do the first time.
func testKept(t *testing.T, target Target) {
	s := target.Store
	t.Run("a cancellation of who was never registered", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		wish := Wish(event.ID)
		goodbye := keyed(leave(wish))
		before := readEvent(t, s, event.ID)
		wantOutcomes(t, apply(t, s, goodbye, goodbye), store.Cancelled, store.Cancelled)
		before.Revision++
		before.Recorded = before.Revision
		before.LastNumber++
		if got := readEvent(t, s, event.ID); !got.Equal(before) {
			t.Fatalf("the event is %+v, want %+v", got, before)
		}
		if got := Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
		res := apply(t, target.Again(t), wish, goodbye, Wish(event.ID))
		wantOutcomes(t, res, store.Registered, store.Cancelled, store.SoldOut)
		wantOutcomes(t, apply(t, s, goodbye, wish), store.Cancelled, store.Registered)
		if got := Check(t, s, event.ID); len(got) != 1 || got[0].Number != 2 {
			t.Fatalf("roster is %v", got)
		}
		// An id of its own cancels, of course.
		wantOutcomes(t, apply(t, s, leave(wish)), store.Cancelled)
		if got := Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("a cancellation of who has left", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		wish := Wish(event.ID)
		apply(t, s, wish)
		late := keyed(leave(wish))
		wantOutcomes(t, apply(t, s, leave(wish), late), store.Cancelled, store.Cancelled)
		wantOutcomes(t, apply(t, target.Again(t), anew(wish)), store.Registered)
		wantOutcomes(t, apply(t, s, late, wish), store.Cancelled, store.RegistrationCancelled)
		if got := Check(t, s, event.ID); len(got) != 1 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("of many who are in one batch", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 2)
		w := Wishes(event.ID, 6)
		var goodbyes []store.SeatRequest
		for _, wish := range w {
			goodbyes = append(goodbyes, keyed(leave(wish)))
		}
		apply(t, s, goodbyes...)
		apply(t, s, w...)
		apply(t, s, goodbyes...)
		if got := Check(t, s, event.ID); len(got) != 2 {
			t.Fatalf("roster is %v", got)
		}
		wantOutcomes(t, apply(t, s, leave(w[0]), leave(w[2])), store.Cancelled, store.Cancelled)
		if got := Check(t, s, event.ID); len(got) != 2 || got[0].UserID != w[1].UserID || got[1].UserID != w[3].UserID {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("a wish of who was registered does not bring them back", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		w := Wishes(event.ID, 2)
		again := []store.SeatRequest{keyed(anew(w[0])), keyed(anew(w[1]))}
		apply(t, s, w...)
		for range 2 {
			wantOutcomes(t, apply(t, s, again...), store.AlreadyRegistered, store.AlreadyWaitlisted)
		}
		apply(t, s, leave(w[1]), leave(w[0]))
		wantOutcomes(t, apply(t, target.Again(t), again...), store.RegistrationCancelled, store.RegistrationCancelled)
		wantOutcomes(t, apply(t, s, anew(w[0]), again[0]), store.Registered, store.AlreadyRegistered)
		Check(t, s, event.ID)
	})
	t.Run("without a key nothing is written", func(t *testing.T) {
		event := NewEvent(t, s, 2)
		wish := Wish(event.ID)
		apply(t, s, wish)
		before := readEvent(t, s, event.ID)
		wantOutcomes(t, apply(t, s, leave(Wish(event.ID)), anew(wish)), store.Cancelled, store.AlreadyRegistered)
		if after := readEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("as many as is promised", func(t *testing.T) { testKeptBoundary(t, target) })
	t.Run("the latest edits", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		edits := make([]store.SeatRequest, 9)
		for i := range edits {
			title := fmt.Sprint("Title ", i)
			edits[i] = edit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title})
			wantOutcomes(t, apply(t, s, edits[i]), store.Edited)
		}
		for _, e := range edits[1:] {
			wantOutcomes(t, apply(t, s, e), store.Edited)
		}
		if e := readEvent(t, s, event.ID); e.Title != "Title 8" || e.Version != 10 || len(e.LastEdits) != 8 {
			t.Fatalf("the event is %+v", e)
		}
	})
}

// testKeptBoundary: the latest 32 are kept however long they are, and one more is not. The id
// of the registration that lives is not among them.
func testKeptBoundary(t *testing.T, target Target) {
	s := target.Store
	event := NewEvent(t, s, 1)
	wish := Wish(event.ID)
	goodbyes := make([]store.SeatRequest, keptRequests)
	for i := range goodbyes {
		goodbyes[i] = keyed(leave(wish))
		goodbyes[i].RequestID += strings.Repeat("x", 255-len(goodbyes[i].RequestID))
		wantOutcomes(t, apply(t, s, goodbyes[i]), store.Cancelled)
	}
	wantOutcomes(t, apply(t, s, wish), store.Registered)
	for _, g := range goodbyes { // all are known, and the registration lives on
		wantOutcomes(t, apply(t, s, g), store.Cancelled)
	}
	for i := range keptRequests { // as many as are kept come by, and it is still known
		wantOutcomes(t, apply(t, s, keyed(anew(wish))), store.AlreadyRegistered)
		if i == 0 { // one more drops one
			wantOutcomes(t, apply(t, s, goodbyes[1:]...), slices.Repeat([]store.Outcome{store.Cancelled}, keptRequests-1)...)
		}
	}
	wantOutcomes(t, apply(t, target.Again(t), wish), store.Registered)
	if got := Check(t, s, event.ID); len(got) != 1 {
		t.Fatalf("roster is %v", got)
	}
	// The cancellations are forgotten by now, so one is taken for a new one.
	wantOutcomes(t, apply(t, s, goodbyes[keptRequests-1]), store.Cancelled)
	if got := Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("roster is %v", got)
	}
}

// testMeant: a cancellation may say which registration it means.
func testMeant(t *testing.T, target Target) {
	s := target.Store
	event := newWaitlistEvent(t, s, 1)
	w := Wishes(event.ID, 3)
	res := apply(t, s, w...)
	meant := func(wish store.SeatRequest, number int64) store.SeatRequest {
		goodbye := leave(wish)
		goodbye.Number = number
		return goodbye
	}
	first, second, third := res[0].Registration.Number, res[1].Registration.Number, res[2].Registration.Number
	before := readEvent(t, s, event.ID)
	wantOutcomes(t, apply(t, s,
		meant(w[0], second), meant(w[1], first), meant(w[2], third+1), keyed(meant(w[0], third)),
		meant(Wish(event.ID), first), keyed(meant(Wish(event.ID), third+1)), meant(Wish(store.NewID()), 1)),
		store.RegistrationChanged, store.RegistrationChanged, store.RegistrationChanged, store.RegistrationChanged,
		store.RegistrationChanged, store.RegistrationChanged, store.EventNotFound)
	if after := readEvent(t, s, event.ID); !after.Equal(before) {
		t.Fatalf("the event was %+v and is %+v", before, after)
	}
	// Who moved up meanwhile has the same number.
	wantOutcomes(t, apply(t, s, meant(w[0], first)), store.Cancelled)
	goodbye := meant(w[1], second)
	wantOutcomes(t, apply(t, s, goodbye, meant(w[2], third), meant(w[2], third+2)),
		store.Cancelled, store.Cancelled, store.RegistrationChanged)
	if got := Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("roster is %v", got)
	}
	// It is over, for whoever asks and however often.
	wantOutcomes(t, apply(t, target.Again(t), goodbye, meant(w[1], second)), store.Cancelled, store.Cancelled)
	wantOutcomes(t, apply(t, s, anew(w[1]), goodbye, meant(w[1], second)), store.Registered, store.Cancelled, store.RegistrationChanged)
	if got := Check(t, s, event.ID); len(got) != 1 {
		t.Fatalf("roster is %v", got)
	}
}
