package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/eventcache"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/stats"
)

// errConflict means that an event is no longer as it was when its batch was decided.
var errConflict = errors.New("the event was changed by another batch")

// Apply implements store.Seats: one transaction a batch, over all its events.
//
// Optimistic first. Apply decides the batch before it begins a transaction, on the cached state of
// its events or on one read. The writes carry preconditions, which fail when the decision does not
// hold any more. Then, and only then, the batch is loaded and decided again inside of a
// transaction, until it succeeds.
//
// The fence. A batch writes every event that it decided about: it increments the event's fence,
// also where nothing else changes. All preconditions compare the fence. So a batch that was decided
// earlier, and is still on its way, cannot be stored after an answer was given: either it has
// locked the event already, and this write waits for its end or fails; or it has not, and will find
// another fence than it expects. The write is acknowledged when a majority has it, and with it
// everything that the decision has read, so a deposed primary cannot acknowledge it. An event that
// does not exist has no fence; that it does not exist is confirmed by a majority (confirmMissing).
//
// After a failed commit it is unknown whether the batch is stored, whatever the error says.
// Applying the batch again settles it. If the first transaction was committed, its request ids are
// found and get the same outcomes. If it is still running, the second transaction decides on the
// same state, writes the same events, and the server lets only one of the two commit. If it was
// aborted, only the second counts.
func (s *Store) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	a := attempt{store: s, batch: batch}
	sent := false // whether a commit may have reached the server
	guess := stats.NoGuess
	if a.decideOptimistically(ctx) {
		var err error
		if !slices.ContainsFunc(a.changes, func(c store.Change) bool { return !c.OnlyLeases() }) {
			err = a.confirm(ctx)
		} else {
			sent, err = a.transact(ctx, func(context.Context) error { return nil })
		}
		guess = guessed(err)
		if err == nil {
			s.stats.Guesses.WithLabelValues(guess).Inc()
			s.cache.Put(a.Loaded, a.changes, a.refused)
			store.TellChanges(ctx, a.changes)
			return a.results, nil
		}
		s.stats.Retries.WithLabelValues(retryCause(err)).Inc()
		s.cache.MarkShared(a.States)
	}
	s.stats.Guesses.WithLabelValues(guess).Inc()
	for pause := mongodb.MinPause; ; pause = min(2*pause, mongodb.MaxPause) {
		committing, err := a.transact(ctx, a.decide)
		if err == nil {
			s.cache.Put(a.Loaded, a.changes, a.refused)
			store.TellChanges(ctx, a.changes)
			return a.results, nil
		}
		sent = sent || committing
		retry := ctx.Err() != nil || retryable(err)
		if retry && wait.For(ctx, rand.N(pause)) {
			s.stats.Retries.WithLabelValues(retryCause(err)).Inc()
			continue
		}
		switch {
		case sent: // and not known to have failed
		case retry:
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		default:
			err = mongodb.NothingStored(err)
		}
		s.stats.Fail(err)
		return nil, fmt.Errorf("apply a batch of %d: %w", len(batch), err)
	}
}

// retryable reports whether another transaction may succeed after this error: one of those of
// mongodb.Retryable, or a collision with another batch.
func retryable(err error) bool { return errors.Is(err, errConflict) || mongodb.Retryable(err) }

// attempt is one try to apply a batch: what was last loaded and decided.
type attempt struct {
	eventcache.Loaded
	store   *Store
	batch   []store.SeatRequest
	results []store.SeatResult
	changes []store.Change
	refused map[store.ID]bool // the events in which somebody is refused
}

// noteRefusals sets refused by the results. What API processes have refused by themselves counts too.
func (a *attempt) noteRefusals() {
	a.refused = make(map[store.ID]bool)
	for i, res := range a.results {
		if res.Outcome.Refuses() {
			a.refused[a.batch[i].EventID] = true
		}
	}
	for _, c := range a.changes {
		if c.EndsRefusals() {
			a.refused[c.After.ID] = true
		}
	}
}

// decideOptimistically decides before any transaction: on the cached state if every request
// succeeds on it, else on one read of events and registrations at one moment. Either may be out of
// date, which the preconditions of the writes find out. It reports whether it has decided: after an
// error it has not, and the transaction will meet the error again.
func (a *attempt) decideOptimistically(ctx context.Context) bool {
	var ok bool
	if a.Loaded, a.results, a.changes, ok = a.store.cache.Decide(a.batch); ok {
		return true
	}
	begun := time.Now()
	loaded, err := a.store.loadSnapshot(ctx, a.batch)
	if err != nil {
		return false
	}
	for _, state := range loaded.States {
		if n, _ := store.Promotable(state.Event, a.batch); n > 0 || store.Recounts(state.Event, a.batch) {
			return false // needs more than loadSnapshot reads
		}
	}
	if err := a.store.loadProven(ctx, loaded, a.batch); err != nil {
		return false
	}
	a.Loaded = loaded
	a.decideLoaded(begun)
	return true
}

