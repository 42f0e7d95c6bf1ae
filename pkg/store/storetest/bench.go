package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// Bench runs the benchmark suite: how many seat requests a second the store settles, one
// batch after the other. open makes a fresh target, with cleanup, for each benchmark.
func Bench(b *testing.B, open func(testing.TB) Target) {
	for _, size := range []int{1, 16, 64, 256, 1024} {
		b.Run(fmt.Sprintf("hot_event/batch=%d", size), func(b *testing.B) {
			s := open(b).Store
			events := newEvents(b, s, 1, manyPlaces)
			bench(b, s, size, events, store.Registered)
		})
	}
	b.Run("1000_events/batch=256", func(b *testing.B) {
		s := open(b).Store
		bench(b, s, 256, newEvents(b, s, 1000, manyPlaces), store.Registered)
	})
	b.Run("full_event/batch=256", func(b *testing.B) {
		s := open(b).Store
		events := newEvents(b, s, 1, 1)
		apply(b, s, Wish(events[0].ID))
		bench(b, s, 256, events, store.SoldOut)
	})
}

// manyPlaces are more than any benchmark fills.
const manyPlaces = 1_000_000_000

func newEvents(b *testing.B, s store.Events, n int, capacity int64) []store.Event {
	b.Helper()
	events := make([]store.Event, n)
	for i := range events {
		events[i] = NewEvent(b, s, capacity)
	}
	return events
}

// bench applies batches of new users' requests, spread evenly over the events, all of which
// must end in the wanted outcome. Making the requests is timed too; it costs little beside them.
func bench(b *testing.B, s store.Store, size int, events []store.Event, want store.Outcome) {
	b.Helper()
	batch := make([]store.SeatRequest, size)
	next := 0
	for b.Loop() {
		for i := range batch {
			batch[i] = Wish(events[next].ID)
			next = (next + 1) % len(events)
		}
		ctx, cancel := context.WithTimeout(b.Context(), limit) // a worker's calls have one too
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
		Check(b, s, e.ID)
	}
}
