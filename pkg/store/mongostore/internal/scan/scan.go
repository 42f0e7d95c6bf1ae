// Package scan reads a database whose documents may be damaged, for the verification of all of it.
package scan

import (
	"context"
	"fmt"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// Damaged returns a store.ErrDamaged.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrDamaged, fmt.Sprintf(format, args...))
}

// Documents yields the documents of a query. It yields the error of convert for a document that
// is damaged, and goes on with the next one.
func Documents[T any](ctx context.Context, from *mongo.Collection, filter any, how *options.FindOptionsBuilder, convert func(bson.Raw) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := from.Find(ctx, filter, how)
		if err != nil {
			yield(none, fmt.Errorf("read %s: %w", from.Name(), mongodb.ReadError(err, nil)))
			return
		}
		defer cursor.Close(context.WithoutCancel(ctx))
		for cursor.Next(ctx) {
			if !yield(convert(cursor.Current)) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", from.Name(), mongodb.ReadError(err, nil)))
		}
	}
}

// NotObjectID selects documents whose field is not an ObjectID.
func NotObjectID(field string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$type", Value: "objectId"}}}}}}
}

// Canonical reports whether a key is exactly {user_id: ObjectID, event_id: ObjectID}. It compares
// bytes, because it is called for every registration.
func Canonical(key bson.Raw) bool {
	const idSize = 12
	user, event := []byte("\x07user_id\x00"), []byte("\x07event_id\x00")
	at := 4 // after the length
	for _, name := range [][]byte{user, event} {
		if len(key) < at+len(name)+idSize || string(key[at:at+len(name)]) != string(name) {
			return false
		}
		at += len(name) + idSize
	}
	return len(key) == at+1
}

// Orphaned yields the ids of events that do not exist but have registrations. It looks for pageSize events at once.
func Orphaned(ctx context.Context, events, registrations *mongo.Collection, pageSize int) iter.Seq2[store.ID, error] {
	pipeline := mongo.Pipeline{
		// Sorted and grouped by the first field of an index, so that one key is read for each event.
		{{Key: "$sort", Value: bson.D{{Key: "_id.event_id", Value: 1}, {Key: "cancelled", Value: 1}, {Key: "number", Value: 1}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$_id.event_id"}}}},
		{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "objectId"}}}}}},
	}
	type document struct {
		ID store.ID `bson:"_id"`
	}
	registered := mongodb.StreamCursor(ctx, registrations.Name(), func() (*mongo.Cursor, error) {
		return registrations.Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true))
	}, func(g document) store.ID { return g.ID })
	return func(yield func(store.ID, error) bool) {
		for page, err := range mongodb.Pages(registered, pageSize, pageSize) {
			var found []document
			if err == nil {
				found, err = mongodb.FindAll[document](ctx, events, mongodb.In("_id", page), options.Find().SetProjection(mongodb.OnlyID()))
			}
			if err != nil {
				yield(store.ID{}, fmt.Errorf("look for registrations without an event: %w", mongodb.ReadError(err, nil)))
				return
			}
			known := make(map[store.ID]bool, len(found))
			for _, e := range found {
				known[e.ID] = true
			}
			for _, id := range page {
				if !known[id] && !yield(id, nil) {
					return
				}
			}
		}
	}
}
