package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// testProof checks who may register for an event that asks for proven addresses, and who has an
// address in the end.
func testProof(t *testing.T, target Target) {
	t.Run("registrations", func(t *testing.T) { testProvenOnly(t, target) })
	t.Run("addresses", func(t *testing.T) { testProveEmail(t, target) })
}

func testProvenOnly(t *testing.T, target Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	s := target.Store
	proven, unproven := createUser(t, s), createUser(t, s)
	if _, err := s.ProveEmail(Context(t), proven.ID, proven.Email, now); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	event, other := NewEvent(t, s, 3), NewEvent(t, s, 50)
	asks := func(s store.Store, yes *bool) {
		WantOutcomes(t, MustApply(t, s, NewEdit(event.ID, store.Edit{Version: store.AnyVersion, RequiresProvenEmail: yes})), store.Edited)
	}
	of := func(user store.ID, event store.ID) store.SeatRequest {
		r := NewRequest(event)
		r.UserID = user
		return r
	}
	early := NewRequest(event.ID)
	WantOutcomes(t, MustApply(t, s, early), store.Registered)
	asks(s, &yes)
	if e := ReadEvent(t, s, event.ID); !e.RequiresProvenEmail {
		t.Fatalf("the event is %+v", e)
	}
	for _, s := range handles {
		WantOutcomes(t, MustApply(t, s, NewRequest(event.ID), of(unproven.ID, event.ID), NewRequest(other.ID), early), // nobody's user, one without proof
			store.EmailUnproven, store.EmailUnproven, store.Registered, store.Registered)
	}
	seat := of(proven.ID, event.ID)
	WantOutcomes(t, MustApply(t, s, of(unproven.ID, event.ID), seat, of(proven.ID, event.ID)), store.EmailUnproven, store.Registered, store.AlreadyRegistered)
	WantOutcomes(t, MustApply(t, s, NewCancel(seat), NewCancel(early)), store.Cancelled, store.Cancelled) // who leaves needs none
	if _, err := handles[1].ProveEmail(Context(t), unproven.ID, unproven.Email, now); err != nil {
		t.Fatal(err)
	}
	WantOutcomes(t, MustApply(t, s, of(unproven.ID, event.ID)), store.Registered)
	asks(s, &no)
	WantOutcomes(t, MustApply(t, handles[1], NewRequest(event.ID)), store.Registered)
	// In one batch with the edit that makes the event ask, also on the state that a worker remembers.
	last := NewRequest(event.ID)
	WantOutcomes(t, MustApply(t, s, NewEdit(event.ID, store.Edit{Version: store.AnyVersion, RequiresProvenEmail: &yes}), last, of(proven.ID, event.ID)),
		store.Edited, store.EmailUnproven, store.Registered)
	WantOutcomes(t, MustApply(t, s, last), store.EmailUnproven) // sold out as well
	Check(t, s, event.ID)
}

func testProveEmail(t *testing.T, target Target) {
	s, again := target.Store, target.Again(t)
	at := now.Add(time.Hour)
	t.Run("of their own", func(t *testing.T) {
		ada := createUser(t, s)
		for range 2 {
			got, err := s.ProveEmail(Context(t), ada.ID, ada.Email, at)
			ada.EmailProvenAt = at
			if err != nil || got != ada {
				t.Fatalf("%+v, %v; want %+v", got, err, ada)
			}
			wantUser(t, again, ada)
		}
	})
	t.Run("one that nobody has", func(t *testing.T) {
		ada := createUser(t, s)
		ada.Email, ada.EmailProvenAt = "New-"+ada.Email, at
		if got, err := s.ProveEmail(Context(t), ada.ID, ada.Email, at); err != nil || got != ada {
			t.Fatalf("%+v, %v; want %+v", got, err, ada)
		}
		wantUser(t, again, ada)
	})
	t.Run("one that somebody has who has not proven it", func(t *testing.T) {
		squatter, owner := createUser(t, s), createUser(t, s)
		address := squatter.Email
		owner.Email, owner.EmailProvenAt = address, at
		if got, err := s.ProveEmail(Context(t), owner.ID, address, at); err != nil || got != owner {
			t.Fatalf("%+v, %v; want %+v", got, err, owner)
		}
		wantUser(t, again, owner)
		wantUser(t, again, squatter.WithoutEmail(at)) // whose tokens have ended
	})
	t.Run("one that somebody has proven", func(t *testing.T) {
		owner, thief := createUser(t, s), createUser(t, s)
		if _, err := s.ProveEmail(Context(t), owner.ID, owner.Email, at); err != nil {
			t.Fatal(err)
		}
		owner.EmailProvenAt = at
		if _, err := again.ProveEmail(Context(t), thief.ID, owner.Email, at); !errors.Is(err, store.ErrEmailProven) || !errors.Is(err, store.ErrNothingStored) {
			t.Fatalf("error is %v", err)
		}
		if _, err := again.FreeEmail(Context(t), owner.Email, at); !errors.Is(err, store.ErrEmailProven) {
			t.Fatalf("error is %v", err)
		}
		wantUser(t, s, owner)
		wantUser(t, s, thief)
	})
	t.Run("an address is freed, and somebody else signs up with it", func(t *testing.T) {
		squatter := createUser(t, s)
		if got, err := s.FreeEmail(Context(t), squatter.Email, at); err != nil || got != squatter.WithoutEmail(at) {
			t.Fatalf("%+v, %v", got, err)
		}
		owner := NewUser(squatter.Email)
		if err := again.CreateUser(Context(t), owner); err != nil {
			t.Fatal(err)
		}
		wantUser(t, s, owner)
		wantUser(t, again, squatter.WithoutEmail(at))
	})
	t.Run("nobody", func(t *testing.T) {
		if _, err := s.ProveEmail(Context(t), store.NewID(), "nobody@example.org", at); !errors.Is(err, store.ErrUserNotFound) {
			t.Errorf("error is %v", err)
		}
		if _, err := s.FreeEmail(Context(t), "nobody@example.org", at); !errors.Is(err, store.ErrUserNotFound) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("proven from the start", func(t *testing.T) {
		u := NewUser(store.NewID().Hex() + "@example.org")
		u.EmailProvenAt = at
		if err := s.CreateUser(Context(t), u); err != nil {
			t.Fatal(err)
		}
		wantUser(t, again, u)
	})
	t.Run("of 10 who prove one address at once one has it", func(t *testing.T) {
		people := make([]store.User, 10)
		for i := range people {
			people[i] = createUser(t, s)
		}
		var all sync.WaitGroup
		for i, u := range people {
			all.Go(func() {
				_, err := []store.Store{s, again}[i%2].ProveEmail(Context(t), u.ID, "everybody@example.org", at)
				if err != nil && !errors.Is(err, store.ErrEmailProven) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		have := 0
		for _, u := range people {
			got, err := s.User(Context(t), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got.Email == "everybody@example.org" {
				have++
			}
		}
		if have != 1 {
			t.Errorf("%d have it", have)
		}
	})
}
