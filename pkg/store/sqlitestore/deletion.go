package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/waitlist"
)

// DeleteEvent implements store.Deletions.
func (s *Store) DeleteEvent(ctx context.Context, id store.ID, at time.Time) (store.DeletedEvent, error) {
	var d store.DeletedEvent
	for gone := false; !gone; {
		err := s.transact(ctx, func(tx *sql.Tx) (err error) {
			d, gone, err = deletePart(ctx, tx, id, at)
			return err
		})
		if err != nil {
			return store.DeletedEvent{}, fmt.Errorf("delete event %s: %w", id.Hex(), err)
		}
	}
	return d, nil
}

// deletePart removes some registrations of an event or, when there is none any more, the event.
func deletePart(ctx context.Context, tx *sql.Tx, id store.ID, at time.Time) (d store.DeletedEvent, gone bool, err error) {
	e, err := scanEvent(tx.QueryRowContext(ctx, `SELECT `+eventColumns()+` FROM events WHERE id = ?`, id[:]))
	if err != nil {
		return d, false, sqldb.ReadError(err, store.ErrEventNotFound)
	}
	if e.CancelledAt.IsZero() {
		return d, false, store.ErrNotCancelled
	}
	rows, err := sqldb.All(ctx, tx, scanRegistration, `SELECT `+registrationColumns+` FROM registrations WHERE event_id = ? LIMIT ?`,
		id[:], store.DeleteBatch)
	if err != nil {
		return d, false, err
	}
	if len(rows) > 0 {
		for _, r := range rows {
			if _, err := tx.ExecContext(ctx, `DELETE FROM registrations WHERE user_id = ? AND event_id = ?`, r.UserID[:], id[:]); err != nil {
				return d, false, err
			}
		}
		return d, false, updateEvent(ctx, tx, store.Change{Before: e, After: e.Without(rows)})
	}
	if n, err := record.Delete(ctx, tx, id); err != nil || n > 0 {
		return d, false, err
	}
	if err := removeWordPrefixes(ctx, tx, e, search.WordPrefixes(e)); err != nil {
		return d, false, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM webhook_marks WHERE event_id = ?`, id[:]); err != nil {
		return d, false, err
	}
	if err := waitlist.Forget(ctx, tx, id); err != nil {
		return d, false, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM events WHERE id = ?`, id[:]); err != nil {
		return d, false, err
	}
	d = store.DeletedEvent{ID: id, OrganizerID: e.OrganizerID, Registrations: e.LastNumber, DeletedAt: at.UTC()}
	_, err = tx.ExecContext(ctx, `INSERT INTO deleted_events (id, organizer_id, registrations, deleted_at) VALUES (?, ?, ?, ?)`,
		d.ID[:], d.OrganizerID[:], d.Registrations, sqldb.UnixMillis(d.DeletedAt))
	return d, true, err
}

// DeletedEvent implements store.Deletions.
func (s *Store) DeletedEvent(ctx context.Context, id store.ID) (store.DeletedEvent, error) {
	var d store.DeletedEvent
	err := s.read.QueryRowContext(ctx, `SELECT id, organizer_id, registrations, deleted_at FROM deleted_events WHERE id = ?`, id[:]).
		Scan(sqldb.ID{To: &d.ID}, sqldb.ID{To: &d.OrganizerID}, &d.Registrations, sqldb.Millis{To: &d.DeletedAt})
	if err != nil {
		return store.DeletedEvent{}, fmt.Errorf("read deleted event %s: %w", id.Hex(), sqldb.ReadError(err, store.ErrEventNotFound))
	}
	return d, nil
}
