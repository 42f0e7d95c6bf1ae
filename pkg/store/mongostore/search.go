package mongostore

import (
	"context"
	"fmt"
	"slices"
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
	list, index := listFilter(span.EventList)
	direction := 1
	if span.Descending {
		direction = -1
	}
	return bson.D{
		{Key: "find", Value: events.Name()}, {Key: "filter", Value: spanFilter(span, list)}, {Key: "hint", Value: index},
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

// spanFilter selects a span. Where it begins at an id, the events of that moment are one
// range of the index and those beyond it another, which the server merges in order. Each
// branch names the whole range: with what they share outside of $or, the server may as well
// read the list from its beginning.
func spanFilter(span store.EventSpan, list bson.D) bson.D {
	starts := func(from, to time.Time, more ...bson.E) bson.D {
		bounds := more
		if !from.IsZero() {
			bounds = append(bounds, bson.E{Key: "$gte", Value: from})
		}
		if !to.IsZero() {
			bounds = append(bounds, bson.E{Key: "$lt", Value: to})
		}
		if len(bounds) == 0 {
			return list
		}
		return append(slices.Clone(list), bson.E{Key: "starts_at", Value: bson.D(bounds)})
	}
	if span.Begin == nil {
		return starts(span.From, span.To)
	}
	moment := starts(span.From, span.To, bson.E{Key: "$eq", Value: span.Begin.StartsAt})
	beyond := starts(span.From, span.To, bson.E{Key: "$gt", Value: span.Begin.StartsAt})
	from := "$gte"
	if span.Descending {
		from = "$lte"
		to := span.To
		if to.IsZero() || span.Begin.StartsAt.Before(to) {
			to = span.Begin.StartsAt
		}
		beyond = starts(span.From, to)
	}
	moment = append(moment, bson.E{Key: "_id", Value: bson.D{{Key: from, Value: span.Begin.ID}}})
	return bson.D{{Key: "$or", Value: bson.A{moment, beyond}}}
}
