package migrate

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
)

const (
	// SearchStep is the number of the step that adds the fields by which lists and searches find
	// events.
	SearchStep = 3
	// fillBatch is how many events are read and written at once.
	fillBatch = 500
)

// fillSearch is step 3: it adds the search fields to all events. It makes their indexes last, which
// is faster than keeping them up to date; then it adds the fields of those events that processes of
// the version before have written meanwhile. It may be interrupted anywhere: fields that are there
// are not written again.
func fillSearch(ctx context.Context, db *mongo.Database, done func(n, all int64)) error {
	events := db.Collection("events")
	all, err := events.EstimatedDocumentCount(ctx)
	if err != nil {
		return err
	}
	var n int64
	for after := (store.ID{}); ; {
		page, err := fillPage(ctx, events, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}, bson.D{{Key: "_id", Value: 1}})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		n, after = n+int64(len(page)), page[len(page)-1].ID
		done(n, max(n, all))
	}
	if err := createIndexes(ctx, db, SearchStep); err != nil {
		return err
	}
	for {
		// The index of beginnings has the documents without the field under null.
		page, err := fillPage(ctx, events, bson.D{{Key: "beginnings", Value: nil}}, bson.D{})
		if err != nil || len(page) == 0 {
			return err
		}
	}
}

// fillPage adds the search fields to the first events that filter selects, in that order, and
// returns these events as they were read: with their texts and version only.
func fillPage(ctx context.Context, events *mongo.Collection, filter, order bson.D) ([]store.Event, error) {
	cursor, err := events.Find(ctx, filter, options.Find().SetSort(order).SetLimit(fillBatch).SetProjection(bson.D{
		{Key: "title", Value: 1}, {Key: "description", Value: 1}, {Key: "place", Value: 1}, {Key: "version", Value: 1},
	}))
	if err != nil {
		return nil, err
	}
	var page []store.Event
	if err := cursor.All(ctx, &page); err != nil || len(page) == 0 {
		return nil, err
	}
	writes := make([]mongo.WriteModel, len(page))
	for i, e := range page {
		writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{
			{Key: "_id", Value: e.ID}, {Key: "version", Value: e.Version}, {Key: "beginnings", Value: nil},
		}).SetUpdate(mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: "beginnings", Value: bson.D{{Key: "$literal", Value: search.WordPrefixes(e)}}},
			{Key: "available", Value: available()},
		}}}})
	}
	if _, err := events.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return nil, fmt.Errorf("fill %d events: %w", len(page), err)
	}
	return page, nil
}

// available is store.Event.IsAvailable as an expression of the server, which knows the latest
// counters. An event that an edit left uncancelled has the zero time in cancelled_at.
func available() bson.D {
	zero := store.Event{}.CancelledAt
	return bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "$lt", Value: bson.A{"$tickets_sold", "$capacity"}}},
		bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$cancelled_at", zero}}}, zero}}},
	}}}
}
