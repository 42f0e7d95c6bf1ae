// Package measure is how components make their metrics: each has a Group of them in its stats.go, and a
// method Metrics that returns it. Whoever puts the components together registers the groups, or leaves
// that out: nothing is global, and metrics that nobody registers only cost what counting costs.
//
// # Names and labels
//
// Names begin with eventio_ and the component, and end as Prometheus has it: _total for counters,
// _seconds for durations. A label has few values, all known before: an outcome, the pattern of a route,
// a status. It never is an id, a path, or anything else that a client chooses.
package measure

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Group is a list of metrics that are registered together. The zero value is empty. Its methods that add
// a metric are for the making of a component; all others are safe for concurrent use.
type Group struct{ all []prometheus.Collector }

// Describe implements prometheus.Collector.
func (g *Group) Describe(to chan<- *prometheus.Desc) {
	for _, c := range g.all {
		c.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (g *Group) Collect(to chan<- prometheus.Metric) {
	for _, c := range g.all {
		c.Collect(to)
	}
}

// Add puts a metric into the group that was made elsewhere.
func (g *Group) Add(c prometheus.Collector) { g.all = append(g.all, c) }

// add puts a metric into a group.
func add[C prometheus.Collector](g *Group, c C) C {
	g.all = append(g.all, c)
	return c
}

// Counter adds a counter.
func (g *Group) Counter(name, help string) prometheus.Counter {
	return add(g, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

// Counters adds a counter for each combination of the values of labels.
func (g *Group) Counters(name, help string, labels ...string) *prometheus.CounterVec {
	return add(g, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels))
}

// CounterFunc adds a counter that is read when it is asked for.
func (g *Group) CounterFunc(name, help string, read func() float64) {
	g.LabelledCounter(name, help, nil, read)
}

// LabelledCounter is CounterFunc for a counter that has labels.
func (g *Group) LabelledCounter(name, help string, labels prometheus.Labels, read func() float64) {
	add(g, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

// Gauge adds a value that goes up and down.
func (g *Group) Gauge(name, help string) prometheus.Gauge {
	return add(g, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

// Gauges adds such a value for each combination of the values of labels.
func (g *Group) Gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return add(g, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels))
}

// GaugeFunc adds a value that is read when it is asked for. read must be safe for concurrent use.
func (g *Group) GaugeFunc(name, help string, read func() float64) {
	g.LabelledFunc(name, help, nil, read)
}

// LabelledFunc is GaugeFunc for a value that has labels.
func (g *Group) LabelledFunc(name, help string, labels prometheus.Labels, read func() float64) {
	add(g, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

// Durations adds a histogram of seconds for each combination of the values of labels.
func (g *Group) Durations(name, help string, labels ...string) *prometheus.HistogramVec {
	return add(g, prometheus.NewHistogramVec(histogram(name, help, durations()), labels))
}

// Sizes adds a histogram of numbers of things.
func (g *Group) Sizes(name, help string) prometheus.Histogram {
	return add(g, prometheus.NewHistogram(histogram(name, help, prometheus.ExponentialBuckets(1, 2, 11))))
}

// durations returns the classic buckets, in seconds: from what a cached answer takes to what no caller
// waits for. 0.1 and 1 are those of the alerts.
func durations() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// histogram returns the options of a histogram that is classic and native at the same time: a server
// takes what it knows. Each bucket of the native one is 10 % wider than the one before, and there are 160
// at most, as the documentation of client_golang advises.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}
}

// Since returns the seconds since a time.
func Since(begun time.Time) float64 { return time.Since(begun).Seconds() }

// Dependencies says which of the parts that a process needs it could use when it looked last.
// It is the metric itself. The zero value notes nothing.
type Dependencies struct{ *prometheus.GaugeVec }

// NewDependencies returns the metric, with all parts away until they are seen.
func NewDependencies(parts ...string) Dependencies {
	d := Dependencies{prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "eventio_dependency_up",
		Help: "1 when the part could be used at the last look, which is every 5 s at least: the store, the queue (NATS), workers that answer.",
	}, []string{"dependency"})}
	for _, part := range parts {
		d.Set(part, false)
	}
	return d
}

// Set notes whether a part can be used.
func (d Dependencies) Set(part string, up bool) {
	if d.GaugeVec == nil {
		return
	}
	value := 0.0
	if up {
		value = 1
	}
	d.WithLabelValues(part).Set(value)
}
