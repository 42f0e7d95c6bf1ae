package mongodb

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/eventio/eventio/pkg/store/stats"
)

// Stats are the metrics of the driver.
type Stats struct {
	commands    *prometheus.HistogramVec // by command and result
	connections *prometheus.GaugeVec     // by state
	checkOut    prometheus.Observer
	noCheckOut  prometheus.Counter
}

// NewStats returns the metrics of the driver, which are among those of a store.
func NewStats(s *stats.Store) *Stats {
	d := &Stats{
		commands:    s.Durations("eventio_mongodb_command_duration_seconds", "Commands to MongoDB, by name and whether they succeeded.", "command", "result"),
		connections: s.Gauges("eventio_store_connections", "Connections to the database, by state.", "state"),
		checkOut:    s.Durations("eventio_mongodb_checkout_seconds", "The wait for a connection of the pool.").WithLabelValues(),
		noCheckOut:  s.Counter("eventio_mongodb_checkout_failures_total", "Waits for a connection of the pool that ended without one."),
	}
	for _, state := range []string{"open", "in_use"} {
		d.connections.WithLabelValues(state)
	}
	return d
}

// CommandMonitor returns a monitor that counts commands, and calls failed for those that fail.
func (s *Stats) CommandMonitor(failed func(context.Context, *event.CommandFailedEvent)) *event.CommandMonitor {
	return &event.CommandMonitor{
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			s.commands.WithLabelValues(commandLabel(e.CommandName), "ok").Observe(e.Duration.Seconds())
		},
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			s.commands.WithLabelValues(commandLabel(e.CommandName), "failed").Observe(e.Duration.Seconds())
			failed(ctx, e)
		},
	}
}

// commandLabel returns the name of a command that programs send often, and "other" of the rest.
func commandLabel(name string) string {
	switch name {
	case "find", "getMore", "aggregate", "insert", "update", "delete", "findAndModify", "count", "distinct",
		"commitTransaction", "abortTransaction", "hello", "ping", "endSessions", "killCursors":
		return name
	default:
		return "other"
	}
}

// PoolMonitor returns a monitor that counts the connections of the pools of all servers.
func (s *Stats) PoolMonitor() *event.PoolMonitor {
	open, inUse := s.connections.WithLabelValues("open"), s.connections.WithLabelValues("in_use")
	return &event.PoolMonitor{Event: func(e *event.PoolEvent) {
		switch e.Type {
		case event.ConnectionCreated:
			open.Inc()
		case event.ConnectionClosed:
			open.Dec()
		case event.ConnectionCheckedOut:
			inUse.Inc()
			s.checkOut.Observe(e.Duration.Seconds())
		case event.ConnectionCheckedIn:
			inUse.Dec()
		case event.ConnectionCheckOutFailed:
			s.noCheckOut.Inc()
		}
	}}
}
