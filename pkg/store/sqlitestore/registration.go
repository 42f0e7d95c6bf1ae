package sqlitestore

import (
	"context"
	"fmt"
	"iter"
	"math/bits"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/waitlist"
	"github.com/eventio/eventio/pkg/store/userlists"
)

// registrationColumns are the columns of the table registrations, in the order of
// registrationTargets and registrationValues. onePlaceholder has a placeholder for each.
const (
	registrationColumns = `user_id, event_id, number, request_id, registered_at, cancelled, past, given_up_at, revisions`
	onePlaceholder      = `(?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// registrationTargets returns what scans the registrationColumns into r.
func registrationTargets(r *store.Registration) []any {
	return []any{
		sqldb.ID{To: &r.UserID}, sqldb.ID{To: &r.EventID}, &r.Number, &r.RequestID,
		sqldb.Millis{To: &r.RegisteredAt}, &r.Cancelled, sqldb.Past{To: &r.Past}, sqldb.Millis{To: &r.CancelledAt},
		sqldb.Revisions{To: &r.Revisions},
	}
}

// registrationValues returns the values of the registrationColumns of r.
func registrationValues(r store.Registration) []any {
	return []any{
		r.UserID[:], r.EventID[:], r.Number, r.RequestID, sqldb.UnixMillis(r.RegisteredAt), r.Cancelled, r.Past.String(), sqldb.UnixMillis(r.CancelledAt),
		r.Revisions.String(),
	}
}

func scanRegistration(row sqldb.Scanner) (store.Registration, error) {
	var r store.Registration
	err := row.Scan(registrationTargets(&r)...)
	return r, err
}

// Roster implements store.Registrations.
func (s *Store) Roster(ctx context.Context, eventID store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	return sqldb.Stream(ctx, s.read, scanRegistration, `SELECT `+registrationColumns+` FROM registrations
		WHERE event_id = ? AND number > ? AND number <= ? AND cancelled = 0 ORDER BY number LIMIT ?`,
		eventID[:], after, through, sqldb.Limit(limit))
}

// Registration implements store.Registrations.
func (s *Store) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	r, err := scanRegistration(s.read.QueryRowContext(ctx, `SELECT `+registrationColumns+` FROM registrations
		WHERE user_id = ? AND event_id = ? AND cancelled = 0`, userID[:], eventID[:]))
	if err != nil {
		return store.Registration{}, fmt.Errorf("read the registration of user %s for event %s: %w",
			userID.Hex(), eventID.Hex(), sqldb.ReadError(err, store.ErrRegistrationNotFound))
	}
	return r, nil
}

// RegistrationsByID implements store.Registrations.
func (s *Store) RegistrationsByID(ctx context.Context, ids []store.RegistrationID) (map[store.RegistrationID]store.Registration, error) {
	args := make([]any, 0, 2*len(ids))
	for i := range ids {
		args = append(args, ids[i].UserID[:], ids[i].EventID[:])
	}
	found := make(map[store.RegistrationID]store.Registration, len(ids))
	for r, err := range sqldb.Stream(ctx, s.read, scanRegistration, `SELECT `+registrationColumns+` FROM registrations
		WHERE (user_id, event_id) IN (VALUES `+placeholders("(?, ?)", len(ids))+`) AND cancelled = 0`, args...) {
		if err != nil {
			return nil, fmt.Errorf("read %d registrations: %w", len(ids), err)
		}
		found[store.RegistrationID{EventID: r.EventID, UserID: r.UserID}] = r
	}
	return found, nil
}

// Position implements store.Registrations.
func (s *Store) Position(ctx context.Context, eventID store.ID, number int64) (int64, error) {
	n, err := waitlist.Position(ctx, s.read, eventID, number)
	if err != nil {
		return 0, fmt.Errorf("find a position in event %s: %w", eventID.Hex(), sqldb.ReadError(err, store.ErrEventNotFound))
	}
	return n, nil
}

// Entered implements store.Registrations: a read transaction sees one moment.
func (s *Store) Entered(ctx context.Context, eventID store.ID, after int64, limit int) (e store.Event, users []store.NumberedUser, err error) {
	tx, err := s.read.BeginTx(ctx, nil)
	if err == nil {
		defer tx.Rollback() //nolint:errcheck // it has only read
		e, err = scanEvent(tx.QueryRowContext(ctx, `SELECT `+eventColumns()+` FROM events WHERE id = ?`, eventID[:]))
	}
	if err == nil {
		// Two halves, since the index has those that are cancelled apart.
		users, err = sqldb.All(ctx, tx, scanNumbered, `SELECT number, user_id FROM registrations WHERE event_id = ?1 AND cancelled = 0 AND number > ?2
			UNION ALL SELECT number, user_id FROM registrations WHERE event_id = ?1 AND cancelled = 1 AND number > ?2
			ORDER BY number LIMIT ?3`, eventID[:], after, limit)
	}
	if err != nil {
		return store.Event{}, nil, fmt.Errorf("read who entered event %s: %w", eventID.Hex(), sqldb.ReadError(err, store.ErrEventNotFound))
	}
	return e, users, nil
}

func scanNumbered(row sqldb.Scanner) (u store.NumberedUser, err error) {
	err = row.Scan(&u.Number, sqldb.ID{To: &u.UserID})
	return u, err
}

// UserRegistrations implements store.Registrations.
func (s *Store) UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	return sqldb.Stream(ctx, s.read, scanUserRegistration, userRegistrations()+`
		WHERE user_id = ? AND event_id < ? ORDER BY event_id DESC LIMIT ?`,
		userID[:], before[:], sqldb.Limit(limit))
}

// UserLists implements store.Registrations. The last user is there as often as makes the number of them a power of two, so that there are few statements
// to keep.
func (s *Store) UserLists(ctx context.Context, users []store.ID, most int) (lists store.UserLists, err error) {
	n := 1 << bits.Len(uint(len(users)-1))
	args := make([]any, 0, n+1)
	for i := range n {
		args = append(args, users[min(i, len(users)-1)][:])
	}
	rows, err := sqldb.All(ctx, s.read, scanUserRegistration, userRegistrations()+`
		WHERE user_id IN (`+placeholders("?", n)+`) ORDER BY user_id DESC, event_id DESC LIMIT ?`, append(args, most+1)...)
	if err != nil {
		return lists, fmt.Errorf("read the lists of %d users: %w", len(users), sqldb.ReadError(err, nil))
	}
	lists.Whole, lists.Cut, lists.Read = userlists.Part(users, rows, func(r store.UserRegistration) store.ID { return r.Registration.UserID }, most)
	return lists, nil
}

// userRegistrations begins a statement that reads what scanUserRegistration scans.
func userRegistrations() string {
	return `SELECT ` + registrationColumns + `, ` + eventColumns() + ` FROM registrations JOIN events ON events.id = event_id`
}

func scanUserRegistration(row sqldb.Scanner) (r store.UserRegistration, err error) {
	err = row.Scan(append(registrationTargets(&r.Registration), eventTargets(&r.Event)...)...)
	return r, err
}
