package seats

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// held reads the registration of a user for an event, also a cancelled one.
func held(t *testing.T, s store.Store, event, user store.ID) store.UserRegistration {
	t.Helper()
	for r, err := range s.UserRegistrations(storetest.Context(t), user, store.ID{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Event.ID == event {
			return r
		}
	}
	t.Fatalf("user %s has no registration", user.Hex())
	return store.UserRegistration{}
}

// testRegistrationChanges: of one registration everything is found that happened to it, the row at which
// it moved up too, among many rows that are about others.
func testRegistrationChanges(t *testing.T, target storetest.Target) {
	s := target.Store
	event := storetest.NewWaitlistEvent(t, s, 3)
	// want has revisions without the one at which the event got its waiting list.
	want := func(user store.ID, text string) {
		t.Helper()
		items, err := changes.OfRegistration(storetest.Context(t), s, held(t, s, event.ID, user))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range items {
			if i.UserID != user || i.Record.EventID != event.ID {
				t.Errorf("%+v is of somebody else", i)
			}
			got = append(got, fmt.Sprintf("%d %s %d", i.Record.Revision-1, i.Type, i.Number))
		}
		if all := strings.Join(got, ", "); all != text {
			t.Fatalf("got %q, want %q", all, text)
		}
	}
	first := storetest.NewRequests(event.ID, 3)
	storetest.MustApply(t, s, first...) // 2
	w := storetest.NewRequests(event.ID, 4)
	for _, r := range w {
		storetest.MustApply(t, s, r) // 3 to 6
	}
	for range 9 {
		storetest.MustApply(t, s, storetest.NewRequest(event.ID)) // 7 to 15
	}
	want(w[1].UserID, "4 waitlisted 5")
	for _, r := range first {
		storetest.MustApply(t, s, storetest.NewCancel(r)) // 16 to 18
	}
	for range 5 {
		storetest.MustApply(t, s, storetest.NewRequest(event.ID)) // 19 to 23
	}
	want(first[0].UserID, "2 registered 1, 16 cancelled 1")
	want(w[0].UserID, "3 waitlisted 4, 16 promoted 4")
	want(w[2].UserID, "5 waitlisted 6, 18 promoted 6")
	want(w[3].UserID, "6 waitlisted 7")
	storetest.MustApply(t, s, storetest.NewCancel(w[3])) // 24
	storetest.MustApply(t, s, storetest.NewCancel(w[0])) // 25
	again := storetest.NewRequest(event.ID)
	again.UserID = w[0].UserID
	storetest.MustApply(t, s, again) // 26
	// In one batch somebody comes, moves up and goes.
	everybody, late := int64(1000), storetest.NewRequest(event.ID)
	storetest.MustApply(t, s, late, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &everybody}), storetest.NewCancel(late))
	want(w[3].UserID, "6 waitlisted 7, 24 cancelled 7")
	n := held(t, s, event.ID, w[0].UserID).Registration.Number
	want(w[0].UserID, fmt.Sprintf("3 waitlisted 4, 16 promoted 4, 25 cancelled 4, 26 waitlisted %d, 27 promoted %d", n, n))
	n = held(t, s, event.ID, late.UserID).Registration.Number
	want(late.UserID, fmt.Sprintf("27 waitlisted %d, 27 promoted %d, 27 cancelled %d", n, n, n))
}

// testForgotten: who is erased stays in the record as an id that means nobody, without the ids of their
// requests, and so do registrations that are forgotten; everything else stays as it was.
func testForgotten(t *testing.T, target storetest.Target) {
	s := target.Store
	event := storetest.NewWaitlistEvent(t, s, 2)
	w := storetest.NewRequests(event.ID, 3)
	storetest.MustApply(t, s, w...)
	leaves := storetest.NewCancel(w[1])
	storetest.MustApply(t, s, leaves)
	byOrganizer := storetest.NewCancel(w[2])
	byOrganizer.Actor = store.Actor{Kind: store.ActorOrganizer, ID: event.OrganizerID}
	storetest.MustApply(t, s, byOrganizer)
	before := wantReplayed(t, s, event.ID)
	wantForgotten := func(users ...store.ID) {
		t.Helper()
		after := wantReplayed(t, target.Again(t), event.ID)
		for i, r := range before {
			want := r
			want.Actions = slices.Clone(r.Actions)
			for j, a := range r.Actions {
				if slices.Contains(users, a.UserID) {
					want.Actions[j].RequestID = store.ErasedRequest
				}
			}
			if !reflect.DeepEqual(after[i], want) {
				t.Fatalf("row %d is %+v, want %+v", i, after[i], want)
			}
		}
	}
	for range 2 {
		if err := s.EraseUser(storetest.Context(t), w[0].UserID, storetest.Now()); err != nil {
			t.Fatal(err)
		}
		wantForgotten(w[0].UserID)
	}
	for {
		n, err := s.ForgetCancelled(storetest.Context(t), leaves.At.Add(time.Hour), 1)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	wantForgotten(w[0].UserID, w[1].UserID, w[2].UserID)
	storetest.MustApply(t, s, storetest.NewRequest(event.ID)) // it goes on
	wantReplayed(t, s, event.ID)
}
