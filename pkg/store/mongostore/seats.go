package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
// When all goes well, it reads nothing: see guesses. The first time that something does
// not, it decides anew on what it reads.
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
	results, changes, ok := s.guesses.decide(batch)
	if ok {
		committing, err := a.run(ctx, func(context.Context) ([]store.Change, error) { return changes, nil })
		if err == nil {
			s.guesses.remember(nil, changes)
			return results, nil
		}
		s.guesses.forget(changes)
		sent = committing
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		committing, err := a.run(ctx, a.decide)
		if err == nil {
			s.guesses.remember(a.states, a.changes)
			return a.results, nil
		}
		sent = sent || committing
		passing := ctx.Err() != nil || retryable(err)
		if passing && wait(ctx, rand.N(pause)) {
			continue
		}
		err = fmt.Errorf("apply a batch of %d: %w", len(batch), err)
		if passing && !sent { // any other error is about what is in the batch
			err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		return nil, err
	}
}

// retryable reports errors after which another transaction may do better: those of a
// commit, of the network, of an election, and every kind of collision with another worker.
func retryable(err error) bool {
	var labeled mongo.LabeledError
	return errors.Is(err, errMoved) || errors.Is(err, errCommit) ||
		mongo.IsDuplicateKeyError(err) || temporary(err) ||
		errors.As(err, &labeled) && labeled.HasErrorLabel("TransientTransactionError")
}

// attempt is a batch under way, and what was last read and decided about it.
type attempt struct {
	store   *Store
	batch   []store.SeatRequest
	states  map[store.ID]store.EventState
	results []store.SeatResult
	changes []store.Change
}

// run stores what decide decides, in one transaction. committing says whether a commit was
// sent.
func (a *attempt) run(ctx context.Context, decide func(context.Context) ([]store.Change, error)) (committing bool, err error) {
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
	changes, err := decide(tctx)
	if err != nil {
		return false, err
	}
	if err := a.store.save(tctx, changes); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil { // the last look before the point of no return
		return false, err
	}
	if err := session.CommitTransaction(ctx); err != nil {
		return true, fmt.Errorf("%w: %w", errCommit, err)
	}
	return true, nil
}

// decide decides on what the transaction reads.
func (a *attempt) decide(ctx context.Context) (changes []store.Change, err error) {
	if a.states, err = a.store.load(ctx, a.batch); err != nil {
		return nil, err
	}
	a.results, a.changes = store.Decide(a.states, a.batch)
	return a.changes, nil
}

