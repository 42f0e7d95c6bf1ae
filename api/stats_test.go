package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/telemetry/measure"
)

// newTestStats are stats of no API.
func newTestStats() *stats {
	s := &stats{up: measure.NewDependencies()}
	s.requests = s.Counters("requests_total", "help", "route", "method", "code", "outcome")
	s.duration = s.Durations("duration_seconds", "help", "route", "method", "code")
	return s
}

// TestLabelsAreFolded: nothing that a client chooses is a label.
func TestLabelsAreFolded(t *testing.T) {
	s := newTestStats()
	for _, method := range []string{"PROPFIND", "", "get", "X\n", "ÄÖ"} {
		s.answered(answer{method: method, status: http.StatusNotFound, outcome: "not_found", begun: time.Now()})
	}
	s.answered(answer{method: http.MethodGet, pattern: "/livez", outcome: "ok", begun: time.Now()})
	if n := testutil.CollectAndCount(s.requests); n != 2 {
		t.Errorf("%d series", n)
	}
	if n := testutil.ToFloat64(s.requests.WithLabelValues("none", "other", "404", "not_found")); n != 5 {
		t.Errorf("%v unknown methods are counted", n)
	}
	if n := testutil.ToFloat64(s.requests.WithLabelValues("/livez", "GET", "200", "ok")); n != 1 {
		t.Errorf("an answer without a status is counted %v times as 200", n)
	}
}

// TestFaultsAreCountedFromZero: a burst of faults of a kind that was not there before is a rise for who looks now and then.
func TestFaultsAreCountedFromZero(t *testing.T) {
	s := newSiteWithoutWorker(t, "sqlite").start(t, identity.Keys{}).stats
	all := testutil.CollectAndCount(s.requests)
	for _, l := range [][4]string{
		{"/api/events/{id}/registrations", "POST", "503", "overloaded"}, {"/api/events/{id}/registrations", "POST", "504", "unknown_outcome"},
		{"/api/events", "GET", "503", "overloaded"}, {"/api/login", "POST", "500", "internal"},
	} {
		if s.requests.WithLabelValues(l[:]...); testutil.CollectAndCount(s.requests) != all {
			t.Fatalf("nothing counts %v", l)
		}
	}
}

// BenchmarkStats compares what counting an answer costs with its baseline: one without labels to look up, the
// least that any counting can cost.
func BenchmarkStats(b *testing.B) {
	b.Run("counter", func(b *testing.B) {
		c := newTestStats().requests.WithLabelValues("/livez", "GET", "200", "ok")
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Inc()
			}
		})
	})
	b.Run("answered", func(b *testing.B) {
		s, begun := newTestStats(), time.Now()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				s.answered(answer{"POST", "/api/events/{id}/registrations", 201, "ok", begun})
			}
		})
	})
}
