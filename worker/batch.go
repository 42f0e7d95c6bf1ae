package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// minTry is the least time worth beginning a write with. A request with less left is
// answered "overloaded".
const minTry = 100 * time.Millisecond

// lane applies one batch after the other until the queue is closed and empty.
func (w *Worker) lane() {
	for {
		batch := w.queue.take(w.config.MaxBatch)
		if batch == nil {
			return
		}
		w.settle(batch)
		w.queue.release(batch)
	}
}

// settle applies a batch and answers each of its requests.
func (w *Worker) settle(batch []request) {
	started := time.Now()
	tally := zerolog.Dict()
	for outcome, n := range w.apply(batch) {
		tally.Int(string(outcome), n)
	}
	w.log.Info().Int("batch_size", len(batch)).Dict("outcomes", tally).
		Float64("duration_ms", float64(time.Since(started).Microseconds())/1000).Msg("batch")
}

// apply answers each request of a batch, whatever happens, and counts the answers.
func (w *Worker) apply(batch []request) map[messages.Outcome]int {
	tally := make(map[messages.Outcome]int)
	pending := [][]request{batch}
	for len(pending) > 0 {
		out := answers{worker: w}
		again := w.applyPart(pending[0], &out)
		pending = append(pending[1:], again...)
		out.send()
		for _, a := range out.given { // after the answers, which must not wait for a slow log
			tally[a.outcome]++
			w.logSeat(a.request, a.outcome)
		}
	}
	return tally
}

// applyPart tries a part of a batch once. again has the parts that must be tried anew; all
// others are answered.
func (w *Worker) applyPart(part []request, out *answers) (again [][]request) {
	fail := func(failed []request, err error) {
		for _, r := range failed {
			out.add(r, failure(r, err))
		}
	}
	part, late := inTime(part)
	fail(late, store.ErrUnavailable)
	if len(part) == 0 {
		return nil
	}
	results, err := w.try(part)
	if err == nil {
		for i, res := range results {
			out.add(part[i], wireReply(res))
		}
		return nil
	}
	for i := range part {
		part[i].doubt = part[i].doubt || !errors.Is(err, store.ErrNothingStored)
	}
	// What all of a batch share, and its halves would meet again.
	common := errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrStorageFull)
	rest, late := inTime(part)
	switch {
	case len(late) > 0 && w.hard.Err() == nil:
		// The try ended with the time of the most urgent; the others have more.
		again, part = [][]request{rest}, late
	case !common && len(part) > 1:
		// Something in the batch may be what fails: its neighbours get their answers.
		w.noise.Error().Err(err).Int("batch_size", len(part)).Strs("request_ids", traces(part)).Msg("a batch failed, trying its halves")
		half := len(part) / 2
		return [][]request{part[:half], part[half:]}
	}
	w.noise.Error().Err(err).Int("batch_size", len(part)).Strs("request_ids", traces(part)).Msg("requests failed")
	fail(part, err)
	return again
}

// failure is the answer to a request that could not be settled because of err.
func failure(r request, err error) messages.SeatReply {
	switch {
	case r.doubt:
		return messages.SeatReply{Outcome: messages.OutcomeUnknown}
	case errors.Is(err, store.ErrStorageFull):
		return messages.SeatReply{Outcome: messages.OutcomeStorageFull}
	case errors.Is(err, store.ErrUnavailable):
		return messages.SeatReply{Outcome: messages.OutcomeOverloaded}
	}
	return messages.SeatReply{Outcome: messages.OutcomeFailed}
}

// inTime parts those requests whose time still allows a write from those that are late.
func inTime(batch []request) (rest, late []request) {
	limit := time.Now().Add(minTry)
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

// try applies a batch once, within the time of its most urgent request. A panic below is
// an error like any other: it must not end the worker.
func (w *Worker) try(batch []request) (results []store.SeatResult, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in the store: %v", p)
		}
	}()
	now := w.config.Now() // one clock for the whole batch
	deadline := batch[0].deadline
	seats := make([]store.SeatRequest, len(batch))
	for i, r := range batch {
		if r.deadline.Before(deadline) {
			deadline = r.deadline
		}
		seats[i] = storeRequest(r.SeatRequest, now)
	}
	ctx, cancel := context.WithDeadline(w.hard, deadline)
	defer cancel()
	return w.seats.Apply(ctx, seats)
}
