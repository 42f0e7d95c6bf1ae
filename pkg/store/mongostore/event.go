package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// eventDoc is a document of the collection events as it is read.
type eventDoc struct {
	store.Event `bson:",inline"`
	// Fence counts the batches that decided about the event, also those that changed nothing in
	// it. It is missing until the first batch.
	Fence int64 `bson:"fence,omitempty"`
	// Refusals counts those of these batches that refused somebody, as store.Outcome.Refuses says. It is missing until
	// the first of them; workers of the version before do not count.
	Refusals int64 `bson:"refusals,omitempty"`
}

// storedEvent is a document of the collection events as it is written: the event, and what lists
// and searches find it by.
type storedEvent struct {
	Event  store.Event `bson:",inline"`
	Search searchDoc   `bson:",inline"`
}

func newStoredEvent(e store.Event) storedEvent { return storedEvent{e, newSearchDoc(e)} }

// withoutSearch is a projection that leaves out the fields of searchDoc.
func withoutSearch() bson.D {
	return bson.D{{Key: "beginnings", Value: 0}, {Key: "available", Value: 0}}
}

// CreateEvent implements store.Events.
func (s *Store) CreateEvent(ctx context.Context, e store.Event) error {
	if _, err := s.events.InsertOne(ctx, newStoredEvent(e.AsCreated())); err != nil {
		return fmt.Errorf("create event %s: %w", e.ID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// Event implements store.Events.
func (s *Store) Event(ctx context.Context, id store.ID) (store.Event, error) {
	var e store.Event
	how := options.FindOne().SetProjection(withoutSearch())
	if err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: id}}, how).Decode(&e); err != nil {
		return store.Event{}, fmt.Errorf("read event %s: %w", id.Hex(), mongodb.ReadError(err, store.ErrEventNotFound))
	}
	return e, nil
}

// EventsByID implements store.Events.
func (s *Store) EventsByID(ctx context.Context, ids []store.ID) (map[store.ID]store.Event, error) {
	found := make(map[store.ID]store.Event, len(ids))
	for e, err := range mongodb.Stream(ctx, s.events, bson.D{
		{Key: "find", Value: s.events.Name()}, {Key: "filter", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}},
		{Key: "projection", Value: withoutSearch()}, {Key: "batchSize", Value: len(ids) + 1},
	}, func(e store.Event) store.Event { return e }) {
		if err != nil {
			return nil, fmt.Errorf("read %d events: %w", len(ids), err)
		}
		found[e.ID] = e
	}
	return found, nil
}
