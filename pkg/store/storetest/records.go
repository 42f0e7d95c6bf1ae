package storetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func newUser(email string) store.User {
	return store.User{ID: store.NewID(), Name: "Ada", Email: email, PasswordHash: "$argon2id$...", CreatedAt: now}
}

func testUsers(t *testing.T, target Target) {
	s := target.Store
	ada := newUser("Ada@Example.org")
	if err := s.CreateUser(context10s(t), ada); err != nil {
		t.Fatal(err)
	}
	for _, spelling := range []string{"Ada@Example.org", "ada@example.org", " ADA@EXAMPLE.ORG\t"} {
		t.Run("found by "+spelling, func(t *testing.T) {
			got, err := s.UserByEmail(context10s(t), spelling)
			if err != nil || got != ada {
				t.Fatalf("got %+v, %v; want %+v", got, err, ada)
			}
		})
		t.Run("taken for "+spelling, func(t *testing.T) {
			if err := s.CreateUser(context10s(t), newUser(spelling)); !errors.Is(err, store.ErrEmailTaken) {
				t.Fatalf("error is %v, want ErrEmailTaken", err)
			}
		})
	}
	t.Run("an unknown address is not found", func(t *testing.T) {
		if _, err := s.UserByEmail(context10s(t), "nobody@example.org"); !errors.Is(err, store.ErrUserNotFound) {
			t.Fatalf("error is %v, want ErrUserNotFound", err)
		}
	})
	t.Run("of 50 sign-ups at once with one address exactly one succeeds", func(t *testing.T) {
		handles := []store.Store{s, target.Again(t)}
		var created atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				switch err := handles[i%2].CreateUser(context10s(t), newUser("crowd@example.org")); {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, store.ErrEmailTaken):
					t.Errorf("error is %v, want ErrEmailTaken", err)
				}
			})
		}
		wg.Wait()
		if created.Load() != 1 {
			t.Fatalf("%d sign-ups succeeded", created.Load())
		}
	})
}

func testEvents(t *testing.T, target Target) {
	s := target.Store
	list := func(t *testing.T) []store.Event {
		return collect(t, store.AllEvents(context10s(t), s, store.EventQuery{}))
	}
	t.Run("none at first", func(t *testing.T) {
		if got := list(t); len(got) != 0 {
			t.Fatalf("an empty store lists %v", got)
		}
	})
	t.Run("an unknown event is not found", func(t *testing.T) {
		if _, err := s.Event(context10s(t), store.NewID()); !errors.Is(err, store.ErrEventNotFound) {
			t.Fatalf("error is %v, want ErrEventNotFound", err)
		}
	})
	var want []store.Event
	for _, day := range []int{3, 1, 2, 1, 2} { // equal starts are ordered by id
		every := everyField(day)
		e := every.Apply(store.Event{ID: store.NewID(), OrganizerID: store.NewID(), CreatedAt: now})
		e.Title, e.Description = "Tätig 🎟", "a\nb"
		e.StartsAt = now.AddDate(0, 0, day)
		if day == 3 {
			e.OpensAt, e.ClosesAt = time.Time{}, time.Time{}
		}
		if err := s.CreateEvent(context10s(t), e); err != nil {
			t.Fatal(err)
		}
		e.Version, e.Revision = 1, 1
		want = append(want, e)
	}
	t.Run("read back as written", func(t *testing.T) {
		for _, e := range want {
			if got, err := target.Again(t).Event(context10s(t), e.ID); err != nil || !got.Equal(e) {
				t.Fatalf("got %+v, %v; want %+v", got, err, e)
			}
		}
	})
	t.Run("listed by start, then id", func(t *testing.T) {
		slices.SortFunc(want, func(a, b store.Event) int {
			if c := a.StartsAt.Compare(b.StartsAt); c != 0 {
				return c
			}
			return slices.Compare(a.ID[:], b.ID[:])
		})
		if got := list(t); !sameEvents(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
	t.Run("a reader may stop early", func(t *testing.T) {
		for range store.AllEvents(context10s(t), s, store.EventQuery{}) {
			break
		}
	})
	t.Run("a reader that is cancelled gets an error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range store.AllEvents(ctx, s, store.EventQuery{}) {
			last = err
		}
		if last == nil {
			t.Fatal("a cancelled list ended like a complete one")
		}
	})
}

func testRoster(t *testing.T, target Target) {
	s := target.Store
	event, other := NewEvent(t, s, 100), NewEvent(t, s, 100)
	if got := Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("a new event has %v", got)
	}
	if got := collect(t, s.Roster(context10s(t), store.NewID(), 0, math.MaxInt64, 0)); len(got) != 0 {
		t.Fatalf("an unknown event has %v", got)
	}
	var want []store.Registration
	for range 3 {
		for _, r := range apply(t, s, append(Wishes(event.ID, 4), Wish(other.ID))...)[:4] {
			want = append(want, r.Registration)
		}
	}
	for _, c := range []struct {
		name           string
		after, through int64
		limit          int
		first, until   int
	}{
		{"whole", 0, math.MaxInt64, 0, 0, 12},
		{"first page", 0, 12, 5, 0, 5},
		{"second page", 5, 12, 5, 5, 10},
		{"last page", 10, 12, 5, 10, 12},
		{"after the end", 12, 12, 5, 12, 12},
		{"through a number", 2, 7, 0, 2, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := collect(t, s.Roster(context10s(t), event.ID, c.after, c.through, c.limit))
			if !sameRegistrations(got, want[c.first:c.until]) {
				t.Fatalf("got %+v, want %+v", got, want[c.first:c.until])
			}
		})
	}
	Check(t, s, event.ID)
	Check(t, s, other.ID)
}
