package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/proven"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/waitlist"
)

// load reads what a batch is decided on: the state of each of its events that exists.
func load(ctx context.Context, tx *sql.Tx, batch []store.SeatRequest) (map[store.ID]store.EventState, error) {
	//nolint:gosec // the names of columns are ours
	event, err := tx.PrepareContext(ctx, `SELECT `+eventColumns()+` FROM events WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	defer event.Close()
	states := make(map[store.ID]store.EventState)
	seen := make(map[store.ID]bool) // also events that do not exist
	for _, req := range batch {
		if seen[req.EventID] {
			continue
		}
		seen[req.EventID] = true
		state := store.EventState{Registrations: make(map[store.ID]store.Registration)}
		state.Event, err = scanEvent(event.QueryRowContext(ctx, req.EventID[:]))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return nil, err
		}
		repaired := state.Event
		if store.Recounts(state.Event, batch) {
			if state.Counts, err = counts(ctx, tx, state.Event); err != nil {
				return nil, err
			}
			repaired, _ = state.Counts.Repair(state.Event)
			if err := errors.Join(repairSearch(ctx, tx, state.Event), waitlist.Recount(ctx, tx, repaired)); err != nil {
				return nil, err
			}
		}
		if n, named := store.Promotable(repaired, batch); named {
			state.Waiting, err = firstWaiting(ctx, tx, repaired, n)
		} else {
			state.Last, err = waitlist.Nth(ctx, tx, repaired, n)
		}
		if err != nil {
			return nil, err
		}
		states[req.EventID] = state
	}
	for some := range slices.Chunk(batch, sqldb.KeysPerStatement) {
		if err := loadRegistrations(ctx, tx, states, some); err != nil {
			return nil, err
		}
	}
	return states, loadProven(ctx, tx, states, batch)
}

// loadRegistrations reads the registrations that the batch may be about into the states, by one
// statement: a statement for each would cost three times as much.
func loadRegistrations(ctx context.Context, tx *sql.Tx, states map[store.ID]store.EventState, batch []store.SeatRequest) error {
	keys := make([]any, 0, 2*len(batch))
	for _, req := range batch {
		keys = append(keys, req.UserID[:], req.EventID[:])
	}
	for r, err := range sqldb.Stream(ctx, tx, scanRegistration, `SELECT `+registrationColumns+` FROM registrations
		WHERE (user_id, event_id) IN (VALUES (?, ?)`+strings.Repeat(`, (?, ?)`, len(batch)-1)+`)`, keys...) {
		if err != nil {
			return err
		}
		if state, ok := states[r.EventID]; ok {
			state.Registrations[r.UserID] = r
		}
	}
	return nil
}

// firstWaiting reads the n registrations of the waiting list with the lowest numbers.
func firstWaiting(ctx context.Context, tx *sql.Tx, e store.Event, n int64) ([]store.NumberedUser, error) {
	if n == 0 {
		return nil, nil
	}
	return sqldb.All(ctx, tx, scanNumbered, `SELECT number, user_id FROM registrations
		WHERE event_id = ? AND number > ? AND cancelled = 0 ORDER BY number LIMIT ?`, e.ID[:], e.ConfirmedThrough, n)
}

// loadProven reads which users of the batch have proven their addresses, for the events that ask for it.
func loadProven(ctx context.Context, tx *sql.Tx, states map[store.ID]store.EventState, batch []store.SeatRequest) error {
	for some := range slices.Chunk(proven.Need(states, batch), sqldb.KeysPerStatement) {
		keys := make([]any, len(some))
		for i := range some {
			keys[i] = some[i][:]
		}
		users, err := sqldb.All(ctx, tx, func(row sqldb.Scanner) (id store.ID, err error) {
			return id, row.Scan(sqldb.ID{To: &id})
		}, `SELECT id FROM users WHERE email_proven_at > 0 AND id IN (?`+strings.Repeat(`, ?`, len(some)-1)+`)`, keys...)
		if err != nil {
			return err
		}
		proven.Note(states, users)
	}
	return nil
}
