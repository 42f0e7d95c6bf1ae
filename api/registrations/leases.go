package registrations

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/soldout"
)

// newLeases makes the leases of events that are sold out.
func newLeases(core *serve.Core) *soldout.Leases {
	return soldout.New(soldout.Config{
		Entered: core.Store.Entered,
		Go: func(read func()) {
			core.Background.Go(func() {
				if err := serve.Recovered(func() error { read(); return nil }); err != nil {
					core.Log.Error().Err(err).Msg("who has registered cannot be read")
				}
			})
		},
		Timeout: core.Config.RequestTimeout / 2, Ending: core.Ending, Log: core.Log,
	})
}

// Metrics returns the metrics of what is answered without a worker.
func (a *Handlers) Metrics() prometheus.Collector { return a.leases.Metrics() }
