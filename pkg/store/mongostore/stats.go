package mongostore

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/stats"
)

// mongoStats are the metrics of a Store: those that every store has, and those of the driver.
type mongoStats struct {
	*stats.Store
	driver *mongodb.Stats
}

func newStats() *mongoStats {
	s := stats.New(len(migrate.Steps()), causeCommit, causeConflict, causeKey, causeWrite, causeLogin, causeTime, causeAway)
	return &mongoStats{s, mongodb.NewStats(s)}
}

// Metrics returns the metrics of the store.
func (s *Store) Metrics() prometheus.Collector { return s.stats }

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
