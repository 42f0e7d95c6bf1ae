package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

// eventColumns are all columns of events, in the order of scanEvent.
const eventColumns = `events.id, organizer_id, title, description, place, time_zone, waitlist,
	starts_at, ends_at, opens_at, closes_at, cancelled_at, created_at,
	version, revision, last_edit, capacity, tickets_sold, waiting, last_number, confirmed_through`

// scanner is what a row and the current row of many have in common.
type scanner interface{ Scan(to ...any) error }

func eventFields(e *store.Event) []any {
	return []any{
		id{&e.ID}, id{&e.OrganizerID}, &e.Title, &e.Description, &e.Place, &e.TimeZone, &e.Waitlist,
		millis{&e.StartsAt}, millis{&e.EndsAt}, millis{&e.OpensAt}, millis{&e.ClosesAt}, millis{&e.CancelledAt}, millis{&e.CreatedAt},
		&e.Version, &e.Revision, &e.LastEdit, &e.Capacity, &e.TicketsSold, &e.Waiting, &e.LastNumber, &e.ConfirmedThrough,
	}
}

func scanEvent(row scanner) (store.Event, error) {
	var e store.Event
	err := row.Scan(eventFields(&e)...)
	return e, err
}

// registrationColumns are all columns of registrations, in the order of scanRegistration.
const registrationColumns = `user_id, event_id, number, request_id, registered_at, cancelled, past`

func registrationFields(r *store.Registration) []any {
	return []any{id{&r.UserID}, id{&r.EventID}, &r.Number, &r.RequestID, millis{&r.RegisteredAt}, &r.Cancelled, &r.Past}
}

func scanRegistration(row scanner) (store.Registration, error) {
	var r store.Registration
	err := row.Scan(registrationFields(&r)...)
	return r, err
}

// CreateEvent implements store.Events.
func (s *Store) CreateEvent(ctx context.Context, e store.Event) error {
	e = store.Event{
		ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Description: e.Description,
		Place: e.Place, TimeZone: e.TimeZone, Waitlist: e.Waitlist, StartsAt: e.StartsAt, EndsAt: e.EndsAt,
		OpensAt: e.OpensAt, ClosesAt: e.ClosesAt, CreatedAt: e.CreatedAt,
		Version: 1, Revision: 1, Capacity: e.Capacity,
	}
	err := s.transact(ctx, func(tx *sql.Tx) error { return insertEvent(ctx, tx, e) })
	if err != nil {
		return fmt.Errorf("create event %s: %w", e.ID.Hex(), err)
	}
	return nil
}

// insertEvent adds an event as it is, and what it is found by.
func insertEvent(ctx context.Context, tx *sql.Tx, e store.Event) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO events
		(id, organizer_id, title, description, place, time_zone, waitlist,
		 starts_at, ends_at, opens_at, closes_at, cancelled_at, created_at,
		 version, revision, last_edit, capacity, tickets_sold, waiting, last_number, confirmed_through)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID[:], e.OrganizerID[:], e.Title, e.Description, e.Place, e.TimeZone, e.Waitlist,
		unixMillis(e.StartsAt), unixMillis(e.EndsAt), unixMillis(e.OpensAt), unixMillis(e.ClosesAt),
		unixMillis(e.CancelledAt), unixMillis(e.CreatedAt), e.Version, e.Revision, e.LastEdit,
		e.Capacity, e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough)
	if err != nil {
		return err
	}
	return addBeginnings(ctx, tx, e, e.Beginnings())
}

// Event implements store.Events.
func (s *Store) Event(ctx context.Context, eventID store.ID) (store.Event, error) {
	e, err := scanEvent(s.read.QueryRowContext(ctx, `SELECT `+eventColumns+` FROM events WHERE id = ?`, eventID[:]))
	if err != nil {
		return store.Event{}, fmt.Errorf("read event %s: %w", eventID.Hex(), readError(err, store.ErrEventNotFound))
	}
	return e, nil
}

// Roster implements store.Events.
func (s *Store) Roster(ctx context.Context, eventID store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	return stream(ctx, s.read, scanRegistration, `SELECT `+registrationColumns+` FROM registrations
		WHERE event_id = ? AND number > ? AND number <= ? AND cancelled = 0 ORDER BY number LIMIT ?`,
		eventID[:], after, through, sqlLimit(limit))
}

// Registration implements store.Events.
func (s *Store) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	r, err := scanRegistration(s.read.QueryRowContext(ctx, `SELECT `+registrationColumns+` FROM registrations
		WHERE user_id = ? AND event_id = ? AND cancelled = 0`, userID[:], eventID[:]))
	if err != nil {
		return store.Registration{}, fmt.Errorf("read the registration of user %s for event %s: %w",
			userID.Hex(), eventID.Hex(), readError(err, store.ErrRegistrationNotFound))
	}
	return r, nil
}

// Position implements store.Events.
func (s *Store) Position(ctx context.Context, eventID store.ID, number int64) (int64, error) {
	var n int64
	// From the nearer end of the line. The subquery's one row keeps an unknown event from
	// counting as an empty line.
	const count = `(SELECT count(*) FROM registrations WHERE event_id = events.id AND cancelled = 0 AND number > `
	err := s.read.QueryRowContext(ctx, `SELECT CASE
			WHEN ?1 <= confirmed_through THEN 0
			WHEN last_number - ?1 < ?1 - confirmed_through THEN max(1, waiting - `+count+`?1 AND number <= last_number))
			ELSE max(1, `+count+`confirmed_through AND number <= ?1)) END
		FROM events WHERE id = ?2`, number, eventID[:]).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("find a position in event %s: %w", eventID.Hex(), readError(err, store.ErrEventNotFound))
	}
	return n, nil
}

// UserRegistrations implements store.Events.
func (s *Store) UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.Holding, error] {
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	scan := func(row scanner) (store.Holding, error) {
		var h store.Holding
		err := row.Scan(append(registrationFields(&h.Registration), eventFields(&h.Event)...)...)
		return h, err
	}
	return stream(ctx, s.read, scan, `SELECT `+registrationColumns+`, `+eventColumns+`
		FROM registrations JOIN events ON events.id = event_id
		WHERE user_id = ? AND event_id < ? ORDER BY event_id DESC LIMIT ?`,
		userID[:], before[:], sqlLimit(limit))
}

// sqlLimit turns 0 into SQLite's word for no limit.
func sqlLimit(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
}

// readError translates an error of a read: it cannot have stored anything.
func readError(err, notFound error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return notFound
	}
	return classify(err)
}
