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
	g.GaugeFunc("eventio_mail_server_away", "1 while no mail is tried, because the SMTP server cannot be talked to.", func() float64 {
		if s.awayFor() > 0 {
			return 1
		}
		return 0
	})
	return g
}
