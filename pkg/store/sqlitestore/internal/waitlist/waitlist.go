// Package waitlist finds registrations in the waiting lists of events, and counts the gaps between their
// numbers in the table waiting_gaps; see package waiting.
package waitlist

import (
	"context"
	"database/sql"
	"errors"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// live selects the registrations of the event of a row of events that are not cancelled.
const live = `FROM registrations WHERE event_id = events.id AND cancelled = 0`

// counters are the columns that say where a waiting list begins and ends.
const counters = `last_number, confirmed_through, waiting`

// Position returns the position of a number in the waiting list of an event. Errors: sql.ErrNoRows when the
// event does not exist.
func Position(ctx context.Context, q sqldb.Querier, eventID store.ID, number int64) (int64, error) {
	e := store.Event{ID: eventID}
	err := q.QueryRowContext(ctx, `SELECT `+counters+` FROM events WHERE id = ?`, eventID[:]).
		Scan(&e.LastNumber, &e.ConfirmedThrough, &e.Waiting)
	if err != nil {
		return 0, err
	}
	if n, ok := waiting.Position(e, number); ok {
		return n, nil
	}
	if behind := e.LastNumber - number; min(behind, number-e.ConfirmedThrough) > waiting.BlockSize {
		if n, ok, err := positionByGaps(ctx, q, eventID, number); err != nil || ok {
			return n, err
		}
	}
	// It counts from the nearer end of the list.
	var n int64
	err = q.QueryRowContext(ctx, `SELECT CASE
			WHEN ?1 <= confirmed_through THEN 0
			WHEN last_number - ?1 < ?1 - confirmed_through THEN max(1, waiting - (SELECT count(*) `+live+` AND number > ?1 AND number <= last_number))
			ELSE max(1, (SELECT count(*) `+live+` AND number > confirmed_through AND number <= ?1)) END
		FROM events WHERE id = ?2`, number, eventID[:]).Scan(&n)
	return n, err
}

// positionByGaps is Position for a list with gaps. Its one statement reads all at one moment. ok is false when
// the gaps are not known.
func positionByGaps(ctx context.Context, q sqldb.Querier, eventID store.ID, number int64) (n int64, ok bool, err error) {
	e := store.Event{ID: eventID}
	block := waiting.BlockOf(number)
	var inHead, before, behind, own int64
	// ?3 is the size of a block. Blocks up to the one of confirmed_through have their registrations counted.
	const gaps = `(SELECT coalesce(sum(count), 0) FROM waiting_gaps WHERE event_id = events.id AND block > confirmed_through / ?3 AND block `
	err = q.QueryRowContext(ctx, `SELECT `+counters+`,
			(SELECT count(*) `+live+` AND number > confirmed_through AND number <= min(last_number, (confirmed_through / ?3 + 1) * ?3 - 1)),
			`+gaps+`< ?4), `+gaps+`>= ?4),
			(SELECT count(*) `+live+` AND number > max(confirmed_through, ?4 * ?3 - 1) AND number <= ?1)
		FROM events WHERE id = ?2`, number, eventID[:], int64(waiting.BlockSize), block).
		Scan(&e.LastNumber, &e.ConfirmedThrough, &e.Waiting, &inHead, &before, &behind, &own)
	switch {
	case err != nil:
		return 0, false, err
	case number <= e.ConfirmedThrough:
		return 0, true, nil
	case number <= waiting.Head(e):
		return max(1, own), true, nil
	}
	list := waiting.List{Event: e, InHead: inHead, Gaps: []waiting.Gaps{{Block: block - 1, Count: before}, {Block: block, Count: behind}}}
	n, ok = list.Before(number)
	return max(1, n+own), ok, nil
}

// Nth finds the n-th registration of the waiting list of e. It reads keys of an index only.
func Nth(ctx context.Context, tx *sql.Tx, e store.Event, n int64) (store.LastWaiting, error) {
	if guess, ok := waiting.Nth(e, n); ok {
		if found, err := number(ctx, tx, e, waiting.Seek{After: guess - 1}); err != nil || found == guess {
			return store.LastWaiting{Count: n, Number: found}, err
		}
	}
	inHead, err := count(ctx, tx, e.ID, e.ConfirmedThrough, min(waiting.Head(e), e.LastNumber))
	if err != nil {
		return store.LastWaiting{}, err
	}
	list := waiting.List{Event: e, InHead: inHead}
	list.Gaps, err = sqldb.All(ctx, tx, scanGaps, `SELECT block, count FROM waiting_gaps WHERE event_id = ? AND block > ? ORDER BY block`,
		e.ID[:], waiting.BlockOf(e.ConfirmedThrough))
	if err != nil {
		return store.LastWaiting{}, err
	}
	seek, _ := list.Nth(n)
	found, err := number(ctx, tx, e, seek)
	return store.LastWaiting{Count: n, Number: found}, err
}

// count counts the registrations of an event with a number above after and at most through.
func count(ctx context.Context, tx *sql.Tx, eventID store.ID, after, through int64) (n int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM registrations WHERE event_id = ? AND cancelled = 0 AND number > ? AND number <= ?`,
		eventID[:], after, through).Scan(&n)
	return n, err
}

func scanGaps(row sqldb.Scanner) (g waiting.Gaps, err error) {
	err = row.Scan(&g.Block, &g.Count)
	return g, err
}

// number finds the number of a registration in the waiting list of e.
func number(ctx context.Context, tx *sql.Tx, e store.Event, seek waiting.Seek) (n int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT number FROM registrations
		WHERE event_id = ? AND number > ? AND cancelled = 0 ORDER BY number LIMIT 1 OFFSET ?`, e.ID[:], seek.After, seek.Skip).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = waiting.ErrFewer(e)
	}
	return n, err
}

// Add counts the gaps that changes make, in the transaction that writes the changes.
func Add(ctx context.Context, tx *sql.Tx, changes []store.Change) error {
	for _, c := range changes {
		if err := add(ctx, tx, c.After.ID, waiting.Made(c)); err != nil {
			return err
		}
	}
	return nil
}

func add(ctx context.Context, tx *sql.Tx, eventID store.ID, made []waiting.Gaps) error {
	for _, g := range made {
		_, err := tx.ExecContext(ctx, `INSERT INTO waiting_gaps (event_id, block, count) VALUES (?, ?, ?)
			ON CONFLICT (event_id, block) DO UPDATE SET count = count + excluded.count`, eventID[:], g.Block, g.Count)
		if err != nil {
			return err
		}
	}
	return nil
}

// Recount counts the gaps of the waiting list of e anew.
func Recount(ctx context.Context, tx *sql.Tx, e store.Event) error {
	if err := Forget(ctx, tx, e.ID); err != nil {
		return err
	}
	if _, ok := waiting.Nth(e, 1); ok {
		return nil
	}
	counted := make(map[int64]int64)
	for block := range waiting.Behind(e) {
		n, err := count(ctx, tx, e.ID, waiting.First(block)-1, min(waiting.First(block+1)-1, e.LastNumber))
		if err != nil {
			return err
		}
		counted[block] = n
	}
	return add(ctx, tx, e.ID, waiting.Counted(e, counted))
}

// Forget removes the gaps of an event.
func Forget(ctx context.Context, tx *sql.Tx, eventID store.ID) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM waiting_gaps WHERE event_id = ?`, eventID[:])
	return err
}
