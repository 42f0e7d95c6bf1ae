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

// Apply implements store.Seats: one transaction a batch, over all its events.
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
	sent := false // whether a commit may have reached the server
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		results, committing, err := s.transact(ctx, batch)
		if err == nil {
			return results, nil
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

// errCommit marks an error that came from commit.
var errCommit = errors.New("commit")

// transact decides and stores the batch in one transaction. committing says whether a
// commit was sent.
func (s *Store) transact(ctx context.Context, batch []store.SeatRequest) (results []store.SeatResult, committing bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	session, err := s.client.StartSession()
	if err != nil {
		return nil, false, err
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
		return nil, false, err
	}
	tctx := mongo.NewSessionContext(ctx, session)
	states, err := s.load(tctx, batch)
	if err != nil {
		return nil, false, err
	}
	results, changes := store.Decide(states, batch)
	if err := s.save(tctx, states, changes); err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil { // the last look before the point of no return
		return nil, false, err
	}
	if err := session.CommitTransaction(ctx); err != nil {
		return nil, true, fmt.Errorf("%w: %w", errCommit, err)
	}
	return results, true, nil
}

// load reads the state of each event in the batch and who of the batch holds a seat there.
func (s *Store) load(ctx context.Context, batch []store.SeatRequest) (map[store.ID]store.EventState, error) {
	states := make(map[store.ID]store.EventState)
	var ids []store.ID
	for _, req := range batch {
		if _, ok := states[req.EventID]; !ok {
			states[req.EventID] = store.EventState{}
			ids = append(ids, req.EventID)
		}
	}
	clear(states)
	cursor, err := s.events.Find(ctx, in("_id", ids), options.Find().SetProjection(bson.D{
		{Key: "capacity", Value: 1}, {Key: "tickets_sold", Value: 1}, {Key: "last_number", Value: 1},
	}))
	if err != nil {
		return nil, err
	}
	var events []eventDoc
	if err := cursor.All(ctx, &events); err != nil {
		return nil, err
	}
	for _, e := range events {
		states[e.ID] = store.EventState{
			Capacity: e.Capacity, TicketsSold: e.TicketsSold, LastNumber: e.LastNumber,
			Held: make(map[store.ID]store.Registration),
		}
	}
	keys := make([]seatKey, 0, len(batch))
	for _, req := range batch {
		if _, ok := states[req.EventID]; ok {
			keys = append(keys, seatKey{req.EventID, req.UserID})
		}
	}
	if len(keys) == 0 {
		return states, nil
	}
	if cursor, err = s.registrations.Find(ctx, in("_id", keys)); err != nil {
		return nil, err
	}
	var held []registrationDoc
	if err := cursor.All(ctx, &held); err != nil {
		return nil, err
	}
	for _, r := range held {
		states[r.Key.EventID].Held[r.Key.UserID] = r.registration()
	}
	return states, nil
}

// save writes the changes under the guard that each event is as it was loaded and has room.
func (s *Store) save(ctx context.Context, states map[store.ID]store.EventState, changes []store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	updates := make([]mongo.WriteModel, len(changes))
	var seats []registrationDoc
	for i, c := range changes {
		n := int64(len(c.Added))
		updates[i] = mongo.NewUpdateOneModel().
			SetFilter(bson.D{
				{Key: "_id", Value: c.EventID},
				{Key: "last_number", Value: states[c.EventID].LastNumber},
				{Key: "$expr", Value: bson.D{{Key: "$lte", Value: bson.A{
					bson.D{{Key: "$add", Value: bson.A{"$tickets_sold", n}}}, "$capacity",
				}}}},
			}).
			SetUpdate(bson.D{{Key: "$inc", Value: bson.D{
				{Key: "tickets_sold", Value: n}, {Key: "last_number", Value: n},
			}}})
		for _, r := range c.Added {
			seats = append(seats, registrationDoc{
				Key:    seatKey{r.EventID, r.UserID},
				Number: r.Number, RequestID: r.RequestID, RegisteredAt: r.RegisteredAt,
			})
		}
	}
	res, err := s.events.BulkWrite(ctx, updates)
	if err != nil {
		return err
	}
	if res.MatchedCount != int64(len(changes)) {
		return errMoved
	}
	_, err = s.registrations.InsertMany(ctx, seats)
	return err
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
