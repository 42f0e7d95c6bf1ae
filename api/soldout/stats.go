package soldout

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
)

// stats are the metrics of leases.
type stats struct {
	measure.Group
	memory, worker prometheus.Counter
	granted        prometheus.Counter
}

func newStats(l *Leases) *stats {
	s := &stats{}
	answers := s.Counters("eventio_sold_out_answers_total", "Answers that an event is sold out: by a worker, or from memory during a lease.", "by")
	s.memory, s.worker = answers.WithLabelValues("memory"), answers.WithLabelValues("worker")
	s.granted = s.Counter("eventio_sold_out_leases_total", "Leases that workers have granted to this process: promises that for a while nobody gets a seat in an event.")
	s.GaugeFunc("eventio_sold_out_people", "People of sold-out events whom this process remembers in order not to refuse them from memory.", func() float64 {
		l.mu.Lock()
		defer l.mu.Unlock()
		return float64(l.people)
	})
	return s
}

// Metrics returns the metrics of leases.
func (l *Leases) Metrics() prometheus.Collector { return l.stats }
