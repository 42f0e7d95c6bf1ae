// Package benchtest has the benchmarks of stores: every adapter runs them.
package benchtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// Seats measures how many seat requests a second a store applies, one batch after the other. open makes a
// fresh target for each benchmark, and cleans it up.
func Seats(b *testing.B, open func(testing.TB) storetest.Target) {
	for _, size := range []int{1, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("hot_event/batch=%d", size), func(b *testing.B) {
			s := open(b).Store
			events := newEvents(b, s, 1, manySeats)
			bench(b, s, size, events, store.Registered)
		})
	}
	b.Run("1000_events/batch=256", func(b *testing.B) {
		s := open(b).Store
		bench(b, s, 256, newEvents(b, s, 1000, manySeats), store.Registered)
	})
	b.Run("full_event/batch=256", func(b *testing.B) {
		s := open(b).Store
		events := newEvents(b, s, 1, 1)
		storetest.MustApply(b, s, storetest.NewRequest(events[0].ID))
		bench(b, s, 256, events, store.SoldOut)
	})
}

// manySeats is a capacity that no benchmark uses up.
const manySeats = 1_000_000_000

func newEvents(b *testing.B, s store.Events, n int, capacity int64) []store.Event {
	b.Helper()
	events := make([]store.Event, n)
	for i := range events {
		events[i] = storetest.NewEvent(b, s, capacity)
	}
	return events
}

// bench applies batches that register new users, spread evenly over the events. All must have the wanted
// outcome. Making the requests is measured too, but costs little.
func bench(b *testing.B, s store.Store, size int, events []store.Event, want store.Outcome) {
	b.Helper()
	batch := make([]store.SeatRequest, size)
	next := 0
	for b.Loop() {
		for i := range batch {
			batch[i] = storetest.NewRequest(events[next].ID)
			next = (next + 1) % len(events)
		}
		ctx, cancel := context.WithTimeout(b.Context(), storetest.Limit) // a worker's calls have one too
		results, err := s.Apply(ctx, batch)
		cancel()
		if err != nil {
			b.Fatalf("apply: %v", err)
		}
		for _, res := range results {
			if res.Outcome != want {
				b.Fatalf("outcome is %s, want %s", res.Outcome, want)
			}
		}
	}
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "requests/s")
	for _, e := range events {
		storetest.Check(b, s, e.ID)
	}
}
