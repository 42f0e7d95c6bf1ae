package mongostore

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/stats"
)

// mongoStats are the metrics of a Store: those that every store has, and those of the driver.
type mongoStats struct {
	*stats.Store
	commands    *prometheus.HistogramVec // by command and result
	connections *prometheus.GaugeVec     // by state
	checkOut    prometheus.Observer
	noCheckOut  prometheus.Counter
}

func newStats() *mongoStats {
	s := &mongoStats{Store: stats.New(len(migrate.Steps()), causeCommit, causeConflict, causeKey, causeWrite, causeLogin, causeTime, causeAway)}
	s.commands = s.Durations("eventio_mongodb_command_duration_seconds", "Commands to MongoDB, by name and whether they succeeded.", "command", "result")
	s.connections = s.Gauges("eventio_store_connections", "Connections to the database, by state.", "state")
	s.checkOut = s.Durations("eventio_mongodb_checkout_seconds", "The wait for a connection of the pool.").WithLabelValues()
	s.noCheckOut = s.Counter("eventio_mongodb_checkout_failures_total", "Waits for a connection of the pool that ended without one.")
	for _, state := range []string{"open", "in_use"} {
		s.connections.WithLabelValues(state)
	}
	return s
}

// Metrics returns the metrics of the store.
func (s *Store) Metrics() prometheus.Collector { return s.stats }

// commandMonitor returns a monitor that counts commands, and calls failed for those that fail.
func (s *mongoStats) commandMonitor(failed func(context.Context, *event.CommandFailedEvent)) *event.CommandMonitor {
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

// poolMonitor returns a monitor that counts the connections of the pools of all servers.
func (s *mongoStats) poolMonitor() *event.PoolMonitor {
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

// The causes of retries.
const (
	causeCommit   = "commit"         // it is not known whether the commit was made
	causeConflict = "conflict"       // another batch has changed the event
	causeKey      = "duplicate_key"  // another batch has made the registration
	causeWrite    = "write_conflict" // two transactions wrote at the same time
	causeLogin    = "login"
	causeTime     = "time"
	causeAway     = "unavailable" // the network, an election
)

// retryCause returns the cause of a retry, for its metric.
func retryCause(err error) string {
	const writeConflict = 112
	switch {
	case errors.Is(err, mongodb.ErrCommit):
		return causeCommit
	case errors.Is(err, errConflict):
		return causeConflict
	case mongo.IsDuplicateKeyError(err):
		return causeKey
	case mongodb.HasCode(err, writeConflict):
		return causeWrite
	case mongodb.LoginRefused(err):
		return causeLogin
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return causeTime
	default:
		return causeAway
	}
}

// guessed returns what became of a guess whose transaction ended with err.
func guessed(err error) string {
	switch {
	case err == nil:
		return stats.GuessRight
	case errors.Is(err, errConflict), mongo.IsDuplicateKeyError(err):
		return stats.GuessWrong
	default:
		return stats.GuessFailed
	}
}
