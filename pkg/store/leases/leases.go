// Package leases is for who applies seat requests: it says how long to wait until leases of sold-out events have ended
// (store.LeaseOut), and applies for tools, which have nothing else to do meanwhile.
package leases

import (
	"context"
	"time"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
)

// drift is by how much of a lease the clocks of two processes may run differently fast, as 1/drift of it, and margin what is
// waited beside that: clocks of milliseconds, and an instruction between two looks at one.
const (
	drift  = 100
	margin = 10 * time.Millisecond
)

// Wait returns how long after the store has answered leases of that length have ended, everywhere. Whoever may refuse because of
// one counts it from before that.
func Wait(longest time.Duration) time.Duration { return longest + longest/drift + margin }

// Apply applies a batch as store.Seats does, and where leases may be out waits until they have ended, as long as ctx allows.
// Then the error matches store.ErrUnavailable.
func Apply(ctx context.Context, seats store.Seats, batch []store.SeatRequest) ([]store.SeatResult, error) {
	results, err := seats.Apply(ctx, batch)
	for err == nil {
		longest, again := time.Duration(0), []int(nil)
		for i, res := range results {
			if res.Outcome == store.LeaseOut {
				longest, again = max(longest, Wait(res.Lease)), append(again, i)
			}
		}
		if len(again) == 0 {
			return results, nil
		}
		if !wait.For(ctx, longest) {
			return nil, store.ErrUnavailable
		}
		rest := make([]store.SeatRequest, len(again))
		for n, i := range again {
			rest[n] = batch[i]
			rest[n].LeasesEnded = results[i].LeasesGranted
		}
		var anew []store.SeatResult
		if anew, err = seats.Apply(ctx, rest); err == nil {
			for n, i := range again {
				results[i] = anew[n]
			}
		}
	}
	return nil, err
}
