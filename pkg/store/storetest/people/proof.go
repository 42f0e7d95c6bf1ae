package people

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testProof checks who may register for an event that asks for proven addresses, and who has an
// address in the end.
func testProof(t *testing.T, target storetest.Target) {
	t.Run("registrations", func(t *testing.T) { testProvenOnly(t, target) })
	t.Run("addresses", func(t *testing.T) { testProveEmail(t, target) })
}

func testProvenOnly(t *testing.T, target storetest.Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	s := target.Store
	proven, unproven := createUser(t, s), createUser(t, s)
	if _, err := s.ProveEmail(storetest.Context(t), proven.ID, proven.Email, storetest.Now()); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	event, other := storetest.NewEvent(t, s, 3), storetest.NewEvent(t, s, 50)
	asks := func(s store.Store, yes *bool) {
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, RequiresProvenEmail: yes})), store.Edited)
	}
	of := func(user store.ID, event store.ID) store.SeatRequest {
		r := storetest.NewRequest(event)
		r.UserID = user
		return r
	}
	early := storetest.NewRequest(event.ID)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, early), store.Registered)
	asks(s, &yes)
	if e := storetest.ReadEvent(t, s, event.ID); !e.RequiresProvenEmail {
		t.Fatalf("the event is %+v", e)
	}
	for _, s := range handles {
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(event.ID), of(unproven.ID, event.ID), storetest.NewRequest(other.ID), early), // nobody's user, one without proof
			store.EmailUnproven, store.EmailUnproven, store.Registered, store.Registered)
	}
	seat := of(proven.ID, event.ID)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, of(unproven.ID, event.ID), seat, of(proven.ID, event.ID)), store.EmailUnproven, store.Registered, store.AlreadyRegistered)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(seat), storetest.NewCancel(early)), store.Cancelled, store.Cancelled) // who leaves needs none
	if _, err := handles[1].ProveEmail(storetest.Context(t), unproven.ID, unproven.Email, storetest.Now()); err != nil {
		t.Fatal(err)
	}
	storetest.WantOutcomes(t, storetest.MustApply(t, s, of(unproven.ID, event.ID)), store.Registered)
	asks(s, &no)
	storetest.WantOutcomes(t, storetest.MustApply(t, handles[1], storetest.NewRequest(event.ID)), store.Registered)
	// In one batch with the edit that makes the event ask, also on the state that a worker remembers.
	last := storetest.NewRequest(event.ID)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, RequiresProvenEmail: &yes}), last, of(proven.ID, event.ID)),
		store.Edited, store.EmailUnproven, store.Registered)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, last), store.EmailUnproven) // sold out as well
	storetest.Check(t, s, event.ID)
}

func testProveEmail(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	at := storetest.Now().Add(time.Hour)
	t.Run("of their own", func(t *testing.T) {
		ada := createUser(t, s)
		for range 2 {
			got, err := s.ProveEmail(storetest.Context(t), ada.ID, ada.Email, at)
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
		if got, err := s.ProveEmail(storetest.Context(t), ada.ID, ada.Email, at); err != nil || got != ada {
			t.Fatalf("%+v, %v; want %+v", got, err, ada)
		}
		wantUser(t, again, ada)
	})
	t.Run("one that somebody has who has not proven it", func(t *testing.T) {
		squatter, owner := createUser(t, s), createUser(t, s)
		address := squatter.Email
		owner.Email, owner.EmailProvenAt = address, at
		if got, err := s.ProveEmail(storetest.Context(t), owner.ID, address, at); err != nil || got != owner {
			t.Fatalf("%+v, %v; want %+v", got, err, owner)
		}
		wantUser(t, again, owner)
		wantUser(t, again, squatter.WithoutEmail(at)) // whose tokens have ended
	})
	t.Run("one that somebody has proven", func(t *testing.T) {
		owner, thief := createUser(t, s), createUser(t, s)
		if _, err := s.ProveEmail(storetest.Context(t), owner.ID, owner.Email, at); err != nil {
			t.Fatal(err)
		}
		owner.EmailProvenAt = at
		if _, err := again.ProveEmail(storetest.Context(t), thief.ID, owner.Email, at); !errors.Is(err, store.ErrEmailProven) || !errors.Is(err, store.ErrNothingStored) {
			t.Fatalf("error is %v", err)
		}
		if _, err := again.FreeEmail(storetest.Context(t), owner.Email, at); !errors.Is(err, store.ErrEmailProven) {
			t.Fatalf("error is %v", err)
		}
		wantUser(t, s, owner)
		wantUser(t, s, thief)
	})
	t.Run("an address is freed, and somebody else signs up with it", func(t *testing.T) {
		squatter := createUser(t, s)
		if got, err := s.FreeEmail(storetest.Context(t), squatter.Email, at); err != nil || got != squatter.WithoutEmail(at) {
			t.Fatalf("%+v, %v", got, err)
		}
		owner := storetest.NewUser(squatter.Email)
		if err := again.CreateUser(storetest.Context(t), owner); err != nil {
			t.Fatal(err)
		}
		wantUser(t, s, owner)
		wantUser(t, again, squatter.WithoutEmail(at))
	})
	t.Run("nobody", func(t *testing.T) {
		if _, err := s.ProveEmail(storetest.Context(t), store.NewID(), "nobody@example.org", at); !errors.Is(err, store.ErrUserNotFound) {
			t.Errorf("error is %v", err)
		}
		if _, err := s.FreeEmail(storetest.Context(t), "nobody@example.org", at); !errors.Is(err, store.ErrUserNotFound) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("proven from the start", func(t *testing.T) {
		u := storetest.NewUser(store.NewID().Hex() + "@example.org")
		u.EmailProvenAt = at
		if err := s.CreateUser(storetest.Context(t), u); err != nil {
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
				_, err := []store.Store{s, again}[i%2].ProveEmail(storetest.Context(t), u.ID, "everybody@example.org", at)
				if err != nil && !errors.Is(err, store.ErrEmailProven) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		have := 0
		for _, u := range people {
			got, err := s.User(storetest.Context(t), u.ID)
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
