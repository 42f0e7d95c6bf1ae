// Package stats has the metrics that both adapters of a store have, so that they have the same names.
package stats

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/store"
)

// What became of a guess: a batch that was decided before its transaction, on what was known.
const (
	GuessRight  = "right"
	GuessWrong  = "wrong"  // another batch was faster: it is decided anew
	GuessFailed = "failed" // the transaction failed for another reason
	NoGuess     = "none"   // the batch had to be decided in its transaction
)

// Store are the metrics of a store. An adapter adds its own to the group.
type Store struct {
	measure.Group
	// Load, Decide, Save and Commit take how long a part of applying a batch took, in seconds.
	Load, Decide, Save, Commit prometheus.Observer
	// Retries counts batches that are tried again, by the cause: a word of a closed set.
	Retries *prometheus.CounterVec
	// Guesses counts batches by what became of their guess.
	Guesses *prometheus.CounterVec
	failed  *prometheus.CounterVec
}

// New returns the metrics of a store that knows a version of the schema, with the causes of its retries.
func New(schema int, causes ...string) *Store {
	s := &Store{}
	phases := s.Durations("eventio_store_batch_phase_seconds", "Parts of applying a batch of seat requests: load, decide, save (the writes), commit.", "phase")
	s.Load, s.Decide, s.Save, s.Commit = phases.WithLabelValues("load"), phases.WithLabelValues("decide"),
		phases.WithLabelValues("save"), phases.WithLabelValues("commit")
	s.Retries = s.Counters("eventio_store_batch_retries_total", "Tries of a batch that failed and were repeated, by the cause.", "cause")
	for _, cause := range causes {
		s.Retries.WithLabelValues(cause)
	}
	s.Guesses = s.Counters("eventio_store_guesses_total", "Batches by what became of the guess at the state of their events, on which they were decided before their transaction.", "result")
	for _, result := range []string{GuessRight, GuessWrong, GuessFailed, NoGuess} {
		s.Guesses.WithLabelValues(result)
	}
	s.failed = s.Counters("eventio_store_batch_failures_total", "Batches that failed for good, by the reason.", "reason")
	for _, reason := range []string{"unavailable", "full", "other"} {
		s.failed.WithLabelValues(reason)
	}
	s.GaugeFunc("eventio_store_schema_version", "The version of the schema that the program knows, and to which it has brought the database.", func() float64 {
		return float64(schema)
	})
	return s
}

// Fail counts a batch that failed.
func (s *Store) Fail(err error) {
	reason := "other"
	switch {
	case errors.Is(err, store.ErrStorageFull):
		reason = "full"
	case errors.Is(err, store.ErrUnavailable):
		reason = "unavailable"
	}
	s.failed.WithLabelValues(reason).Inc()
}
