package storetest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func testSeats(t *testing.T, target Target) {
	s := target.Store
	t.Run("the last seat goes to one", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		WantOutcomes(t, MustApply(t, s, NewRequests(event.ID, 3)...), store.Registered, store.SoldOut, store.SoldOut)
		WantOutcomes(t, MustApply(t, s, NewRequest(event.ID)), store.SoldOut)
		Check(t, s, event.ID)
	})
	t.Run("an event that does not exist", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		WantOutcomes(t, MustApply(t, s, NewRequest(store.NewID()), NewRequest(event.ID), NewRequest(store.NewID())),
			store.EventNotFound, store.Registered, store.EventNotFound)
		Check(t, s, event.ID)
	})
	t.Run("already registered comes before sold out", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		first := NewRequest(event.ID)
		again := first
		again.RequestID = "another"
		WantOutcomes(t, MustApply(t, s, first, again, NewRequest(event.ID)), store.Registered, store.AlreadyRegistered, store.SoldOut)
		WantOutcomes(t, MustApply(t, s, again, NewRequest(event.ID)), store.AlreadyRegistered, store.SoldOut)
		Check(t, s, event.ID)
	})
	t.Run("a repeated request gets its first answer", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		first := MustApply(t, s, request, request)
		later := request
		later.At = now.Add(time.Hour)
		again := MustApply(t, target.Again(t), later)
		WantOutcomes(t, slices.Concat(first, again), store.Registered, store.Registered, store.Registered)
		if !reflect.DeepEqual(first[0], first[1]) || !reflect.DeepEqual(first[0], again[0]) {
			t.Fatalf("answers differ: %+v, %+v, %+v", first[0], first[1], again[0])
		}
		Check(t, s, event.ID)
	})
	t.Run("a request id of another user or event is independent", func(t *testing.T) {
		event, other := NewEvent(t, s, 5), NewEvent(t, s, 5)
		mine, theirs, elsewhere := NewRequest(event.ID), NewRequest(event.ID), NewRequest(other.ID)
		theirs.RequestID, elsewhere.RequestID = mine.RequestID, mine.RequestID
		elsewhere.UserID = mine.UserID
		WantOutcomes(t, MustApply(t, s, mine, theirs, elsewhere), store.Registered, store.Registered, store.Registered)
		Check(t, s, event.ID)
		Check(t, s, other.ID)
	})
	t.Run("times keep milliseconds in UTC", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		request := NewRequest(event.ID)
		request.At = time.Date(2026, 11, 24, 12, 0, 0, 123_987_654, time.FixedZone("", 3600))
		got := MustApply(t, s, request)[0].Registration
		if want := time.Date(2026, 11, 24, 11, 0, 0, 123_000_000, time.UTC); got.RegisteredAt != want {
			t.Fatalf("registered at %v, want %v", got.RegisteredAt, want)
		}
		if roster := Check(t, s, event.ID); !roster[0].Equal(got) {
			t.Fatalf("answered %+v, stored %+v", got, roster[0])
		}
	})
	t.Run("one batch over many events", func(t *testing.T) {
		var batch []store.SeatRequest
		var events []store.Event
		for range 100 {
			events = append(events, NewEvent(t, s, 2))
		}
		for range 3 {
			for _, e := range events {
				batch = append(batch, NewRequest(e.ID))
			}
		}
		for i, res := range MustApply(t, s, batch...) {
			if want := i < 200; want != (res.Outcome == store.Registered) {
				t.Fatalf("request %d is %s", i, res.Outcome)
			}
		}
		for _, e := range events {
			if got := len(Check(t, s, e.ID)); got != 2 {
				t.Fatalf("%d registered, want 2", got)
			}
		}
	})
	t.Run("one large batch", func(t *testing.T) {
		event := NewEvent(t, s, 1500)
		MustApply(t, s, NewRequests(event.ID, 2000)...)
		if got := len(Check(t, s, event.ID)); got != 1500 {
			t.Fatalf("%d registered, want 1500", got)
		}
	})
	t.Run("an empty batch", func(t *testing.T) { MustApply(t, s) })
	t.Run("a caller whose time is up", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Apply(ctx, NewRequests(event.ID, 1)); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("error is %v, want ErrUnavailable", err)
		}
		if got := len(Check(t, s, event.ID)); got != 0 {
			t.Fatalf("%d registered after a refusal to try", got)
		}
	})
}

