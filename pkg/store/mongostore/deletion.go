package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
)

// deletedDoc is a document of the collection deleted_events.
type deletedDoc struct {
	ID            store.ID  `bson:"_id"`
	OrganizerID   store.ID  `bson:"organizer_id"`
	Registrations int64     `bson:"registrations"`
	DeletedAt     time.Time `bson:"deleted_at"`
}

// DeleteEvent implements store.Deletions. Each part is a transaction that writes the event, so it and
// a worker's batch about the event come one after the other.
func (s *Store) DeleteEvent(ctx context.Context, id store.ID, at time.Time) (store.DeletedEvent, error) {
	var d deletedDoc
	begun := false // whether a commit that ends everything may have reached the server
	for pause := mongodb.MinPause; ; {
		gone := false
		err := mongodb.TryTransaction(ctx, s.client, func(tctx context.Context) (err error) {
			d, gone, err = s.deletePart(tctx, id, at)
			return err
		})
		begun = begun || gone
		switch {
		case err == nil && gone:
			return store.DeletedEvent(d), nil
		case err == nil:
			pause = mongodb.MinPause
			continue
		case begun && errors.Is(err, store.ErrEventNotFound): // by the commit whose answer was lost
			return s.DeletedEvent(ctx, id)
		case !retryable(err) || !wait.For(ctx, rand.N(pause)):
			return store.DeletedEvent{}, fmt.Errorf("delete event %s: %w", id.Hex(), err)
		}
		pause = min(2*pause, mongodb.MaxPause)
	}
}

// deletePart removes some registrations of an event or, when there is none any more, the event, in the
// transaction of ctx.
func (s *Store) deletePart(ctx context.Context, id store.ID, at time.Time) (d deletedDoc, gone bool, err error) {
	var e eventDoc
	byID := bson.D{{Key: "_id", Value: id}}
	// The fence first: whoever decides about the event meanwhile waits, where a write at the end would find theirs and begin anew.
	if err := s.events.FindOneAndUpdate(ctx, byID, bson.D{{Key: "$inc", Value: bson.D{{Key: "fence", Value: 1}}}},
		options.FindOneAndUpdate().SetProjection(withoutTexts()).SetReturnDocument(options.After)).Decode(&e); err != nil {
		return d, false, mongodb.ReadError(err, store.ErrEventNotFound)
	}
	if e.CancelledAt.IsZero() {
		return d, false, fmt.Errorf("%w: %w", store.ErrNotCancelled, store.ErrNothingStored)
	}
	rows, err := mongodb.FindAll[registrationDoc](ctx, s.registrations, bson.D{{Key: "_id.event_id", Value: id}}, options.Find().SetLimit(store.DeleteBatch))
	if err != nil {
		return d, false, err
	}
	if len(rows) == 0 {
		if n, err := record.Delete(ctx, s.changes, s.events, id); err != nil || n > 0 {
			return d, false, err
		}
		if err := errors.Join(s.ForgetMarks(ctx, id), s.lists.Forget(ctx, id)); err != nil {
			return d, false, err
		}
		if _, err := s.events.DeleteOne(ctx, byID); err != nil {
			return d, false, err
		}
		d = deletedDoc{id, e.OrganizerID, e.LastNumber, at.UTC()}
		_, err := s.deletedEvents.InsertOne(ctx, d)
		return d, true, err
	}
	keys, registrations := make([]registrationKey, len(rows)), make([]store.Registration, len(rows))
	for i, r := range rows {
		keys[i], registrations[i] = r.Key, r.registration()
	}
	write := eventWrite{store.Change{Before: e.Event, After: e.Event.Without(registrations)}, e.Fence, false}
	if err := s.writeBatch(ctx, []eventWrite{write}); err != nil {
		return d, false, err
	}
	_, err = s.registrations.DeleteMany(ctx, mongodb.In("_id", keys))
	return d, false, err
}

// DeletedEvent implements store.Deletions.
func (s *Store) DeletedEvent(ctx context.Context, id store.ID) (store.DeletedEvent, error) {
	var d deletedDoc
	if err := s.deletedEvents.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return store.DeletedEvent{}, fmt.Errorf("read deleted event %s: %w", id.Hex(), mongodb.ReadError(err, store.ErrEventNotFound))
	}
	d.DeletedAt = d.DeletedAt.UTC()
	return store.DeletedEvent(d), nil
}
