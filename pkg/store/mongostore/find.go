package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// FindEvents implements store.Finder.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	page, err := store.ReadEvents(ctx, eventReader{s}, q)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("find events: %w", readError(err, nil))
	}
	return page, nil
}

// eventReader reads the lists of events, each by its index and no other.
type eventReader struct{ s *Store }

var _ store.EventReader = eventReader{}

// EventsIn implements store.EventReader.
func (r eventReader) EventsIn(ctx context.Context, span store.EventSpan) ([]store.Event, error) {
	docs, err := read[eventDoc](ctx, r.s.events, spanCommand(r.s.events, span, withoutSearch()))
	return eventsOf(docs), err
}

// PlacesIn implements store.EventReader: the projection has nothing but what the index has.
func (r eventReader) PlacesIn(ctx context.Context, span store.EventSpan) ([]store.EventPlace, error) {
	docs, err := read[struct {
		ID       store.ID  `bson:"_id"`
		StartsAt time.Time `bson:"starts_at"`
	}](ctx, r.s.events, spanCommand(r.s.events, span, bson.D{{Key: "starts_at", Value: 1}}))
	places := make([]store.EventPlace, len(docs))
	for i, d := range docs {
		places[i] = store.EventPlace{StartsAt: d.StartsAt.UTC(), ID: d.ID}
	}
	return places, err
}

// EventsByID implements store.EventReader.
func (r eventReader) EventsByID(ctx context.Context, ids []store.ID) ([]store.Event, error) {
	docs, err := read[eventDoc](ctx, r.s.events, bson.D{
		{Key: "find", Value: r.s.events.Name()}, {Key: "filter", Value: in("_id", ids)},
		{Key: "projection", Value: withoutSearch()}, {Key: "batchSize", Value: len(ids) + 1},
	})
	return eventsOf(docs), err
}

func eventsOf(docs []eventDoc) []store.Event {
	events := make([]store.Event, len(docs))
	for i, d := range docs {
		events[i] = d.event()
	}
	return events
}

// spanCommand finds a span of a list. The hint keeps the server from trying other indexes,
// which would be read to their end before it knows better.
func spanCommand(events *mongo.Collection, span store.EventSpan, projection bson.D) bson.D {
	filter, index := listFilter(span.EventList)
	filter = append(filter, placeFilter(span)...)
	direction := 1
	if span.Descending {
		direction = -1
	}
	return bson.D{
		{Key: "find", Value: events.Name()}, {Key: "filter", Value: filter}, {Key: "hint", Value: index},
		{Key: "sort", Value: bson.D{{Key: "starts_at", Value: direction}, {Key: "_id", Value: direction}}},
		{Key: "projection", Value: projection},
		{Key: "limit", Value: span.Limit}, {Key: "batchSize", Value: span.Limit + 1},
	}
}

// listFilter selects a list, and names the index that has it in order.
func listFilter(list store.EventList) (filter, index bson.D) {
	by := func(field string, value any) {
		filter, index = append(filter, bson.E{Key: field, Value: value}), append(index, bson.E{Key: field, Value: 1})
	}
	filter = bson.D{}
	if list.Beginning != "" {
		by("beginnings", list.Beginning)
	}
	if !list.OrganizerID.IsZero() {
		by("organizer_id", list.OrganizerID)
	}
	if list.Available {
		by("available", true)
	}
	return filter, append(index, bson.E{Key: "starts_at", Value: 1}, bson.E{Key: "_id", Value: 1})
}

// placeFilter selects what lies between the bounds of a span. Where it begins at an id, the
// events of that moment are one range of the index, and all later ones another: together
// they are read in order, and nothing before them.
func placeFilter(span store.EventSpan) bson.D {
	bounds := func(begin bson.E) bson.D {
		var between bson.D
		if !span.From.IsZero() {
			between = append(between, bson.E{Key: "$gte", Value: span.From})
		}
		if !span.To.IsZero() {
			between = append(between, bson.E{Key: "$lt", Value: span.To})
		}
		if begin.Key != "" {
			between = append(between, begin)
		}
		if between == nil {
			return nil
		}
		return bson.D{{Key: "starts_at", Value: between}}
	}
	if span.Begin == nil {
		return bounds(bson.E{})
	}
	beyond := "$gt"
	if span.Descending {
		beyond = "$lt"
	}
	moment := append(bounds(bson.E{Key: "$eq", Value: span.Begin.StartsAt}), bson.E{Key: "_id", Value: bson.D{{Key: beyond + "e", Value: span.Begin.ID}}})
	return bson.D{{Key: "$or", Value: bson.A{moment, bounds(bson.E{Key: beyond, Value: span.Begin.StartsAt})}}}
}
