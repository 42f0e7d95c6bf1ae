// Package telemetry shows operators what a process does: its metrics in the format of Prometheus, and the
// profiles of Go, on a listener of their own that has nothing of the public one.
package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/eventio/eventio/internal/process"
)

// NewRegistry returns the registry of a process, with the metrics that every program has: of Go, of the
// process, and eventio_build_info.
func NewRegistry(program string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := process.ReadBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "eventio_build_info", Help: "1, with what was built: the program, its version and commit, and the version of Go.",
		ConstLabels: prometheus.Labels{"program": program, "version": build.Version, "commit": build.Commit, "goversion": build.Go},
	})
	info.Set(1)
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
