package record

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// refusedKey is the _id of a refusedDoc. Its fields are in the order of the index.
type refusedKey struct {
	EventID store.ID  `bson:"event_id"`
	Minute  time.Time `bson:"minute"`
}

// refusedDoc is a document of the collection refusals.
type refusedDoc struct {
	Key       refusedKey `bson:"_id"`
	Refused   int64      `bson:"refused"`
	ExpiresAt time.Time  `bson:"expires_at"` // by a TTL index
}

// lastMinute is after every minute that is counted.
var lastMinute = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// AddRefusals implements store.Refusals with one command.
func (s *Record) AddRefusals(ctx context.Context, counted []store.RefusedMinute) error {
	if len(counted) == 0 {
		return nil
	}
	updates := make([]mongo.WriteModel, len(counted))
	for i, m := range counted {
		updates[i] = mongo.NewUpdateOneModel().SetUpsert(true).
			SetFilter(bson.D{{Key: "_id", Value: refusedKey{m.EventID, m.At}}}).
			SetUpdate(bson.D{
				{Key: "$inc", Value: bson.D{{Key: "refused", Value: m.Refused}}},
				{Key: "$setOnInsert", Value: bson.D{{Key: "expires_at", Value: m.At.Add(store.RefusalsKept)}}},
			})
	}
	done, err := s.refusals.BulkWrite(ctx, updates, options.BulkWrite().SetOrdered(false))
	switch {
	case err == nil:
		return nil
	case done != nil && done.ModifiedCount+done.UpsertedCount > 0:
		return fmt.Errorf("count refusals, in part: %w", err)
	}
	return fmt.Errorf("count refusals: %w", mongodb.WriteError(err))
}

// RefusedMinutes implements store.Refusals.
func (s *Record) RefusedMinutes(ctx context.Context, eventID store.ID, since time.Time) ([]store.RefusedMinute, error) {
	from := bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: refusedKey{eventID, since}},
		{Key: "$lt", Value: refusedKey{eventID, lastMinute}},
	}}}
	cursor, err := s.refusals.Find(ctx, from, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	var found []refusedDoc
	if err == nil {
		err = cursor.All(ctx, &found)
	}
	if err != nil {
		return nil, fmt.Errorf("read refusals: %w", mongodb.ReadError(err, nil))
	}
	minutes := make([]store.RefusedMinute, len(found))
	for i, d := range found {
		minutes[i] = store.RefusedMinute{EventID: eventID, At: d.Key.Minute.UTC(), Refused: d.Refused}
	}
	return minutes, nil
}
