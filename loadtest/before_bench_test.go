package loadtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// beforeRound is one round of BenchmarkAgainstBefore.
type beforeRound struct{ now, before burst }

func (r beforeRound) ratio() float64 { return r.now.perSecond() / r.before.perSecond() }

func (r beforeRound) String() string {
	return fmt.Sprintf("round   now %6.0f/s, before %6.0f/s, ratio %.2f", r.now.perSecond(), r.before.perSecond(), r.ratio())
}

// BenchmarkAgainstBefore fires at one event with free places, at this build and in turn at
// an earlier one: api and worker in the folder LOADTEST_BEFORE.
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
}

// hotBurst makes an event over HTTP, which every build understands, and fires at it.
func (s *system) hotBurst(b *testing.B) burst {
	b.Helper()
	body := fmt.Appendf(nil, `{"organizer_id":"%s","title":"Concert","capacity":1000000,`+
		`"starts_at":"2099-01-01T20:00:00Z","ends_at":"2099-01-01T22:00:00Z"}`, store.NewID().Hex())
	res, err := http.Post("http://"+s.addr+"/api/events", "application/json", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var event struct {
		ID store.ID `json:"id"`
	}
	if err := json.NewDecoder(res.Body).Decode(&event); err != nil || res.StatusCode != http.StatusCreated {
		b.Fatalf("a new event: %s, %v", res.Status, err)
	}
	all := fire(b, s.addr, event.ID, connections, hotRequests)
	s.check(b, event.ID, all)
	return all
}
