package mongostore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/search"
)

// FindEvents implements store.Events.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	page, err := search.ReadEvents(ctx, eventReader{s}, q)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("find events: %w", mongodb.ReadError(err, nil))
	}
	return page, nil
}

// eventReader reads each list of events by its index and no other.
type eventReader struct{ s *Store }

var _ search.EventReader = eventReader{}

// ReadRange implements search.EventReader.
func (r eventReader) ReadRange(ctx context.Context, rng search.EventRange) ([]store.Event, error) {
	return mongodb.QueryAll[store.Event](ctx, r.s.events, rangeCommand(r.s.events, rng, withoutSearch()))
}

// ReadCursors implements search.EventReader. Its projection has nothing that is not in the index.
func (r eventReader) ReadCursors(ctx context.Context, rng search.EventRange) ([]store.EventCursor, error) {
	docs, err := mongodb.QueryAll[struct {
		ID       store.ID  `bson:"_id"`
		StartsAt time.Time `bson:"starts_at"`
	}](ctx, r.s.events, rangeCommand(r.s.events, rng, bson.D{{Key: "starts_at", Value: 1}}))
	cursors := make([]store.EventCursor, len(docs))
	for i, d := range docs {
		cursors[i] = store.EventCursor{StartsAt: d.StartsAt, ID: d.ID}
	}
	return cursors, err
}

// ReadByID implements search.EventReader.
func (r eventReader) ReadByID(ctx context.Context, ids []store.ID) ([]store.Event, error) {
	return mongodb.QueryAll[store.Event](ctx, r.s.events, bson.D{
		{Key: "find", Value: r.s.events.Name()}, {Key: "filter", Value: mongodb.In("_id", ids)},
		{Key: "projection", Value: withoutSearch()}, {Key: "batchSize", Value: len(ids) + 1},
	})
}

// rangeCommand returns the command that reads a range. Its hint keeps the server from trying other
// indexes, which it would read to the end before it knows better.
func rangeCommand(events *mongo.Collection, r search.EventRange, projection bson.D) bson.D {
	condition, index := indexFilter(r.EventIndex)
	direction := 1
	if r.Descending {
		direction = -1
	}
	return bson.D{
		{Key: "find", Value: events.Name()}, {Key: "filter", Value: rangeFilter(r, condition)}, {Key: "hint", Value: index},
		{Key: "sort", Value: bson.D{{Key: "starts_at", Value: direction}, {Key: "_id", Value: direction}}},
		{Key: "projection", Value: projection},
		{Key: "limit", Value: r.Limit}, {Key: "batchSize", Value: r.Limit + 1},
	}
}

// indexFilter returns the condition of a list of events, and the keys of the index that has the
// list in order.
func indexFilter(i search.EventIndex) (condition, index bson.D) {
	by := func(field string, value any) {
		condition, index = append(condition, bson.E{Key: field, Value: value}), append(index, bson.E{Key: field, Value: 1})
	}
	condition = bson.D{}
	if i.WordPrefix != "" {
		by("beginnings", i.WordPrefix)
	}
	if !i.OrganizerID.IsZero() {
		by("organizer_id", i.OrganizerID)
	}
	if i.Available {
		by("available", true)
	}
	return condition, append(index, bson.E{Key: "starts_at", Value: 1}, bson.E{Key: "_id", Value: 1})
}

// rangeFilter returns the condition of a range. A range that begins at a cursor is two ranges of
// the index, which the server merges in order: the events that start at the same moment, from the
// cursor's id on, and those that start later. Each branch of the $or has all conditions: if they
// had their common ones outside of the $or, the server might read the list from its beginning.
func rangeFilter(r search.EventRange, condition bson.D) bson.D {
	starts := func(from, to time.Time, more ...bson.E) bson.D {
		bounds := more
		if !from.IsZero() {
			bounds = append(bounds, bson.E{Key: "$gte", Value: from})
		}
		if !to.IsZero() {
			bounds = append(bounds, bson.E{Key: "$lt", Value: to})
		}
		if len(bounds) == 0 {
			return condition
		}
		return append(slices.Clone(condition), bson.E{Key: "starts_at", Value: bson.D(bounds)})
	}
	if r.Begin == nil {
		return starts(r.From, r.To)
	}
	same := starts(r.From, r.To, bson.E{Key: "$eq", Value: r.Begin.StartsAt})
	later := starts(r.From, r.To, bson.E{Key: "$gt", Value: r.Begin.StartsAt})
	from := "$gte"
	if r.Descending {
		from = "$lte"
		to := r.To
		if to.IsZero() || r.Begin.StartsAt.Before(to) {
			to = r.Begin.StartsAt
		}
		later = starts(r.From, to)
	}
	same = append(same, bson.E{Key: "_id", Value: bson.D{{Key: from, Value: r.Begin.ID}}})
	return bson.D{{Key: "$or", Value: bson.A{same, later}}}
}
