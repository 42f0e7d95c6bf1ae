package sqlitestore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// FindEvents implements store.Finder.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	page, err := store.ReadEvents(ctx, eventReader{s}, q)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("find events: %w", err)
	}
	return page, nil
}

// eventReader reads the lists of events, each by its index and no other.
type eventReader struct{ s *Store }

var _ store.EventReader = eventReader{}

// EventsIn implements store.EventReader.
func (r eventReader) EventsIn(ctx context.Context, span store.EventSpan) ([]store.Event, error) {
	from := "events"
	if span.Beginning != "" {
		// A row that is older than its event leads nowhere. CROSS keeps this order.
		from = "event_beginnings CROSS JOIN events ON events.id = event_id AND starts_at = starts"
	}
	query, args := spanQuery(span, eventColumns, from)
	return readAll(ctx, r.s, scanEvent, query, args...)
}

// PlacesIn implements store.EventReader.
func (r eventReader) PlacesIn(ctx context.Context, span store.EventSpan) ([]store.EventPlace, error) {
	columns, from := "starts_at, id", "events"
	if span.Beginning != "" {
		columns, from = "starts, event_id", "event_beginnings"
	}
	query, args := spanQuery(span, columns, from)
	return readAll(ctx, r.s, scanPlace, query, args...)
}

// EventsByID implements store.EventReader.
func (r eventReader) EventsByID(ctx context.Context, ids []store.ID) ([]store.Event, error) {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	return readAll(ctx, r.s, scanEvent, `SELECT `+eventColumns+` FROM events WHERE id IN (?`+strings.Repeat(`, ?`, len(ids)-1)+`)`, args...)
}

func scanPlace(row scanner) (store.EventPlace, error) {
	var p store.EventPlace
	var starts int64
	err := row.Scan(&starts, id{&p.ID})
	p.StartsAt = time.UnixMilli(starts).UTC()
	return p, err
}

func readAll[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	for v, err := range stream(ctx, s.read, scan, query, args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// spanQuery reads a span of a list. INDEXED BY makes the statement fail where SQLite would
// read another index.
func spanQuery(span store.EventSpan, columns, from string) (query string, args []any) {
	starts, id := "starts_at", "id"
	var where []string
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	index := "start"
	switch {
	case span.Beginning != "":
		starts, id = "starts", "event_id"
		and("beginning = ?", span.Beginning)
	case !span.OrganizerID.IsZero():
		index = "organizer"
		and("organizer_id = ?", span.OrganizerID[:])
	}
	if span.Available {
		index = "available_by_" + index
		and("tickets_sold < capacity AND cancelled_at = 0")
	} else {
		index = "events_by_" + index
	}
	if span.Beginning == "" {
		from += " INDEXED BY " + index
	}
	// Of two bounds on one side SQLite would take the first, and read up to the other one.
	begin := func(beyond string) {
		and("("+starts+", "+id+") "+beyond+" (?, ?)", span.Begin.StartsAt.UnixMilli(), span.Begin.ID[:])
	}
	switch {
	case span.Begin != nil && !span.Descending && !span.Begin.StartsAt.Before(span.From):
		begin(">=")
	case !span.From.IsZero():
		and(starts+" >= ?", span.From.UnixMilli())
	}
	switch {
	case span.Begin != nil && span.Descending && (span.To.IsZero() || span.Begin.StartsAt.Before(span.To)):
		begin("<=")
	case !span.To.IsZero():
		and(starts+" < ?", span.To.UnixMilli())
	}
	direction := ""
	if span.Descending {
		direction = " DESC"
	}
	condition := ""
	if len(where) > 0 {
		condition = " WHERE " + strings.Join(where, " AND ")
	}
	return "SELECT " + columns + " FROM " + from + condition +
		" ORDER BY " + starts + direction + ", " + id + direction + " LIMIT ?", append(args, span.Limit)
}