// decide decides on what the transaction of ctx reads.
func (a *attempt) decide(ctx context.Context) (err error) {
	begun := time.Now()
	if a.Loaded, err = a.store.load(ctx, a.batch); err != nil {
		return err
	}
	a.decideLoaded(begun)
	return nil
}

// decideLoaded decides on what was loaded; the loading began at a time.
func (a *attempt) decideLoaded(begun time.Time) {
	a.store.stats.Load.Observe(measure.Since(begun))
	begun = time.Now()
	a.results, a.changes = store.Decide(a.States, a.batch)
	a.noteRefusals()
	a.store.stats.Decide.Observe(measure.Since(begun))
}

// transact calls decide and stores what was decided, in one transaction. committing says whether a
// commit was sent to the server.
func (a *attempt) transact(ctx context.Context, decide func(context.Context) error) (committing bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	span := tracing.Transaction(ctx, mongodb.System)
	defer func() {
		cause := ""
		if err != nil {
			cause = retryCause(err)
		}
		tracing.End(span, cause)
	}()
	session, err := a.store.client.StartSession()
	if err != nil {
		return false, err
	}
	defer func() {
		// Aborts a transaction that is still open. It needs a context of its own: otherwise the
		// locks would stay until the server's lifetime limit.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), mongodb.EndLimit)
		defer cancel()
		session.EndSession(end)
	}()
	err = session.StartTransaction(mongodb.Snapshot())
	if err != nil {
		return false, err
	}
	tctx := mongo.NewSessionContext(ctx, session)
	if err := decide(tctx); err != nil {
		return false, err
	}
	if err := a.confirmMissing(ctx); err != nil { // not in the transaction, which holds no locks yet
		return false, err
	}
	begun := time.Now()
	if err := a.store.writeBatch(tctx, a.eventWrites()); err != nil {
		return false, err
	}
	a.store.stats.Save.Observe(measure.Since(begun))
	if err := ended(ctx); err != nil { // the last check before the point of no return
		return false, err
	}
	begun = time.Now()
	if err := session.CommitTransaction(ctx); err != nil {
		return true, fmt.Errorf("%w: %w", mongodb.ErrCommit, err)
	}
	a.store.stats.Commit.Observe(measure.Since(begun))
	return true, nil
}

// ended returns why ctx has ended, if it has. It also looks at the clock, because in a process that
// was frozen the timer of the context may be late.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// confirm increments the fences of a batch that changes nothing but leases, if all its events are still as
// they were when it was decided. It needs no transaction, because a fence that is incremented in
// vain does no harm, and neither does a lease that nobody is told of. So an error means that nothing was stored.
func (a *attempt) confirm(ctx context.Context) error {
	if err := a.confirmMissing(ctx); err != nil {
		return err
	}
	writes := a.eventWrites()
	if len(writes) == 0 {
		return nil
	}
	if len(a.refused) > 0 { // one statement for all: to count a refusal in vain does no harm
		for i := range writes {
			writes[i].refused = true
			a.refused[writes[i].Before.ID] = true
		}
	}
	return a.store.updateEvents(ctx, writes)
}

// confirmMissing confirms that the events of the batch that were not found do not exist, and
// returns errConflict when one of them does. Its read is linearizable: a primary answers it only
// after a majority has confirmed a write of its own. A primary that was deposed might otherwise
// deny an event that its successor has.
func (a *attempt) confirmMissing(ctx context.Context) error {
	ids, _ := batchKeys(a.batch)
	missing := slices.DeleteFunc(ids, func(id store.ID) bool {
		_, found := a.States[id]
		return found
	})
	if len(missing) == 0 {
		return nil
	}
	events := a.store.events.Clone(options.Collection().SetReadConcern(readconcern.Linearizable()))
	found, err := mongodb.FindAll[struct{}](ctx, events, mongodb.In("_id", missing), options.Find().SetLimit(1).SetProjection(mongodb.OnlyID()))
	if err == nil && len(found) > 0 {
		err = errConflict
	}
	return err
}
