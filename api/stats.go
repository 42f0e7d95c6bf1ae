package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
)

// stats are the metrics of the API.
type stats struct {
	measure.Group
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	up       measure.Dependencies
}

func newStats(a *API) *stats {
	s := &stats{}
	s.requests = s.Counters("eventio_http_requests_total",
		"Requests that were answered: the pattern of the route, or none; the method; the status; and the outcome, which is ok or the code of the problem.",
		"route", "method", "code", "outcome")
	s.duration = s.Durations("eventio_http_request_duration_seconds", "From the headers of a request to the end of its answer. Live streams and waits for changes last as long as their clients want.",
		"route", "method", "code")
	s.up = measure.NewDependencies("queue", "workers", "store")
	s.Add(s.up)
	s.GaugeFunc("eventio_live_streams", "Live streams that are open.", func() float64 { return float64(a.Listening()) })
	s.GaugeFunc("eventio_live_waits", "Clients that wait for changes.", func() float64 { return float64(a.Waiting()) })
	return s
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
	s.requests.WithLabelValues(route, method, code, a.outcome).Inc()
	s.duration.WithLabelValues(route, method, code).Observe(measure.Since(a.begun))
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
