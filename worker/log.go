package worker

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
)

// maxTraceIDs bounds the trace ids in a log line about a batch that failed.
const maxTraceIDs = 10

// logRequest writes a log line about an answered request. Its request_id is the trace id, the
// same as in the API's line and in the X-Request-Id of the HTTP response.
func (w *Worker) logRequest(r request, outcome messages.Outcome) {
	line := w.log.Info().Str("request_id", r.TraceID).Str("event_id", r.EventID.Hex())
	if id := tracing.ID(r.trace); id != "" {
		line.Str("trace_id", id)
	}
	if !r.UserID.IsZero() { // an edit is about nobody
		line.Str("user_id", r.UserID.Hex())
	}
	if r.Actor.Kind != "" { // an API of a version before does not say it
		line.Str("actor_kind", string(r.Actor.Kind))
	}
	if !r.Actor.ID.IsZero() {
		line.Str("actor_id", r.Actor.ID.Hex())
	}
	if r.Actor.Proof != "" {
		line.Str("actor_proof", string(r.Actor.Proof))
	}
	line.Str("kind", string(r.Kind)).Str("outcome", string(outcome)).
		Float64("duration_ms", float64(time.Since(r.received).Microseconds())/1000)
	if w.log.GetLevel() <= zerolog.DebugLevel {
		line.Str("idempotency_key", r.RequestID)
	}
	line.Msg("seat")
}

// traceIDs returns the trace ids of the first requests of a batch.
func traceIDs(batch []request) []string {
	ids := make([]string, 0, min(len(batch), maxTraceIDs))
	for _, r := range batch[:min(len(batch), maxTraceIDs)] {
		ids = append(ids, r.TraceID)
	}
	return ids
}
