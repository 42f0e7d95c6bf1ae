package loadtest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// beforeRound is one round of BenchmarkAgainstBefore.
type beforeRound struct{ now, before burst }

func (r beforeRound) ratio() float64 { return r.now.perSecond() / r.before.perSecond() }

func (r beforeRound) String() string {
	return fmt.Sprintf("round   now %6.0f/s, before %6.0f/s, ratio %.2f", r.now.perSecond(), r.before.perSecond(), r.ratio())
}

// wantOfBefore is the least goodput that is borne, as a part of the earlier build's.
const wantOfBefore = 0.9

// BenchmarkAgainstBefore fires at one event with free seats, at this build and in turn at an
// earlier one: api and worker in the folder LOADTEST_BEFORE. It fails when this one is slower.
func BenchmarkAgainstBefore(b *testing.B) {
	bin := os.Getenv("LOADTEST_BEFORE")
	if bin == "" {
		b.Skip("LOADTEST_BEFORE names no folder with an earlier api and worker")
	}
	now, before := startSystem(b), startSystemFrom(b, bin)
	round := func() beforeRound { return beforeRound{now.hotBurst(b), before.hotBurst(b)} }
	round() // opens connections, fills caches
	var done []beforeRound
	for b.Loop() {
		for range rounds {
			done = append(done, round())
		}
	}
	ratio := median(done, beforeRound.ratio)
	b.ReportMetric(ratio, "ratio")
	report(b, fmt.Sprintf("medians now %6.0f/s, before %6.0f/s, ratio %.2f",
		median(done, func(r beforeRound) float64 { return r.now.perSecond() }),
		median(done, func(r beforeRound) float64 { return r.before.perSecond() }), ratio), done)
	if ratio < wantOfBefore {
		b.Fatalf("the ratio is %.2f, want at least %.1f", ratio, wantOfBefore)
	}
}

// hotBurst makes an event over HTTP, which every build understands, and fires at it.
func (s *system) hotBurst(b *testing.B) burst {
	b.Helper()
	starts := time.Date(2099, 1, 1, 20, 0, 0, 0, time.UTC)
	event, err := s.client.CreateEvent(b.Context(), client.NewEvent{
		OrganizerID: store.NewID(), Title: "Concert", Capacity: 1_000_000, StartsAt: starts, EndsAt: starts.Add(2 * time.Hour),
	})
	if err != nil {
		b.Fatal(err)
	}
	all := fire(b, s.addr, event.ID, connections, hotRequests)
	s.check(b, event.ID, all)
	return all
}
