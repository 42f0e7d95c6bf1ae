package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/eventio/eventio/pkg/store"
)

// The pause before a transaction is tried again grows from the first to the last of
// these, with full jitter, so that colliding workers part.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// errMoved says that the guard found another state than the one the decision rests on.
var errMoved = errors.New("the event's state moved under the transaction")

// errCommit marks an error that came from commit.
var errCommit = errors.New("commit")

// Apply implements store.Seats: one transaction a batch, over all its events.
//
// It first decides without a transaction, on guesses or on one read. What it decided is
// written under guards that find out whether the decision still holds. When it does not, the
// batch is decided anew inside a transaction, until it does.
//
// A batch writes every event that it decided about: where nothing changes, it moves the fence.
// All guards compare the fence. So no write that was decided before, and is still on its way,
// can land after an answer: either it has the event locked, and this write waits for its end
// or fails; or it has not, and will find that the fence has moved. The write is acknowledged
// when a majority has it, and with it everything that the decision has seen; a primary that
// was deposed cannot give that. An event that does not exist has nothing to fence; that it does
// not is confirmed by a majority all the same.
//
// An error from commit, whatever it is, leaves it unknown whether the batch is stored. It
// is settled by applying the batch again. If the first transaction was committed, its
// request ids are found and answered alike; if it is still in progress, the second one
// decides on the same state, so it writes the same event and the server lets only one of
// them commit; if it was aborted, the second one stands alone.
func (s *Store) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	if len(batch) == 0 {
		return nil, nil
	}
	a := attempt{store: s, batch: batch}
	sent := false // whether a commit may have reached the server
	if a.decideOutside(ctx) {
		var err error
		if len(a.changes) == 0 {
			err = a.confirm(ctx)
		} else {
			sent, err = a.run(ctx, func(context.Context) error { return nil })
		}
		if err == nil {
			s.guesses.remember(a.basis, a.changes)
			return a.results, nil
		}
		s.guesses.forget(a.states)
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		committing, err := a.run(ctx, a.decide)
		if err == nil {
			s.guesses.remember(a.basis, a.changes)
			return a.results, nil
		}
		sent = sent || committing
		passing := ctx.Err() != nil || retryable(err)
		if passing && wait(ctx, rand.N(pause)) {
			continue
		}
		switch {
		case sent: // and not known to have failed
		case passing:
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		default:
			err = nothingStored(err)
		}
		return nil, fmt.Errorf("apply a batch of %d: %w", len(batch), err)
	}
}

// retryable reports errors after which another transaction may do better: those of a
// commit, of the network, of an election, of a login that is being changed, and every kind
// of collision with another worker.
func retryable(err error) bool {
	return errors.Is(err, errMoved) || errors.Is(err, errCommit) || mongo.IsDuplicateKeyError(err) || passes(err)
}

// basis is what a decision rests on: the state and the fence of each event of the batch that
// exists.
type basis struct {
	states map[store.ID]store.EventState
	fences map[store.ID]int64
}

// attempt is a batch under way, and what was last read and decided about it.
type attempt struct {
	basis
	store   *Store
	batch   []store.SeatRequest
	results []store.SeatResult
	changes []store.Change
}

// moves lists what the batch does to each event that it decided about.
func (a *attempt) moves() []move {
	moves := make([]move, 0, len(a.states))
	changed := make(map[store.ID]bool, len(a.changes))
	for _, c := range a.changes {
		changed[c.Before.ID] = true
		moves = append(moves, move{c, a.fences[c.Before.ID]})
	}
	for id, state := range a.states {
		if !changed[id] {
			moves = append(moves, move{store.Change{Before: state.Event, After: state.Event}, a.fences[id]})
		}
	}
	return moves
}

// confirm moves the fences of a batch that changes nothing, when all its events are as they
// were decided upon. It needs no transaction: each event has an answer of its own, and a fence
// that moves in vain does no harm. So an error means that nothing was stored.
func (a *attempt) confirm(ctx context.Context) error {
	if err := a.confirmMissing(ctx); err != nil {
		return err
	}
	moves := a.moves()
	if len(moves) == 0 {
		return nil
	}
	fence, err := a.store.update(ctx, moves[0])
	if err != nil {
		return err
	}
	res, err := a.store.events.UpdateMany(ctx, a.store.guard.events(moves), fence)
	if err == nil && res.MatchedCount != int64(len(moves)) {
		err = errMoved
	}
	return err
}

