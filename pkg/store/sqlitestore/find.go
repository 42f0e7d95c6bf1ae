package sqlitestore

import (
	"context"
	"iter"
	"strings"

	"github.com/eventio/eventio/pkg/store"
)

// FindEvents implements store.Finder. SQLite finds and orders by index; the words are
// looked for here, where their meaning is defined.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) iter.Seq2[store.Event, error] {
	where, args := []string{"1"}, []any(nil)
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if !q.From.IsZero() {
		and("starts_at >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		and("starts_at < ?", q.To.UnixMilli())
	}
	if !q.OrganizerID.IsZero() {
		and("organizer_id = ?", q.OrganizerID[:])
	}
	if q.Available {
		and("tickets_sold < capacity")
	}
	order, beyond := "starts_at, id", "(starts_at, id) > (?, ?)"
	if q.Descending {
		order, beyond = "starts_at DESC, id DESC", "(starts_at, id) < (?, ?)"
	}
	if q.After != nil {
		and(beyond, q.After.StartsAt.UnixMilli(), q.After.ID[:])
	}
	found := stream(ctx, s.read, scanEvent, "SELECT "+eventColumns+" FROM events WHERE "+strings.Join(where, " AND ")+" ORDER BY "+order, args...)
	return func(yield func(store.Event, error) bool) {
		n := 0
		for e, err := range found {
			if err == nil && !e.Contains(q.Words) {
				continue
			}
			if !yield(e, err) {
				return
			}
			if n++; n == q.Limit {
				return
			}
		}
	}
}
