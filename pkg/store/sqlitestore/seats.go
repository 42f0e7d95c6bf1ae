package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
)

// errMoved says that the guard found another state than the one the decision rests on. In
// an immediate transaction that cannot happen while the file is sound.
var errMoved = errors.New("the event's state moved under the transaction")

// Apply implements store.Seats: one immediate transaction a batch.
func (s *Store) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	var results []store.SeatResult
	err := s.transact(ctx, func(tx *sql.Tx) error {
		states, err := load(ctx, tx, batch)
		if err != nil {
			return err
		}
		var changes []store.Change
		results, changes = store.Decide(states, batch)
		return save(ctx, tx, states, changes)
	})
	if err != nil {
		return nil, fmt.Errorf("apply a batch of %d: %w", len(batch), err)
	}
	return results, nil
}

// load reads the state of each event in the batch and who of the batch holds a seat there.
func load(ctx context.Context, tx *sql.Tx, batch []store.SeatRequest) (map[store.ID]store.EventState, error) {
	event, err := tx.PrepareContext(ctx, `SELECT capacity, tickets_sold, last_number FROM events WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	defer event.Close()
	held, err := tx.PrepareContext(ctx, `SELECT number, request_id, registered_at FROM registrations
		WHERE event_id = ? AND user_id = ?`)
	if err != nil {
		return nil, err
	}
	defer held.Close()

	states := make(map[store.ID]store.EventState)
	unknown := make(map[store.ID]bool)
	for _, req := range batch {
		if unknown[req.EventID] {
			continue
		}
		state, ok := states[req.EventID]
		if !ok {
			state.Held = make(map[store.ID]store.Registration)
			row := event.QueryRowContext(ctx, req.EventID[:])
			switch err := row.Scan(&state.Capacity, &state.TicketsSold, &state.LastNumber); {
			case errors.Is(err, sql.ErrNoRows):
				unknown[req.EventID] = true
				continue
			case err != nil:
				return nil, err
			}
			states[req.EventID] = state
		}
		r := store.Registration{EventID: req.EventID, UserID: req.UserID}
		row := held.QueryRowContext(ctx, req.EventID[:], req.UserID[:])
		switch err := row.Scan(&r.Number, &r.RequestID, millis{&r.RegisteredAt}); {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return nil, err
		default:
			state.Held[req.UserID] = r
		}
	}
	return states, nil
}

// save writes the changes under the guard that each event is as it was loaded.
func save(ctx context.Context, tx *sql.Tx, states map[store.ID]store.EventState, changes []store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO registrations
		(event_id, user_id, number, request_id, registered_at) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, c := range changes {
		n := len(c.Added)
		res, err := tx.ExecContext(ctx, `UPDATE events SET tickets_sold = tickets_sold + ?, last_number = last_number + ?
			WHERE id = ? AND last_number = ? AND tickets_sold <= capacity - ?`,
			n, n, c.EventID[:], states[c.EventID].LastNumber, n)
		if err != nil {
			return err
		}
		if rows, err := res.RowsAffected(); err != nil || rows != 1 {
			return errors.Join(fmt.Errorf("event %s: %w", c.EventID.Hex(), errMoved), err)
		}
		for _, r := range c.Added {
			if _, err := insert.ExecContext(ctx, r.EventID[:], r.UserID[:], r.Number, r.RequestID, r.RegisteredAt.UnixMilli()); err != nil {
				return err
			}
		}
	}
	return nil
}
