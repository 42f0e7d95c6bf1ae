package leases_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
)

// leased has one event of which leases may be out, and answers only who knows that they have ended.
type leased struct {
	store.Seats
	granted int64
	longest time.Duration
	regrant int // how many times somebody grants anew meanwhile
	fails   error
	calls   [][]store.SeatRequest
	at      []time.Time
}

func (l *leased) Apply(_ context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	l.calls, l.at = append(l.calls, slices.Clone(batch)), append(l.at, time.Now())
	if len(l.calls) > 1 && l.fails != nil {
		return nil, l.fails
	}
	if len(l.calls) > 1 && l.regrant > 0 {
		l.regrant--
		l.granted++
	}
	results := make([]store.SeatResult, len(batch))
	for i, req := range batch {
		results[i] = store.SeatResult{Outcome: store.Cancelled}
		switch {
		case req.Kind == store.Register:
			results[i].Outcome = store.SoldOut
		case req.LeasesEnded != l.granted:
			results[i] = store.SeatResult{Outcome: store.LeaseOut, LeasesGranted: l.granted, Lease: l.longest}
		}
	}
	return results, nil
}

func TestWaitIsLongerThanALease(t *testing.T) {
	for longest, want := range map[time.Duration]time.Duration{
		0: 10 * time.Millisecond, time.Millisecond: 11*time.Millisecond + 10*time.Microsecond, time.Second: 1020 * time.Millisecond,
	} {
		if got := leases.Wait(longest); got != want {
			t.Errorf("after a lease of %s: %s, want %s", longest, got, want)
		}
	}
}

// TestApplyWaitsForLeases: whoever is put aside is applied when the leases have ended, and nobody else a second time.
func TestApplyWaitsForLeases(t *testing.T) {
	batch := []store.SeatRequest{{Kind: store.Register}, {Kind: store.Cancel, RequestID: "c"}}
	for name, c := range map[string]struct {
		seats leased
		calls int
	}{
		"none are out":        {leased{}, 1},
		"some are":            {leased{granted: 3, longest: time.Second}, 2},
		"more while it waits": {leased{granted: 3, longest: time.Second, regrant: 2}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				results, err := leases.Apply(t.Context(), &c.seats, batch)
				if err != nil || len(results) != 2 || results[0].Outcome != store.SoldOut || results[1].Outcome != store.Cancelled {
					t.Errorf("%+v, %v", results, err)
				}
				if len(c.seats.calls) != c.calls {
					t.Fatalf("applied %d times", len(c.seats.calls))
				}
				for i, call := range c.seats.calls[1:] {
					if len(call) != 1 || call[0].RequestID != "c" || c.seats.at[i+1].Sub(c.seats.at[i]) < leases.Wait(time.Second) {
						t.Errorf("applied again after %s: %+v", c.seats.at[i+1].Sub(c.seats.at[i]), call)
					}
				}
			})
		})
	}
}

func TestApplyFails(t *testing.T) {
	batch, broken := []store.SeatRequest{{Kind: store.Cancel}}, errors.New("broken")
	for name, c := range map[string]struct {
		patience time.Duration
		fails    error
		want     error
	}{
		"in time":             {time.Second, nil, store.ErrUnavailable},
		"with the second try": {time.Hour, broken, broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				results, err := leases.Apply(ctx, &leased{granted: 3, longest: time.Second, fails: c.fails}, batch)
				if results != nil || !errors.Is(err, c.want) {
					t.Errorf("%+v, %v", results, err)
				}
			})
		})
	}
}
