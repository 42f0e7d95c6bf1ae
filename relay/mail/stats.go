package mail

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
)

// Metrics returns the metrics of the sender.
func (s *Sender) Metrics() prometheus.Collector {
	g := &measure.Group{}
	count := func(outcome string, n *atomic.Int64) {
		g.LabelledCounter("eventio_mails_total", "Mails by what became of an attempt: sent, put_off, given_up, dropped.",
			prometheus.Labels{"outcome": outcome}, func() float64 { return float64(n.Load()) })
	}
	count("sent", &s.sent)
	count("put_off", &s.putOff)
	count("given_up", &s.givenUp)
	count("dropped", &s.dropped)
	g.GaugeFunc("eventio_mail_server_away", "1 from when the SMTP server could not be talked to until it can be again.", func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.pause > 0 { // also while the next attempt is made
			return 1
		}
		return 0
	})
	return g
}
