package messages

import (
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/messages/internal/liveness"
)

// stats are the metrics of a Requester.
type stats struct {
	measure.Group
	requests *prometheus.CounterVec // by outcome
	attempts *prometheus.CounterVec // by result
	doubts   prometheus.Counter
	duration prometheus.Observer
}

func newStats(r *Requester) *stats {
	s := &stats{}
	s.requests = s.Counters("eventio_requester_requests_total", "Seat requests, by what their callers were told.", "outcome")
	s.attempts = s.Counters("eventio_requester_attempts_total", "Messages with a seat request, by what came of them: replied, no_reply in time, no_worker there, lost.", "result")
	for _, result := range []string{"replied", "no_reply", "no_worker", "lost"} {
		s.attempts.WithLabelValues(result)
	}
	s.doubts = s.Counter("eventio_requester_doubts_total", "Seat requests whose callers were told that the outcome is not known.")
	s.duration = s.Durations("eventio_requester_duration_seconds", "From a seat request to its answer, with all attempts.").WithLabelValues()
	workers := func(state string, suspect bool) {
		s.LabelledFunc("eventio_requester_workers", "Workers that are known, by whether they answer pings. A process that sends no requests pings nobody and keeps what it knew.",
			prometheus.Labels{"state": state}, func() float64 { return float64(r.router.count(suspect)) })
	}
	workers("answering", false)
	workers("silent", true)
	s.GaugeFunc("eventio_requester_in_flight_messages", "Messages whose replies are waited for.", func() float64 { return float64(r.batcher.waiting()) })
	return s
}

// attempted counts an attempt by its result.
func (s *stats) attempted(err error) {
	result := "replied"
	switch {
	case err == nil:
	case errors.Is(err, errNoReply):
		result = "no_reply"
	case errors.Is(err, nats.ErrNoResponders), neverSent(err):
		result = "no_worker"
	default:
		result = "lost"
	}
	s.attempts.WithLabelValues(result).Inc()
}

// answered counts an answer.
func (s *stats) answered(o Outcome) {
	s.requests.WithLabelValues(string(o)).Inc()
	if o == OutcomeUnknown {
		s.doubts.Inc()
	}
}

// Metrics returns the metrics of the requester.
func (r *Requester) Metrics() prometheus.Collector { return r.stats }

// count returns how many workers are known that are suspect, or not.
func (r *router) count(suspect bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, missed := range r.workers.Missed {
		if liveness.IsSuspect(missed) == suspect {
			n++
		}
	}
	return n
}

// waiting returns how many messages wait for replies.
func (b *batcher) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.inFlight)
}

// ConnectionMetrics returns the metrics of a connection that Connect has made.
func ConnectionMetrics(conn *nats.Conn) prometheus.Collector {
	g, labels := &measure.Group{}, prometheus.Labels{"connection": conn.Opts.Name}
	g.LabelledFunc("eventio_nats_connected", "1 while the connection to NATS is there, by the name of the connection.", labels, func() float64 {
		if conn.IsConnected() {
			return 1
		}
		return 0
	})
	g.LabelledCounter("eventio_nats_reconnects_total", "Times at which the connection to NATS was made again.", labels, func() float64 {
		return float64(conn.Stats().Reconnects)
	})
	return g
}
