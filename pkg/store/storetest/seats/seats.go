package seats

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
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testSeats(t *testing.T, target storetest.Target) {
	s := target.Store
	t.Run("the last seat goes to one", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequests(event.ID, 3)...), store.Registered, store.SoldOut, store.SoldOut)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(event.ID)), store.SoldOut)
		storetest.Check(t, s, event.ID)
	})
	t.Run("an event that does not exist", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(store.NewID()), storetest.NewRequest(event.ID), storetest.NewRequest(store.NewID())),
			store.EventNotFound, store.Registered, store.EventNotFound)
		storetest.Check(t, s, event.ID)
	})
	t.Run("already registered comes before sold out", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		first := storetest.NewRequest(event.ID)
		again := first
		again.RequestID = "another"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, first, again, storetest.NewRequest(event.ID)), store.Registered, store.AlreadyRegistered, store.SoldOut)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, again, storetest.NewRequest(event.ID)), store.AlreadyRegistered, store.SoldOut)
		storetest.Check(t, s, event.ID)
	})
	t.Run("a repeated request gets its first answer", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		first := storetest.MustApply(t, s, request, request)
		later := request
		later.At = storetest.Now().Add(time.Hour)
		again := storetest.MustApply(t, target.Again(t), later)
		storetest.WantOutcomes(t, slices.Concat(first, again), store.Registered, store.Registered, store.Registered)
		if !reflect.DeepEqual(first[0], first[1]) || !reflect.DeepEqual(first[0], again[0]) {
			t.Fatalf("answers differ: %+v, %+v, %+v", first[0], first[1], again[0])
		}
		storetest.Check(t, s, event.ID)
	})
	t.Run("a request id of another user or event is independent", func(t *testing.T) {
		event, other := storetest.NewEvent(t, s, 5), storetest.NewEvent(t, s, 5)
		mine, theirs, elsewhere := storetest.NewRequest(event.ID), storetest.NewRequest(event.ID), storetest.NewRequest(other.ID)
		theirs.RequestID, elsewhere.RequestID = mine.RequestID, mine.RequestID
		elsewhere.UserID = mine.UserID
		storetest.WantOutcomes(t, storetest.MustApply(t, s, mine, theirs, elsewhere), store.Registered, store.Registered, store.Registered)
		storetest.Check(t, s, event.ID)
		storetest.Check(t, s, other.ID)
	})
	t.Run("times keep milliseconds in UTC", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		request.At = time.Date(2026, 11, 24, 12, 0, 0, 123_987_654, time.FixedZone("", 3600))
		got := storetest.MustApply(t, s, request)[0].Registration
		if want := time.Date(2026, 11, 24, 11, 0, 0, 123_000_000, time.UTC); got.RegisteredAt != want {
			t.Fatalf("registered at %v, want %v", got.RegisteredAt, want)
		}
		if roster := storetest.Check(t, s, event.ID); !roster[0].Equal(got) {
			t.Fatalf("answered %+v, stored %+v", got, roster[0])
		}
	})
	t.Run("one batch over many events", func(t *testing.T) {
		var batch []store.SeatRequest
		var events []store.Event
		for range 100 {
			events = append(events, storetest.NewEvent(t, s, 2))
		}
		for range 3 {
			for _, e := range events {
				batch = append(batch, storetest.NewRequest(e.ID))
			}
		}
		for i, res := range storetest.MustApply(t, s, batch...) {
			if want := i < 200; want != (res.Outcome == store.Registered) {
				t.Fatalf("request %d is %s", i, res.Outcome)
			}
		}
		for _, e := range events {
			if got := len(storetest.Check(t, s, e.ID)); got != 2 {
				t.Fatalf("%d registered, want 2", got)
			}
		}
	})
	t.Run("one large batch", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1500)
		storetest.MustApply(t, s, storetest.NewRequests(event.ID, 2000)...)
		if got := len(storetest.Check(t, s, event.ID)); got != 1500 {
			t.Fatalf("%d registered, want 1500", got)
		}
	})
	t.Run("an empty batch", func(t *testing.T) { storetest.MustApply(t, s) })
	t.Run("a caller whose time is up", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Apply(ctx, storetest.NewRequests(event.ID, 1)); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("error is %v, want ErrUnavailable", err)
		}
		if got := len(storetest.Check(t, s, event.ID)); got != 0 {
			t.Fatalf("%d registered after a refusal to try", got)
		}
	})
}

