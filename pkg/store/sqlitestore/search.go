package sqlitestore

import (
	"context"
	"fmt"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// FindEvents implements store.Events.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	page, err := search.ReadEvents(ctx, eventReader{s}, q)
	if err != nil {
		return store.EventPage{}, fmt.Errorf("find events: %w", err)
	}
	return page, nil
}

// eventReader reads each list of events by its index and no other.
type eventReader struct{ s *Store }

var _ search.EventReader = eventReader{}

// ReadRange implements search.EventReader.
func (r eventReader) ReadRange(ctx context.Context, rng search.EventRange) ([]store.Event, error) {
	from := "events"
	if rng.WordPrefix != "" {
		// The join ignores rows that are out of date. CROSS makes SQLite read event_beginnings first.
		from = "event_beginnings CROSS JOIN events ON events.id = event_id AND starts_at = starts"
	}
	query, args := rangeQuery(rng, eventColumns(), from)
	return sqldb.All(ctx, r.s.read, scanEvent, query, args...)
}

// ReadCursors implements search.EventReader.
func (r eventReader) ReadCursors(ctx context.Context, rng search.EventRange) ([]store.EventCursor, error) {
	columns, from := "starts_at, id", "events"
	if rng.WordPrefix != "" {
		columns, from = "starts, event_id", "event_beginnings"
	}
	query, args := rangeQuery(rng, columns, from)
	return sqldb.All(ctx, r.s.read, scanCursor, query, args...)
}

// ReadByID implements search.EventReader.
func (r eventReader) ReadByID(ctx context.Context, ids []store.ID) ([]store.Event, error) {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	return sqldb.All(ctx, r.s.read, scanEvent, `SELECT `+eventColumns()+` FROM events WHERE id IN (?`+strings.Repeat(`, ?`, len(ids)-1)+`)`, args...)
}

func scanCursor(row sqldb.Scanner) (store.EventCursor, error) {
	var c store.EventCursor
	err := row.Scan(sqldb.Millis{To: &c.StartsAt}, sqldb.ID{To: &c.ID})
	return c, err
}

// rangeQuery returns the query of a range. INDEXED BY makes it fail where SQLite would use another
// index.
func rangeQuery(rng search.EventRange, columns, from string) (query string, args []any) {
	starts, id := "starts_at", "id"
	var where []string
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	index := "start"
	switch {
	case rng.WordPrefix != "":
		starts, id = "starts", "event_id"
		and("beginning = ?", rng.WordPrefix)
	case !rng.OrganizerID.IsZero():
		index = "organizer"
		and("organizer_id = ?", rng.OrganizerID[:])
	}
	if rng.Available {
		index = "available_by_" + index
		and("tickets_sold < capacity AND cancelled_at = 0")
	} else {
		index = "events_by_" + index
	}
	if rng.WordPrefix == "" {
		from += " INDEXED BY " + index
	}
	// At most one bound on each side: of two, SQLite would search by the first, and read rows up to
	// the second.
	begin := func(beyond string) {
		and("("+starts+", "+id+") "+beyond+" (?, ?)", rng.Begin.StartsAt.UnixMilli(), rng.Begin.ID[:])
	}
	switch {
	case rng.Begin != nil && !rng.Descending && !rng.Begin.StartsAt.Before(rng.From):
		begin(">=")
	case !rng.From.IsZero():
		and(starts+" >= ?", rng.From.UnixMilli())
	}
	switch {
	case rng.Begin != nil && rng.Descending && (rng.To.IsZero() || rng.Begin.StartsAt.Before(rng.To)):
		begin("<=")
	case !rng.To.IsZero():
		and(starts+" < ?", rng.To.UnixMilli())
	}
	direction := ""
	if rng.Descending {
		direction = " DESC"
	}
	condition := ""
	if len(where) > 0 {
		condition = " WHERE " + strings.Join(where, " AND ")
	}
	return "SELECT " + columns + " FROM " + from + condition +
		" ORDER BY " + starts + direction + ", " + id + direction + " LIMIT ?", append(args, rng.Limit)
}
