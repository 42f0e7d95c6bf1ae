package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	found := stream(ctx, s.read, scanEvent, selectEvent+"WHERE "+strings.Join(where, " AND ")+" ORDER BY "+order, args...)
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

// Registration implements store.Finder.
func (s *Store) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	r := store.Registration{EventID: eventID, UserID: userID}
	row := s.read.QueryRowContext(ctx, `SELECT number, request_id, registered_at FROM registrations
		WHERE event_id = ? AND user_id = ?`, eventID[:], userID[:])
	err := row.Scan(&r.Number, &r.RequestID, millis{&r.RegisteredAt})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = store.ErrRegistrationNotFound
	case err != nil:
		err = unavailable(err)
	}
	if err != nil {
		return store.Registration{}, fmt.Errorf("read the registration of user %s for event %s: %w", userID.Hex(), eventID.Hex(), err)
	}
	return r, nil
}

// User implements store.Finder.
func (s *Store) User(ctx context.Context, userID store.ID) (store.User, error) {
	u := store.User{ID: userID}
	row := s.read.QueryRowContext(ctx, `SELECT name, email, password_hash, created_at FROM users WHERE id = ?`, userID[:])
	err := row.Scan(&u.Name, &u.Email, &u.PasswordHash, millis{&u.CreatedAt})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = store.ErrUserNotFound
	case err != nil:
		err = unavailable(err)
	}
	if err != nil {
		return store.User{}, fmt.Errorf("read user %s: %w", userID.Hex(), err)
	}
	return u, nil
}
