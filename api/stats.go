package api

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/telemetry/measure"
)

// stats are the metrics of the API.
type stats struct {
	measure.Group
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	up       measure.Dependencies

	mu    sync.Mutex                         // for who replaces known
	known atomic.Pointer[map[labels]counted] // nil: none yet; nobody changes the map
}

// labels are those of an answer, and counted is what counts it. What is kept by labels is found without the hashing and
// the locks of the metrics, which took 2 % of a request.
type (
	labels  struct{ route, method, code, outcome string }
	counted struct {
		requests prometheus.Counter
		duration prometheus.Observer
	}
)

func newStats(a *API) *stats {
	s := &stats{}
	s.requests = s.Counters("eventio_http_requests_total",
		"Requests that were answered: the pattern of the route, or none; the method; the status; and the outcome, which is ok or the code of the problem.",
		"route", "method", "code", "outcome")
	s.duration = s.Durations("eventio_http_request_duration_seconds", "From the headers of a request to the end of its answer. Live streams and waits for changes last as long as their clients want.",
		"route", "method", "code")
	s.up = measure.NewDependencies("queue", "workers", "store")
	s.Add(s.up)
	s.Add(a.registrations.Metrics())
	s.GaugeFunc("eventio_live_streams", "Live streams that are open.", func() float64 { return float64(a.Listening()) })
	s.GaugeFunc("eventio_live_waits", "Clients that wait for changes.", func() float64 { return float64(a.Waiting()) })
	return s
}

// expect has the faults that a route may answer counted from 0: Prometheus sees no rise in a counter that was not there before, and a
// burst of faults between two of its looks would be none.
func (s *stats) expect(rt route) {
	for _, code := range append(slices.Clip(rt.operation.Problems), problem.Internal) {
		if status := problem.New(code).Status; status >= http.StatusInternalServerError {
			s.requests.WithLabelValues(rt.pattern, rt.method, strconv.Itoa(status), string(code))
		}
	}
}

// Metrics returns the metrics of the API.
func (a *API) Metrics() prometheus.Collector { return a.stats }

// answer is what is counted of an answered request.
type answer struct {
	method, pattern string
	status          int
	outcome         string
	begun           time.Time
}

// answered counts an answer. What a client chooses is folded: all of its labels have few values.
func (s *stats) answered(a answer) {
	route, method, code := a.pattern, methodLabel(a.method), strconv.Itoa(a.status)
	if route == "" {
		route = "none"
	}
	if a.status == 0 { // nothing was written: net/http says 200
		code = "200"
	}
	c := s.of(labels{route, method, code, a.outcome})
	c.requests.Inc()
	c.duration.Observe(measure.Since(a.begun))
}

// of returns what counts the answers with the labels. They have few values, so that all are known soon.
func (s *stats) of(l labels) counted {
	if known := s.known.Load(); known != nil {
		if c, ok := (*known)[l]; ok {
			return c
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := counted{s.requests.WithLabelValues(l.route, l.method, l.code, l.outcome), s.duration.WithLabelValues(l.route, l.method, l.code)}
	known := map[labels]counted{l: c}
	if before := s.known.Load(); before != nil {
		maps.Copy(known, *before)
	}
	s.known.Store(&known)
	return c
}

// methodLabel returns a method that the API knows, and "other" for the rest.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}
