package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
)

// stats are the metrics of a Relay.
type stats struct {
	measure.Group
	rows     *prometheus.CounterVec // by sink
	failures *prometheus.CounterVec // by sink
	leading  *prometheus.GaugeVec   // by sink

	mu    sync.Mutex // guards until
	until map[string]time.Time
}

func newStats() *stats {
	s := &stats{until: make(map[string]time.Time)}
	s.rows = s.Counters("eventio_relay_rows_total", "Rows of the record of changes that were told, by sink.", "sink")
	s.failures = s.Counters("eventio_relay_failures_total", "Attempts to tell rows that failed and are repeated, by sink.", "sink")
	s.leading = s.Gauges("eventio_relay_leading", "1 while this process holds the lease of the sink, so that it is the one that tells.", "sink")
	s.Add(&lag{s, prometheus.NewDesc("eventio_relay_lag_seconds",
		"How old the oldest row of the record is that the sink has not told yet, looked at every few seconds by every process that runs the sink, whoever holds its lease. A process that cannot look shows how long ago the last look was, at least.",
		[]string{"sink"}, nil)})
	return s
}

// Metrics returns the metrics of the relay.
func (r *Relay) Metrics() prometheus.Collector { return r.stats }

// lag is the metric of what was told up to when. It has a value for each sink that runs.
type lag struct {
	stats *stats
	desc  *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (l *lag) Describe(to chan<- *prometheus.Desc) { to <- l.desc }

// Collect implements prometheus.Collector.
func (l *lag) Collect(to chan<- prometheus.Metric) {
	l.stats.mu.Lock()
	defer l.stats.mu.Unlock()
	for sink, until := range l.stats.until {
		to <- prometheus.MustNewConstMetric(l.desc, prometheus.GaugeValue, measure.Since(until), sink)
	}
}

// begin makes the metrics of a sink, so that they are there before anything is told.
func (s *stats) begin(sink string) {
	s.rows.WithLabelValues(sink)
	s.failures.WithLabelValues(sink)
	s.leading.WithLabelValues(sink)
	s.told(sink, time.Now())
}

// told notes that a sink had told everything that is older than a time.
func (s *stats) told(sink string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until[sink] = until
}

// lookEvery is the pause between two looks at how far a sink is behind.
const lookEvery = 5 * time.Second

// watchLag looks again and again at how far a sink is behind, until ctx ends. It looks at what is
// stored, so it does not matter which process tells, or whether any does.
func (r *Relay) watchLag(ctx context.Context, sink string) {
	for ctx.Err() == nil {
		begun := time.Now()
		switch at, err := r.firstUntold(ctx, sink); {
		case err != nil: // the lag grows meanwhile
		case at.IsZero():
			r.stats.told(sink, begun)
		default:
			r.stats.told(sink, at)
		}
		wait.For(ctx, r.config.LookEvery)
	}
}

// firstUntold returns when the oldest row was made that a sink has not told; zero: there is none.
func (r *Relay) firstUntold(ctx context.Context, sink string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	at, err := r.store.ConsumerPosition(ctx, sink)
	if errors.Is(err, store.ErrConsumerNotFound) { // it will begin at the present
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	for next, err := range r.store.Follow(ctx, at) {
		return next.Record.At, err
	}
	return time.Time{}, context.Cause(ctx)
}