// confirmMissing makes sure that the events of the batch that were not found do not exist: by a
// linearizable read, which a primary answers only after a write of its own that a majority
// confirms. One that was deposed would deny an event that its successor has. It returns errMoved
// when one of them exists.
func (a *attempt) confirmMissing(ctx context.Context) error {
	ids, _ := asked(a.batch)
	missing := slices.DeleteFunc(ids, func(id store.ID) bool {
		_, found := a.states[id]
		return found
	})
	if len(missing) == 0 {
		return nil
	}
	events := a.store.events.Clone(options.Collection().SetReadConcern(readconcern.Linearizable()))
	found, err := all[struct{}](ctx, events, in("_id", missing), options.Find().SetLimit(1).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err == nil && len(found) > 0 {
		err = errMoved
	}
	return err
}

// run decides by decide and stores that, in one transaction. committing says whether a commit
// was sent.
func (a *attempt) run(ctx context.Context, decide func(context.Context) error) (committing bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	session, err := a.store.client.StartSession()
	if err != nil {
		return false, err
	}
	defer func() {
		// Ends a transaction that is still open: on a context of its own, else its locks
		// stay until the server's lifetime limit.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
		defer cancel()
		session.EndSession(end)
	}()
	err = session.StartTransaction(options.Transaction().
		SetReadConcern(readconcern.Snapshot()).
		SetWriteConcern(journaledMajority()).
		SetReadPreference(readpref.Primary()))
	if err != nil {
		return false, err
	}
	tctx := mongo.NewSessionContext(ctx, session)
	if err := decide(tctx); err != nil {
		return false, err
	}
	if err := a.confirmMissing(ctx); err != nil { // outside of the transaction, which has not locked anything yet
		return false, err
	}
	if err := a.store.save(tctx, a.moves()); err != nil {
		return false, err
	}
	if err := ended(ctx); err != nil { // the last look before the point of no return
		return false, err
	}
	if err := session.CommitTransaction(ctx); err != nil {
		return true, fmt.Errorf("%w: %w", errCommit, err)
	}
	return true, nil
}

// ended is why ctx has ended, if it has. It looks at the clock as well: in a process that was
// frozen the timer of the context may be late.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// decideOutside decides before any transaction: on guesses if all go well by them, else on
// one read of events and registrations as they were at one moment. That moment may be past,
// which the guards find out. It reports whether it could: an error is left to the transaction,
// which will meet it again.
func (a *attempt) decideOutside(ctx context.Context) bool {
	var ok bool
	if a.basis, a.results, a.changes, ok = a.store.guesses.decide(a.batch); ok {
		return true
	}
	read, err := a.store.snapshot(ctx, a.batch)
	if err != nil {
		return false
	}
	for id, state := range read.states {
		if store.Recounts(id, a.batch) || store.Promotable(state.Event, a.batch) > 0 {
			return false // needs more than that read has
		}
	}
	a.basis = read
	a.results, a.changes = store.Decide(a.states, a.batch)
	return true
}

// decide decides on what the transaction reads.
func (a *attempt) decide(ctx context.Context) (err error) {
	if a.basis, err = a.store.load(ctx, a.batch); err != nil {
		return err
	}
	a.results, a.changes = store.Decide(a.states, a.batch)
	return nil
}

// load reads what snapshot does, and who may be promoted. It is for transactions, in which
// several reads are of one moment.
func (s *Store) load(ctx context.Context, batch []store.SeatRequest) (basis, error) {
	ids, keys := asked(batch)
	events, err := all[eventDoc](ctx, s.events, in("_id", ids), options.Find().SetProjection(withoutTexts()))
	if err != nil {
		return basis{}, err
	}
	var held []registrationDoc
	if len(events) > 0 && len(keys) > 0 {
		if held, err = all[registrationDoc](ctx, s.registrations, in("_id", keys), options.Find()); err != nil {
			return basis{}, err
		}
	}
	b := basisOf(events, held)
	for id, state := range b.states {
		sound := state.Event
		if store.Recounts(id, batch) {
			if state.Counts, err = s.counts(ctx, state.Event); err != nil {
				return basis{}, err
			}
			sound, _ = state.Counts.Mend(state.Event)
			if err := s.mendSearch(ctx, id); err != nil {
				return basis{}, err
			}
		}
		if n := store.Promotable(sound, batch); n > 0 {
			if state.Next, err = s.next(ctx, sound, n); err != nil {
				return basis{}, err
			}
		}
		b.states[id] = state
	}
	return b, nil
}

// snapshot reads the state of each event in the batch and who of the batch has a
// registration there, all as of one moment, in one command. What was acknowledged before
// is in it, unless the primary was deposed and does not know yet. Transactions do not know its
// $unionWith.
func (s *Store) snapshot(ctx context.Context, batch []store.SeatRequest) (basis, error) {
	ids, keys := asked(batch)
	match := func(filter bson.D) bson.D { return bson.D{{Key: "$match", Value: filter}} }
	cursor, err := s.events.Clone(options.Collection().SetReadConcern(readconcern.Snapshot())).Aggregate(ctx, mongo.Pipeline{
		match(in("_id", ids)), {{Key: "$project", Value: withoutTexts()}},
		{{Key: "$unionWith", Value: bson.D{
			{Key: "coll", Value: s.registrations.Name()}, {Key: "pipeline", Value: mongo.Pipeline{match(in("_id", keys))}},
		}}},
	}, options.Aggregate().SetBatchSize(int32(len(ids)+len(keys)+1)))
	if err != nil {
		return basis{}, err
	}
	defer closeCursor(ctx, cursor)
	var events []eventDoc
	var held []registrationDoc
	for cursor.Next(ctx) {
		if cursor.Current.Lookup("_id").Type == bson.TypeObjectID {
			events, err = decoded(events, cursor)
		} else {
			held, err = decoded(held, cursor)
		}
		if err != nil {
			return basis{}, err
		}
	}
	return basisOf(events, held), cursor.Err()
}

func decoded[D any](docs []D, cursor *mongo.Cursor) ([]D, error) {
	var d D
	err := cursor.Decode(&d)
	return append(docs, d), err
}

// asked lists the events of a batch, and the registrations that it may be about.
func asked(batch []store.SeatRequest) (ids []store.ID, keys []seatKey) {
	seen := make(map[store.ID]bool)
	keys = make([]seatKey, 0, len(batch)) // never nil, which would be no array
	for _, req := range batch {
		if !seen[req.EventID] {
			seen[req.EventID] = true
			ids = append(ids, req.EventID)
		}
		if !req.UserID.IsZero() {
			keys = append(keys, seatKey{req.UserID, req.EventID})
		}
	}
	return ids, keys
}

// withoutTexts leaves out what no decision needs.
func withoutTexts() bson.D {
	return bson.D{{Key: "title", Value: 0}, {Key: "description", Value: 0}, {Key: "beginnings", Value: 0}}
}

func basisOf(events []eventDoc, held []registrationDoc) basis {
	b := basis{make(map[store.ID]store.EventState, len(events)), make(map[store.ID]int64, len(events))}
	for _, d := range events {
		b.states[d.ID] = store.EventState{Event: d.event(), Held: make(map[store.ID]store.Registration)}
		b.fences[d.ID] = d.Fence
	}
	for _, d := range held {
		if state, ok := b.states[d.Key.EventID]; ok {
			state.Held[d.Key.UserID] = d.registration()
		}
	}
	return b
}

// next reads the numbers of the first n who wait.
func (s *Store) next(ctx context.Context, e store.Event, n int64) ([]int64, error) {
	// Only the index is read: the projection has nothing else.
	docs, err := all[struct{ Number int64 }](ctx, s.registrations, numbered(e.ID, e.ConfirmedThrough, e.LastNumber),
		byNumber().SetLimit(n).SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "number", Value: 1}}))
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(docs))
	for i, d := range docs {
		numbers[i] = d.Number
	}
	return numbers, nil
}

func all[D any](ctx context.Context, from *mongo.Collection, filter bson.D, how *options.FindOptionsBuilder) ([]D, error) {
	cursor, err := from.Find(ctx, filter, how)
	if err != nil {
		return nil, err
	}
	var docs []D
	err = cursor.All(ctx, &docs)
	return docs, err
}

func in[T any](field string, values []T) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// wait pauses for d and reports whether ctx is still alive after it.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return ctx.Err() == nil
	}
}
