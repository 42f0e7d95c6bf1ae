package sqlitestore

import (
	"context"
	"iter"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

const selectAttendees = `SELECT r.user_id, r.number, r.registered_at, coalesce(u.name, ''), coalesce(u.email, '')
	FROM registrations r LEFT JOIN users u ON u.id = r.user_id
	WHERE r.event_id = ? AND r.cancelled = 0 AND r.number > ? AND r.number <= ? `

func scanAttendee(row sqldb.Scanner) (store.Attendee, error) {
	var a store.Attendee
	err := row.Scan(sqldb.ID{To: &a.UserID}, &a.Number, sqldb.Millis{To: &a.RegisteredAt}, &a.Name, &a.Email)
	return a, err
}

// Attendees implements store.Attendees.
func (s *Store) Attendees(ctx context.Context, q store.AttendeeQuery) iter.Seq2[store.Attendee, error] {
	order := `ORDER BY r.number LIMIT ?`
	if q.Descending {
		order = `ORDER BY r.number DESC LIMIT ?`
	}
	return sqldb.Stream(ctx, s.read, scanAttendee, selectAttendees+order, q.EventID[:], q.After, q.Through, sqldb.Limit(q.Limit))
}
