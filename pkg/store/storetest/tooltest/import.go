package tooltest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func importUsers(tb testing.TB, s imports.Store, users ...store.User) []imports.Outcome {
	tb.Helper()
	outcomes, err := s.ImportUsers(storetest.Context(tb), users)
	if err != nil {
		tb.Fatal(err)
	}
	return outcomes
}

func testImportUsers(t *testing.T, target Target) {
	s := target.Store
	a, b, c := storetest.NewUser("a@example.org"), storetest.NewUser("b@example.org"), storetest.NewUser("c@example.org")
	double := storetest.NewUser("A@example.org ")
	if got := importUsers(t, s); len(got) != 0 {
		t.Fatalf("nobody: %v", got)
	}
	got := importUsers(t, s, a, double, b)
	if want := []imports.Outcome{imports.Imported, imports.AddressInUse, imports.Imported}; !slices.Equal(got, want) {
		t.Fatalf("outcomes are %v, want %v", got, want)
	}
	changed := b
	changed.Email, changed.Name = "elsewhere@example.org", "Another"
	got = importUsers(t, s, c, changed, a, double)
	want := []imports.Outcome{imports.Imported, imports.AlreadyThere, imports.AlreadyThere, imports.AddressInUse}
	if !slices.Equal(got, want) {
		t.Fatalf("outcomes are %v, want %v", got, want)
	}
	for _, u := range []store.User{a, b, c} {
		if got, err := s.UserByEmail(storetest.Context(t), u.Email); err != nil || got != u {
			t.Fatalf("got %+v, %v; want %+v", got, err, u)
		}
	}
}

func testKnownUsers(t *testing.T, target Target) {
	var ids []store.ID
	var users []store.User
	for i := range 1203 {
		u := storetest.NewUser(store.NewID().Hex() + "@example.org")
		ids = append(ids, u.ID)
		if i%3 == 0 {
			users = append(users, u)
		}
	}
	importUsers(t, target.Store, users...)
	known, err := target.Store.KnownUsers(storetest.Context(t), ids)
	if err != nil || len(known) != len(users) {
		t.Fatalf("%d known, %v; want %d", len(known), err, len(users))
	}
	for _, u := range users {
		if !known[u.ID] {
			t.Fatalf("user %s is not known", u.ID.Hex())
		}
	}
	if known, err := target.Store.KnownUsers(storetest.Context(t), nil); err != nil || len(known) != 0 {
		t.Fatalf("of nobody %v, %v", known, err)
	}
}

func importEvent(tb testing.TB, s imports.Store, e store.Event, roster []store.ID) imports.Outcome {
	tb.Helper()
	outcome, err := s.ImportEvent(storetest.Context(tb), e, roster, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return outcome
}

func newRoster(n int) (store.Event, []store.ID) {
	roster := make([]store.ID, n)
	for i := range roster {
		roster[i] = store.NewID()
	}
	every := storetest.EveryField(1)
	e := every.Apply(store.Event{ID: store.NewID(), OrganizerID: store.NewID(), CreatedAt: storetest.Now()})
	e.Capacity, e.OpensAt, e.ClosesAt, e.Waitlist, e.RequiresProvenEmail = int64(n)+2, time.Time{}, time.Time{}, false, false
	return e, roster
}

func testImportEvents(t *testing.T, target Target) {
	s := target.Store
	e, roster := newRoster(10)
	if got := importEvent(t, s, e, roster); got != imports.Imported {
		t.Fatalf("outcome is %s", got)
	}
	want := store.ImportedEvent(e, 10)
	if got := storetest.ReadEvent(t, s, e.ID); !got.Equal(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	rows := storetest.Check(t, s, e.ID)
	for i, user := range roster {
		if !rows[i].Equal(imports.Registration(e, i, user)) {
			t.Fatalf("registration %d is %+v", i, rows[i])
		}
	}
	wantClean(t, target, e.ID)
	t.Run("repeated, it changes nothing that came since", func(t *testing.T) {
		request := storetest.NewRequest(e.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, request, storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: roster[3]}), storetest.NewRequest(e.ID), storetest.NewRequest(e.ID)),
			store.Registered, store.Cancelled, store.Registered, store.Registered)
		before := storetest.ReadEvent(t, s, e.ID)
		if got := importEvent(t, s, e, roster); got != imports.AlreadyThere {
			t.Fatalf("outcome is %s", got)
		}
		if after := storetest.ReadEvent(t, s, e.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
		wantClean(t, target, e.ID)
	})
	t.Run("who was imported holds their seat", func(t *testing.T) {
		again := store.SeatRequest{Kind: store.Register, EventID: e.ID, UserID: roster[0], RequestID: "mine", At: storetest.Now()}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, again), store.AlreadyRegistered)
	})
	t.Run("an event without anybody", func(t *testing.T) {
		e, _ := newRoster(0)
		if got := importEvent(t, s, e, nil); got != imports.Imported {
			t.Fatalf("outcome is %s", got)
		}
		wantClean(t, target, e.ID)
	})
}

// testImportInterrupted checks that an import which is interrupted at different points cannot be
// seen from outside, and is completed by the next one.
func testImportInterrupted(t *testing.T, target Target) {
	s := target.Store
	e, roster := newRoster(12_000)
	for cut := 1; cut <= 3; cut++ {
		ctx, cancel := context.WithCancel(storetest.Context(t))
		steps := 0
		_, err := s.ImportEvent(ctx, e, roster, func(int) {
			if steps++; steps == cut {
				cancel()
			}
		})
		cancel()
		if err == nil {
			t.Fatalf("cut off at %d, it went on", cut)
		}
		if _, err := s.Event(storetest.Context(t), e.ID); !errors.Is(err, store.ErrEventNotFound) {
			t.Fatalf("half an event: %v", err)
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(e.ID)), store.EventNotFound)
		if cut == 2 { // the source has changed
			roster = slices.Delete(roster, 5, 7)
		}
	}
	moved := 0
	outcome, err := s.ImportEvent(storetest.Context(t), e, roster, func(n int) { moved += n })
	if err != nil || outcome != imports.Imported || moved != len(roster) {
		t.Fatalf("%s, %v; told of %d registrations", outcome, err, moved)
	}
	if got := storetest.RosterUsers(storetest.Check(t, s, e.ID)); !slices.Equal(got, roster) {
		t.Fatalf("%d registered, want %d in their order", len(got), len(roster))
	}
	wantClean(t, target, e.ID)
}
