package identity

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
)

// stats are the metrics of a Guard.
type stats struct {
	measure.Group
	failures prometheus.Counter
}

func newStats(g *Guard) *stats {
	s := &stats{}
	s.failures = s.Counter("eventio_revocations_failures_total", "Readings of the revocations that failed.")
	s.GaugeFunc("eventio_revocations_age_seconds", "How long ago the revocations were read that this process goes by.", func() float64 {
		return measure.Since(time.Unix(0, g.readAt.Load()))
	})
	s.GaugeFunc("eventio_revocations", "Users of whom earlier tokens are refused.", func() float64 {
		g.mu.RLock()
		defer g.mu.RUnlock()
		return float64(len(g.revoked))
	})
	return s
}

// Metrics returns the metrics of the guard.
func (g *Guard) Metrics() prometheus.Collector { return g.stats }
