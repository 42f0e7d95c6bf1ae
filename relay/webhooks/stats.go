package webhooks

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
)

// stats are the metrics of a Caller.
type stats struct {
	measure.Group
	calls       *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	switchedOff prometheus.Counter
}

func newStats(c *Caller) *stats {
	s := &stats{}
	s.calls = s.Counters("eventio_webhook_calls_total", "Calls of webhooks, by result: ok, failed, gone (the receiver wants no more).", "result")
	s.duration = s.Durations("eventio_webhook_call_duration_seconds", "Calls of webhooks.", "result")
	for _, result := range []string{"ok", "failed", "gone"} {
		s.calls.WithLabelValues(result)
		s.duration.WithLabelValues(result)
	}
	s.switchedOff = s.Counter("eventio_webhooks_switched_off_total", "Webhooks that were switched off because their calls fail.")
	s.GaugeFunc("eventio_webhooks_being_called", "Webhooks that this process calls now.", func() float64 { return float64(len(c.slots)) })
	return s
}

// called counts a call.
func (s *stats) called(a answer, seconds float64) {
	result := "failed"
	switch {
	case a.ok:
		result = "ok"
	case a.gone:
		result = "gone"
	}
	s.calls.WithLabelValues(result).Inc()
	s.duration.WithLabelValues(result).Observe(seconds)
}

// Metrics returns the metrics of the caller.
func (c *Caller) Metrics() prometheus.Collector { return c.stats }