// testEndings checks writes that fail, and writes that fail although they are stored. The tests
// above check those that succeed and those that are refused.
func testEndings(t *testing.T, target Target) {
	s := target.Store
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for _, ending := range []Ending{Failed, FailedButStored} {
		stored := ending == FailedButStored
		t.Run("apply/"+string(ending), func(t *testing.T) {
			event := NewEvent(t, s, 2)
			earlier := MustApply(t, s, NewRequest(event.ID))
			batch := NewRequests(event.ID, 2)
			heal := target.Fail(t, Apply, ending)
			_, err := s.Apply(short(t), batch)
			heal()
			if err == nil {
				t.Fatal("the fault did not show")
			}
			if stored && errors.Is(err, store.ErrNothingStored) {
				t.Fatalf("error %v says that nothing was stored", err)
			}
			if got := len(Check(t, s, event.ID)) == 2; got != stored {
				t.Fatalf("stored: %v, want %v", got, stored)
			}
			WantOutcomes(t, MustApply(t, s, batch...), store.Registered, store.SoldOut)
			if roster := Check(t, s, event.ID); !roster[0].Equal(earlier[0].Registration) || roster[1].UserID != batch[0].UserID {
				t.Fatalf("roster is %+v", roster)
			}
		})
		t.Run("create user/"+string(ending), func(t *testing.T) {
			u := NewUser(string(ending) + "@example.org")
			heal := target.Fail(t, Create, ending)
			err := s.CreateUser(short(t), u)
			heal()
			if err == nil || stored && errors.Is(err, store.ErrNothingStored) {
				t.Fatalf("error is %v", err)
			}
			settle(t, s)
			if _, err := s.UserByEmail(Context(t), u.Email); stored != (err == nil) {
				t.Fatalf("stored: %v, want %v", err == nil, stored)
			}
		})
		t.Run("create event/"+string(ending), func(t *testing.T) {
			e := store.Event{ID: store.NewID(), Title: "x", Capacity: 1, StartsAt: now, EndsAt: now, CreatedAt: now}
			heal := target.Fail(t, Create, ending)
			err := s.CreateEvent(short(t), e)
			heal()
			if err == nil || stored && errors.Is(err, store.ErrNothingStored) {
				t.Fatalf("error is %v", err)
			}
			settle(t, s)
			if _, err := s.Event(Context(t), e.ID); stored != (err == nil) {
				t.Fatalf("stored: %v, want %v", err == nil, stored)
			}
		})
	}
}

// settle makes what was stored without an acknowledgement visible, because everything that was
// stored before an acknowledged write is.
func settle(tb testing.TB, s store.Store) {
	tb.Helper()
	if err := s.CreateUser(Context(tb), NewUser(store.NewID().Hex()+"@example.org")); err != nil {
		tb.Fatal(err)
	}
}

// testConcurrency checks two stores over one database under many goroutines, with more requests
// than seats, each of which is sent twice.
func testConcurrency(t *testing.T, target Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	hot, cold := NewEvent(t, handles[0], 50), NewEvent(t, handles[0], 500)
	var mu sync.Mutex
	won := make(map[store.ID]bool)
	var lost atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for range 4 {
				batch := append(NewRequests(hot.ID, 3), NewRequests(cold.ID, 2)...)
				for try := range 2 {
					results, err := handles[(g+try)%2].Apply(Context(t), batch)
					if err != nil {
						t.Errorf("apply: %v", err)
						return
					}
					mu.Lock()
					for i, res := range results {
						switch {
						case res.Outcome == store.Registered:
							won[batch[i].UserID] = true
						case try == 0:
							lost.Add(1)
						case won[batch[i].UserID]:
							t.Errorf("a winner was then told %s", res.Outcome)
						}
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	roster := slices.Concat(Check(t, handles[1], hot.ID), Check(t, handles[0], cold.ID))
	if len(roster) != 50+16*4*2 || len(won) != len(roster) || lost.Load() != 16*4*3-50 {
		t.Fatalf("%d registered, %d told so, %d refused", len(roster), len(won), lost.Load())
	}
	for _, r := range roster {
		if !won[r.UserID] {
			t.Fatalf("user %s is registered and was not told", r.UserID.Hex())
		}
	}
}
