package api_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestRefusalsAreCounted: an organizer sees how often two processes said that the event is sold out, also what one
// of them had not handed on when it ended, and no other answer is counted.
func TestRefusalsAreCounted(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path, other, user := e.newEvent(t, 1), e.newEvent(t, 9), newUser()
		ending := e.process(t, nil)
		e.register(t, path, user).object(t, 201, registrationFields)
		e.register(t, path, user).problem(t, 400, "already_registered")
		e.register(t, other, newUser()).object(t, 201, registrationFields)
		e.register(t, path, newUser()).problem(t, 409, "sold_out")
		e.do(t, "PUT", path+"/registrations/"+newUser(), "").problem(t, 409, "sold_out")
		for range 3 {
			if rec := ask(ending, "POST", path+"/registrations", registrationBody(newUser())); rec.Code != 409 {
				t.Errorf("it is answered %d %s", rec.Code, rec.Body)
			}
		}
		ending.Wait()
		e.wantRefused(t, path, 5)
		e.wantRefused(t, other, 0)
	})
}

// TestRefusalsAreCountedLater: what the store does not take is counted when it does, once.
func TestRefusalsAreCountedLater(t *testing.T) {
	var down atomic.Int64
	forEachStoreWith(t, setup{front: func(s store.Store) api.Store {
		down.Store(2)
		return &uncounting{Store: s, down: &down}
	}}, func(t *testing.T, e *env) {
		path := e.newEvent(t, 1)
		e.register(t, path, newUser()).object(t, 201, registrationFields)
		for range 4 {
			e.register(t, path, newUser()).problem(t, 409, "sold_out")
		}
		e.wantRefused(t, path, 4)
		if left := down.Load(); left > 0 {
			t.Errorf("the store should have failed %d times more", left)
		}
	})
}

// uncounting is a store that is away for the first tries to count refusals.
type uncounting struct {
	store.Store
	down *atomic.Int64
}

// AddRefusals implements store.Refusals.
func (u *uncounting) AddRefusals(ctx context.Context, counted []store.RefusedMinute) error {
	if u.down.Add(-1) >= 0 {
		return fmt.Errorf("planted: %w", store.ErrUnavailable)
	}
	return u.Store.AddRefusals(ctx, counted)
}

// wantRefused waits until the pace of an event tells so many refusals.
func (e *env) wantRefused(t testing.TB, path string, want int64) {
	t.Helper()
	testenv.Eventually(t, awhile, "count", func() error {
		var got int64
		for _, m := range decode[[]wire.Minute](t, e.get(t, path+"/pace").body) {
			got += m.Refused
		}
		if got > want {
			t.Fatalf("%d were refused, want %d", got, want)
		}
		if got < want {
			return fmt.Errorf("%d are counted", got)
		}
		return nil
	})
}
