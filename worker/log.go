package worker

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
)

// maxTraces is how many requests a line about a failed batch names.
const maxTraces = 10

// logSeat writes the line in which a registration is found again: request_id is the same as
// in the API's line and in the X-Request-Id of the answer.
func (w *Worker) logSeat(r request, outcome messages.Outcome) {
	line := w.log.Info().Str("request_id", r.TraceID).Str("event_id", r.EventID.Hex()).Str("user_id", r.UserID.Hex()).
		Str("outcome", string(outcome)).
		Float64("duration_ms", float64(time.Since(r.received).Microseconds())/1000)
	if w.log.GetLevel() <= zerolog.DebugLevel {
		line.Str("idempotency_key", r.RequestID)
	}
	line.Msg("seat")
}

// traces names the first requests of a batch for the log.
func traces(batch []request) []string {
	ids := make([]string, 0, min(len(batch), maxTraces))
	for _, r := range batch[:min(len(batch), maxTraces)] {
		ids = append(ids, r.TraceID)
	}
	return ids
}
