package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

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
		return save(ctx, tx, changes)
	})
	if err != nil {
		return nil, fmt.Errorf("apply a batch of %d: %w", len(batch), err)
	}
	return results, nil
}

// load reads the state of each event in the batch, who of the batch has a registration
// there, and who may be promoted.
func load(ctx context.Context, tx *sql.Tx, batch []store.SeatRequest) (map[store.ID]store.EventState, error) {
	event, err := tx.PrepareContext(ctx, `SELECT `+eventColumns+` FROM events WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	defer event.Close()
	states := make(map[store.ID]store.EventState)
	known := make(map[store.ID]bool) // also those that there are not
	for _, req := range batch {
		if known[req.EventID] {
			continue
		}
		known[req.EventID] = true
		state := store.EventState{Held: make(map[store.ID]store.Registration)}
		state.Event, err = scanEvent(event.QueryRowContext(ctx, req.EventID[:]))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return nil, err
		}
		sound := state.Event
		if store.Recounts(req.EventID, batch) {
			if state.Counts, err = counts(ctx, tx, state.Event); err != nil {
				return nil, err
			}
			sound, _ = state.Counts.Mend(state.Event)
			if err := mendSearch(ctx, tx, state.Event); err != nil {
				return nil, err
			}
		}
		if state.Next, err = next(ctx, tx, sound, store.Promotable(sound, batch)); err != nil {
			return nil, err
		}
		states[req.EventID] = state
	}
	for some := range slices.Chunk(batch, pairsAtOnce) {
		if err := addHeld(ctx, tx, states, some); err != nil {
			return nil, err
		}
	}
	return states, nil
}

// What one statement reads or writes at most; SQLite takes 32,766 parameters.
const (
	pairsAtOnce = 512
	rowsAtOnce  = 128
)

// addHeld reads who of the batch has a registration, in one statement: a statement for each
// costs three times as much.
func addHeld(ctx context.Context, tx *sql.Tx, states map[store.ID]store.EventState, batch []store.SeatRequest) error {
	keys := make([]any, 0, 2*len(batch))
	for _, req := range batch {
		keys = append(keys, req.UserID[:], req.EventID[:])
	}
	//nolint:gosec // the text has only placeholders, as many as values
	rows, err := tx.QueryContext(ctx, `SELECT `+registrationColumns+` FROM registrations
		WHERE (user_id, event_id) IN (VALUES (?, ?)`+strings.Repeat(`, (?, ?)`, len(batch)-1)+`)`, keys...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRegistration(rows)
		if err != nil {
			return err
		}
		if state, ok := states[r.EventID]; ok {
			state.Held[r.UserID] = r
		}
	}
	return rows.Err()
}

// next reads the numbers of the first n who wait.
func next(ctx context.Context, tx *sql.Tx, e store.Event, n int64) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT number FROM registrations
		WHERE event_id = ? AND number > ? AND cancelled = 0 ORDER BY number LIMIT ?`, e.ID[:], e.ConfirmedThrough, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var numbers []int64
	for rows.Next() {
		var number int64
		if err := rows.Scan(&number); err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	return numbers, rows.Err()
}

// save writes the changes, under the guard that each event is as it was loaded and has room
// for those who come in.
func save(ctx context.Context, tx *sql.Tx, changes []store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	var added []store.Registration
	for _, c := range changes {
		if err := saveEvent(ctx, tx, c); err != nil {
			return err
		}
		// A row that is replaced goes first, so that the key alone says who has two.
		for _, r := range c.Replaced {
			if _, err := tx.ExecContext(ctx, `DELETE FROM registrations WHERE user_id = ? AND event_id = ?`, r.UserID[:], r.EventID[:]); err != nil {
				return err
			}
		}
		added = append(append(added, c.Replaced...), c.Added...)
	}
	for some := range slices.Chunk(added, rowsAtOnce) {
		if err := insert(ctx, tx, some); err != nil {
			return err
		}
	}
	return nil
}

func insert(ctx context.Context, tx *sql.Tx, rows []store.Registration) error {
	values := make([]any, 0, 7*len(rows))
	for _, r := range rows {
		values = append(values, r.UserID[:], r.EventID[:], r.Number, r.RequestID, unixMillis(r.RegisteredAt), r.Cancelled, r.Past)
	}
	//nolint:gosec // the text has only placeholders, as many as values
	_, err := tx.ExecContext(ctx, `INSERT INTO registrations (`+registrationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`+
		strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?)`, len(rows)-1), values...)
	return err
}

func saveEvent(ctx context.Context, tx *sql.Tx, c store.Change) error {
	after, came := c.After, c.After.TicketsSold-c.Before.TicketsSold
	query := `UPDATE events SET capacity = ?, tickets_sold = ?, waiting = ?, last_number = ?, confirmed_through = ?,
		version = ?, revision = ?, last_edit = ?, waitlist = ?, opens_at = ?, closes_at = ?, cancelled_at = ?`
	args := []any{
		after.Capacity, after.TicketsSold, after.Waiting, after.LastNumber, after.ConfirmedThrough,
		after.Version, after.Revision, after.LastEdit, after.Waitlist,
		unixMillis(after.OpensAt), unixMillis(after.ClosesAt), unixMillis(after.CancelledAt),
	}
	add := func(column string, value any) { query, args = query+`, `+column+` = ?`, append(args, value) }
	if e := c.Edit; e != nil {
		for column, text := range map[string]*string{
			"title": e.Title, "description": e.Description, "place": e.Place, "time_zone": e.TimeZone,
		} {
			if text != nil {
				add(column, *text)
			}
		}
		if e.StartsAt != nil {
			add("starts_at", unixMillis(*e.StartsAt))
		}
		if e.EndsAt != nil {
			add("ends_at", unixMillis(*e.EndsAt))
		}
	}
	query += ` WHERE id = ? AND revision = ? AND tickets_sold <= ? - ?`
	res, err := tx.ExecContext(ctx, query, append(args, c.Before.ID[:], c.Before.Revision, after.Capacity, came)...)
	if err != nil {
		return err
	}
	if rows, err := res.RowsAffected(); err != nil || rows != 1 {
		return errors.Join(fmt.Errorf("event %s: %w", c.Before.ID.Hex(), errMoved), err)
	}
	return saveSearch(ctx, tx, c)
}
