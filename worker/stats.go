package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/messages"
)

// Why a worker refuses a request, or a whole message, before it reaches a batch.
const (
	refusedInbox      = "no_inbox"   // its reply subject is no inbox
	refusedUnreadable = "unreadable" // the message cannot be decoded
	refusedInvalid    = "invalid"    // the API cannot have sent it
	refusedUnknown    = "recovering" // the worker was stopped a moment ago, and does not know how old it is
	refusedFull       = "queue_full"
)

// stats are the metrics of a worker.
type stats struct {
	measure.Group
	requests  *prometheus.CounterVec // by kind and outcome
	duration  prometheus.Observer
	refused   *prometheus.CounterVec // by reason
	expired   prometheus.Counter
	batch     prometheus.Observer
	batchTime prometheus.Observer
	splits    prometheus.Counter
	untold    prometheus.Counter
	pauses    prometheus.Counter

	leases     prometheus.Counter
	leaseWaits prometheus.Counter
}

func newStats(q *queue) *stats {
	s := &stats{}
	s.requests = s.Counters("eventio_worker_requests_total", "Seat requests that were answered, by what they asked for and what became of them.", "kind", "outcome")
	s.duration = s.Durations("eventio_worker_request_duration_seconds", "From the arrival of a seat request to its reply.").WithLabelValues()
	s.refused = s.Counters("eventio_worker_refused_total", "Seat requests, or whole messages, that were refused before they were in a batch, by the reason.", "reason")
	for _, reason := range []string{refusedInbox, refusedUnreadable, refusedInvalid, refusedUnknown, refusedFull} {
		s.refused.WithLabelValues(reason)
	}
	s.expired = s.Counter("eventio_worker_expired_total", "Seat requests whose callers had too little time left when their batch was applied.")
	s.batch = s.Sizes("eventio_worker_batch_requests", "Seat requests in a batch.")
	s.batchTime = s.Durations("eventio_worker_batch_duration_seconds", "From the taking of a batch to the last of its replies.").WithLabelValues()
	s.splits = s.Counter("eventio_worker_batch_splits_total", "Batches that failed and were tried again in parts.")
	s.untold = s.Counter("eventio_worker_news_dropped_total", "Batches whose news were not published, because too many waited for that.")
	s.pauses = s.Counter("eventio_worker_pauses_total", "Times at which the worker noticed that its process had been stopped for a while.")
	s.leases = s.Counter("eventio_worker_leases_granted_total", "Leases that were granted, by which API processes say for a while that an event is sold out.")
	s.leaseWaits = s.Counter("eventio_worker_lease_waits_total", "Times at which a seat request was put aside until leases of its event have ended.")
	s.GaugeFunc("eventio_worker_queue_held_requests", "Seat requests that wait until leases of their events have ended.", func() float64 { return float64(q.heldRequests()) })
	s.GaugeFunc("eventio_worker_queue_requests", "Seat requests that wait for a batch.", func() float64 { return float64(q.length()) })
	s.GaugeFunc("eventio_worker_queue_oldest_seconds", "How long the seat request waits that has waited longest for a batch; 0 when none waits.", func() float64 {
		return q.oldestWait(time.Now()).Seconds()
	})
	s.GaugeFunc("eventio_worker_events_in_flight", "Events of which a batch is being applied.", func() float64 { return float64(q.inFlight()) })
	return s
}

// answeredRequest counts a reply.
func (s *stats) answeredRequest(r request, outcome messages.Outcome) {
	s.requests.WithLabelValues(string(r.Kind), string(outcome)).Inc()
	s.duration.Observe(measure.Since(r.received))
}

// Metrics returns the metrics of the worker.
func (w *Worker) Metrics() prometheus.Collector { return w.stats }