// testEndings checks writes that fail, and writes that fail although they are stored. The tests
// above check those that succeed and those that are refused.
func testEndings(t *testing.T, target storetest.Target) {
	s := target.Store
	short := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for _, ending := range []storetest.Ending{storetest.Failed, storetest.FailedButStored} {
		stored := ending == storetest.FailedButStored
		t.Run("apply/"+string(ending), func(t *testing.T) {
			event := storetest.NewEvent(t, s, 2)
			earlier := storetest.MustApply(t, s, storetest.NewRequest(event.ID))
			batch := storetest.NewRequests(event.ID, 2)
			heal := target.Fail(t, storetest.Apply, ending)
			_, err := s.Apply(short(t), batch)
			heal()
			if err == nil {
				t.Fatal("the fault did not show")
			}
			if stored && errors.Is(err, store.ErrNothingStored) {
				t.Fatalf("error %v says that nothing was stored", err)
			}
			if got := len(storetest.Check(t, s, event.ID)) == 2; got != stored {
				t.Fatalf("stored: %v, want %v", got, stored)
			}
			storetest.WantOutcomes(t, storetest.MustApply(t, s, batch...), store.Registered, store.SoldOut)
			if roster := storetest.Check(t, s, event.ID); !roster[0].Equal(earlier[0].Registration) || roster[1].UserID != batch[0].UserID {
				t.Fatalf("roster is %+v", roster)
			}
		})
		t.Run("create user/"+string(ending), func(t *testing.T) {
			u := storetest.NewUser(string(ending) + "@example.org")
			heal := target.Fail(t, storetest.Create, ending)
			err := s.CreateUser(short(t), u)
			heal()
			if err == nil || stored && errors.Is(err, store.ErrNothingStored) {
				t.Fatalf("error is %v", err)
			}
			settle(t, s)
			if _, err := s.UserByEmail(storetest.Context(t), u.Email); stored != (err == nil) {
				t.Fatalf("stored: %v, want %v", err == nil, stored)
			}
		})
		t.Run("create event/"+string(ending), func(t *testing.T) {
			e := store.Event{ID: store.NewID(), Title: "x", Capacity: 1, StartsAt: storetest.Now(), EndsAt: storetest.Now(), CreatedAt: storetest.Now()}
			heal := target.Fail(t, storetest.Create, ending)
			err := s.CreateEvent(short(t), e)
			heal()
			if err == nil || stored && errors.Is(err, store.ErrNothingStored) {
				t.Fatalf("error is %v", err)
			}
			settle(t, s)
			if _, err := s.Event(storetest.Context(t), e.ID); stored != (err == nil) {
				t.Fatalf("stored: %v, want %v", err == nil, stored)
			}
		})
	}
}

// settle makes what was stored without an acknowledgement visible, because everything that was
// stored before an acknowledged write is.
func settle(tb testing.TB, s store.Store) {
	tb.Helper()
	if err := s.CreateUser(storetest.Context(tb), storetest.NewUser(store.NewID().Hex()+"@example.org")); err != nil {
		tb.Fatal(err)
	}
}

// testConcurrency checks two stores over one database under many goroutines, with more requests
// than seats, each of which is sent twice.
func testConcurrency(t *testing.T, target storetest.Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	hot, cold := storetest.NewEvent(t, handles[0], 50), storetest.NewEvent(t, handles[0], 500)
	var mu sync.Mutex
	won := make(map[store.ID]bool)
	var lost atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for range 4 {
				batch := append(storetest.NewRequests(hot.ID, 3), storetest.NewRequests(cold.ID, 2)...)
				for try := range 2 {
					results, err := handles[(g+try)%2].Apply(storetest.Context(t), batch)
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
	roster := slices.Concat(storetest.Check(t, handles[1], hot.ID), storetest.Check(t, handles[0], cold.ID))
	if len(roster) != 50+16*4*2 || len(won) != len(roster) || lost.Load() != 16*4*3-50 {
		t.Fatalf("%d registered, %d told so, %d refused", len(roster), len(won), lost.Load())
	}
	for _, r := range roster {
		if !won[r.UserID] {
			t.Fatalf("user %s is registered and was not told", r.UserID.Hex())
		}
	}
}
