package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// minApplyTime is the least time in which a write is worth beginning. A request with less time
// left is answered "overloaded".
const minApplyTime = 100 * time.Millisecond

// applyBatches applies one batch after the other until the queue is closed and empty.
func (w *Worker) applyBatches() {
	for {
		batch := w.queue.take(w.config.MaxBatch)
		if batch == nil {
			return
		}
		w.applyBatch(batch)
		w.queue.release(batch)
	}
}

// applyBatch applies a batch, answers each of its requests, and logs how many got which outcome.
func (w *Worker) applyBatch(batch []request) {
	started := time.Now()
	ctx, span := w.config.Tracer.Batch(w.applying, traces(batch))
	defer span.End()
	counts := zerolog.Dict()
	for outcome, n := range w.apply(ctx, batch) {
		counts.Int(string(outcome), n)
		tracing.Count(span, outcome, n)
	}
	w.stats.batch.Observe(float64(len(batch)))
	w.stats.batchTime.Observe(measure.Since(started))
	line := w.log.Info()
	if id := tracing.ID(span.SpanContext()); id != "" {
		line.Str("trace_id", id)
	}
	line.Int("batch_size", len(batch)).Dict("outcomes", counts).
		Float64("duration_ms", float64(time.Since(started).Microseconds())/1000).Msg("batch")
}

// traces returns the spans of the HTTP requests of a batch, as far as something is traced.
func traces(batch []request) (all []trace.SpanContext) {
	for _, r := range batch {
		if r.trace.IsValid() {
			all = append(all, r.trace)
		}
	}
	return all
}

// apply answers each request of a batch, whatever the store does, and counts the outcomes.
func (w *Worker) apply(ctx context.Context, batch []request) map[messages.Outcome]int {
	counts := make(map[messages.Outcome]int)
	pending := [][]request{batch}
	for len(pending) > 0 {
		out := replies{worker: w}
		retry := w.applyPart(ctx, pending[0], &out)
		pending = append(pending[1:], retry...)
		out.send()
		for _, a := range out.answered { // after the replies, which must not wait for a slow log
			counts[a.outcome]++
			w.stats.answeredRequest(a.request, a.outcome)
			w.logRequest(a.request, a.outcome)
		}
	}
	return counts
}

// applyPart tries once to apply a part of a batch. It returns the parts that must be tried again;
// all other requests are answered.
func (w *Worker) applyPart(ctx context.Context, part []request, out *replies) (retry [][]request) {
	fail := func(failed []request, err error) {
		for _, r := range failed {
			out.add(r, failureReply(r, err))
		}
	}
	part, late := splitLate(part)
	w.stats.expired.Add(float64(len(late)))
	fail(late, store.ErrUnavailable)
	if len(part) == 0 {
		return nil
	}
	results, err := w.applyOnce(ctx, part)
	if err == nil {
		for i, res := range results {
			if res.Outcome != store.LeaseOut || !w.putAside(part[i]) {
				out.add(part[i], w.reply(part[i], res))
			}
		}
		return nil
	}
	for i := range part {
		part[i].maybeStored = part[i].maybeStored || !errors.Is(err, store.ErrNothingStored)
	}
	// An error that all requests of the batch share would meet its halves too.
	shared := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrStorageFull)
	rest, late := splitLate(part)
	switch {
	case len(late) > 0 && w.applying.Err() == nil:
		// The most urgent request ran out of time, which ended the try; the others have more.
		w.stats.expired.Add(float64(len(late)))
		w.stats.splits.Inc()
		retry, part = [][]request{rest}, late
	case !shared && len(part) > 1:
		// One request may be the cause: the others get their answers when it is alone.
		w.sampledLog.Error().Err(err).Int("batch_size", len(part)).Strs("request_ids", traceIDs(part)).Msg("a batch failed, trying its halves")
		w.stats.splits.Inc()
		half := len(part) / 2
		return [][]request{part[:half], part[half:]}
	}
	w.sampledLog.Error().Err(err).Int("batch_size", len(part)).Strs("request_ids", traceIDs(part)).Msg("requests failed")
	fail(part, err)
	return retry
}

// putAside has a request wait until the leases of its event have ended, and reports whether it does: not if its caller would have
// left by then, or too many wait.
func (w *Worker) putAside(r request) bool {
	over := w.leases.over(r.EventID)
	r.putAside = true
	if r.deadline.Before(over.Add(minApplyTime)) || !w.queue.putAside(r, over) {
		return false
	}
	w.stats.leaseWaits.Inc()
	return true
}

// reply is the reply to a request that was applied. One that leases keep from being decided is told to come again.
func (w *Worker) reply(r request, res store.SeatResult) messages.SeatReply {
	if res.Outcome == store.LeaseOut {
		return failureReply(r, store.ErrUnavailable)
	}
	return wireReply(res)
}

// failureReply is the reply to a request that could not be applied because of err.
func failureReply(r request, err error) messages.SeatReply {
	switch {
	case r.maybeStored:
		return messages.SeatReply{Outcome: messages.OutcomeUnknown}
	case errors.Is(err, store.ErrStorageFull):
		return messages.SeatReply{Outcome: messages.OutcomeStorageFull}
	case errors.Is(err, store.ErrUnavailable):
		return messages.SeatReply{Outcome: messages.OutcomeOverloaded}
	}
	return messages.SeatReply{Outcome: messages.OutcomeFailed}
}

// splitLate separates the requests with too little time left for a write from the rest.
func splitLate(batch []request) (rest, late []request) {
	limit := time.Now().Add(minApplyTime)
	if !slices.ContainsFunc(batch, func(r request) bool { return r.deadline.Before(limit) }) {
		return batch, nil
	}
	for _, r := range batch {
		if r.deadline.Before(limit) {
			late = append(late, r)
		} else {
			rest = append(rest, r)
		}
	}
	return rest, late
}

// applyOnce applies a batch within the time of its most urgent request. It returns a panic of
// the store as an error, so that one request cannot end the worker.
func (w *Worker) applyOnce(ctx context.Context, batch []request) (results []store.SeatResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in the store: %v", p)
		}
	}()
	now := w.config.Now() // one time for the whole batch
	deadline := batch[0].deadline
	requests, late := make([]store.SeatRequest, len(batch)), w.refused.late(batch)
	for i, r := range batch {
		if r.deadline.Before(deadline) {
			deadline = r.deadline
		}
		requests[i] = storeRequest(r.SeatRequest, now)
		requests[i].SentAt, requests[i].Refused, requests[i].LeasesEnded = r.sent, late[i], w.leases.ended(r)
		if r.Lease {
			requests[i].Lease = w.config.SoldOutLease
		}
	}
	ctx, cancel := context.WithDeadline(store.WithChanges(ctx, w.news.take), deadline)
	defer cancel()
	results, err = w.seats.Apply(ctx, requests)
	w.refused.note(batch, results)
	w.stats.leases.Add(float64(w.leases.note(batch, results)))
	return results, err
}
