package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// counts counts the registrations of an event, in the transaction of ctx. It reads their index
// only.
func (s *Store) counts(ctx context.Context, e store.Event) (*store.Counts, error) {
	var c store.Counts
	for _, part := range []struct {
		to     *int64
		number bson.D
	}{
		{&c.Confirmed, bson.D{{Key: "$lte", Value: e.ConfirmedThrough}}},
		{&c.Waiting, bson.D{{Key: "$gt", Value: e.ConfirmedThrough}}},
	} {
		// An aggregation, because a transaction has no command count.
		n, err := s.registrations.CountDocuments(ctx, bson.D{
			{Key: "_id.event_id", Value: e.ID}, {Key: "cancelled", Value: false}, {Key: "number", Value: part.number},
		})
		if err != nil {
			return nil, fmt.Errorf("count the registrations of event %s: %w", e.ID.Hex(), err)
		}
		*part.to = n
	}
	for _, cancelled := range []bool{false, true} {
		last, err := mongodb.FindAll[struct{ Number int64 }](ctx, s.registrations,
			bson.D{{Key: "_id.event_id", Value: e.ID}, {Key: "cancelled", Value: cancelled}},
			options.Find().SetSort(bson.D{{Key: "number", Value: -1}}).SetLimit(1).
				SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "number", Value: 1}}))
		if err != nil {
			return nil, fmt.Errorf("find the last number of event %s: %w", e.ID.Hex(), err)
		}
		for _, d := range last {
			c.LastNumber = max(c.LastNumber, d.Number)
		}
	}
	return &c, nil
}