// load reads the state of each event in the batch, who of the batch has a registration
// there, and who may be promoted.
func (s *Store) load(ctx context.Context, batch []store.SeatRequest) (map[store.ID]store.EventState, error) {
	states := make(map[store.ID]store.EventState)
	asked := make(map[store.ID]bool)
	var ids []store.ID
	for _, req := range batch {
		if !asked[req.EventID] {
			asked[req.EventID] = true
			ids = append(ids, req.EventID)
		}
	}
	events, err := all[eventDoc](ctx, s.events, in("_id", ids), options.Find().SetProjection(bson.D{
		{Key: "title", Value: 0}, {Key: "description", Value: 0},
	}))
	if err != nil {
		return nil, err
	}
	for _, d := range events {
		state := store.EventState{Event: d.event(), Held: make(map[store.ID]store.Registration)}
		sound := state.Event
		if store.Recounts(d.ID, batch) {
			if state.Counts, err = s.counts(ctx, state.Event); err != nil {
				return nil, err
			}
			sound, _ = state.Counts.Mend(state.Event)
		}
		if n := store.Promotable(sound, batch); n > 0 {
			if state.Next, err = s.next(ctx, sound, n); err != nil {
				return nil, err
			}
		}
		states[d.ID] = state
	}
	keys := make([]seatKey, 0, len(batch))
	for _, req := range batch {
		if _, ok := states[req.EventID]; ok && !req.UserID.IsZero() {
			keys = append(keys, seatKey{req.UserID, req.EventID})
		}
	}
	if len(keys) == 0 {
		return states, nil
	}
	held, err := all[registrationDoc](ctx, s.registrations, in("_id", keys), options.Find())
	if err != nil {
		return nil, err
	}
	for _, r := range held {
		states[r.Key.EventID].Held[r.Key.UserID] = r.registration()
	}
	return states, nil
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

// save writes the changes, under the guard that each event is as it was decided upon and
// has room for those who come in.
func (s *Store) save(ctx context.Context, changes []store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	updates := make([]mongo.WriteModel, len(changes))
	var added []any
	var replaced []mongo.WriteModel
	for i, c := range changes {
		updates[i] = mongo.NewUpdateOneModel().SetFilter(s.guard.event(c)).SetUpdate(update(c))
		for _, r := range c.Added {
			added = append(added, s.guard.seat(r))
		}
		for _, r := range c.Replaced {
			replaced = append(replaced, mongo.NewReplaceOneModel().
				SetFilter(bson.D{{Key: "_id", Value: seatKey{r.UserID, r.EventID}}}).SetReplacement(registrationDocOf(r)))
		}
	}
	res, err := s.events.BulkWrite(ctx, updates)
	if err != nil {
		return err
	}
	if res.MatchedCount != int64(len(changes)) {
		return errMoved
	}
	if len(replaced) > 0 {
		if _, err := s.registrations.BulkWrite(ctx, replaced); err != nil {
			return err
		}
	}
	if len(added) > 0 {
		if _, err := s.registrations.InsertMany(ctx, added); err != nil {
			return err
		}
	}
	return nil
}

// unmoved is the condition under which an event may change: it is as it was decided upon,
// and has room for those who come in.
func unmoved(c store.Change) bson.D {
	return bson.D{
		{Key: "_id", Value: c.Before.ID},
		{Key: "revision", Value: c.Before.Revision},
		{Key: "tickets_sold", Value: bson.D{{Key: "$lte", Value: c.After.Capacity - came(c)}}},
	}
}

// came is by how much tickets_sold grows; it may be negative.
func came(c store.Change) int64 { return c.After.TicketsSold - c.Before.TicketsSold }

// update is the change of one event.
func update(c store.Change) bson.D {
	set := bson.D{
		{Key: "waiting", Value: c.After.Waiting},
		{Key: "last_number", Value: c.After.LastNumber},
		{Key: "confirmed_through", Value: c.After.ConfirmedThrough},
	}
	if c.Edit != nil {
		set = append(set, editFields(c)...)
	}
	return bson.D{
		{Key: "$inc", Value: bson.D{{Key: "tickets_sold", Value: came(c)}, {Key: "revision", Value: 1}}},
		{Key: "$set", Value: set},
	}
}

// editFields are the fields that an organizer's edit sets.
func editFields(c store.Change) bson.D {
	e, after := c.Edit, c.After
	set := bson.D{
		{Key: "version", Value: after.Version}, {Key: "last_edit", Value: after.LastEdit},
		{Key: "waitlist", Value: after.Waitlist}, {Key: "capacity", Value: after.Capacity},
		{Key: "registration_opens_at", Value: after.OpensAt}, {Key: "registration_closes_at", Value: after.ClosesAt},
		{Key: "cancelled_at", Value: after.CancelledAt},
	}
	for _, text := range []struct {
		field string
		value *string
	}{
		{"title", e.Title}, {"description", e.Description}, {"place", e.Place}, {"time_zone", e.TimeZone},
	} {
		if text.value != nil {
			set = append(set, bson.E{Key: text.field, Value: *text.value})
		}
	}
	for _, instant := range []struct {
		field string
		value *time.Time
	}{
		{"starts_at", e.StartsAt}, {"ends_at", e.EndsAt},
	} {
		if instant.value != nil {
			set = append(set, bson.E{Key: instant.field, Value: *instant.value})
		}
	}
	return set
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
