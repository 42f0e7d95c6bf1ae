package sqlitestore

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store"
)

// addBeginnings lets an event be found by some beginnings of its words.
func addBeginnings(ctx context.Context, tx *sql.Tx, e store.Event, beginnings []string) error {
	for some := range slices.Chunk(beginnings, rowsAtOnce) {
		values := make([]any, 0, 3*len(some))
		for _, b := range some {
			values = append(values, b, unixMillis(e.StartsAt), e.ID[:])
		}
		if err := insertBeginnings(ctx, tx, values); err != nil {
			return err
		}
	}
	return nil
}

// insertBeginnings adds rows, of three values each.
func insertBeginnings(ctx context.Context, tx *sql.Tx, values []any) error {
	//nolint:gosec // the text has only placeholders, as many as values
	_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO event_beginnings (beginning, starts, event_id) VALUES (?, ?, ?)`+
		strings.Repeat(`, (?, ?, ?)`, len(values)/3-1), values...)
	return err
}

// removeBeginnings takes back what addBeginnings did.
func removeBeginnings(ctx context.Context, tx *sql.Tx, e store.Event, beginnings []string) error {
	for some := range slices.Chunk(beginnings, rowsAtOnce) {
		values := []any{unixMillis(e.StartsAt), e.ID[:]}
		for _, b := range some {
			values = append(values, b)
		}
		//nolint:gosec // the text has only placeholders, as many as values
		_, err := tx.ExecContext(ctx, `DELETE FROM event_beginnings WHERE starts = ? AND event_id = ? AND beginning IN (?`+
			strings.Repeat(`, ?`, len(some)-1)+`)`, values...)
		if err != nil {
			return err
		}
	}
	return nil
}

// saveSearch lets an event that was edited be found by its new texts, at its new start.
func saveSearch(ctx context.Context, tx *sql.Tx, c store.Change) error {
	if c.Edit == nil || c.Edit.Title == nil && c.Edit.Description == nil && c.Edit.Place == nil && c.Edit.StartsAt == nil {
		return nil
	}
	after := c.Edit.Texts(c.Before)
	if c.Edit.StartsAt != nil {
		after.StartsAt = *c.Edit.StartsAt
	}
	gone, come := c.Before.Beginnings(), after.Beginnings()
	if unixMillis(after.StartsAt) == unixMillis(c.Before.StartsAt) {
		gone, come = without(gone, come), without(come, gone)
	}
	if err := removeBeginnings(ctx, tx, c.Before, gone); err != nil {
		return err
	}
	return addBeginnings(ctx, tx, after, come)
}

// without is what is in one sorted list and not in the other.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		_, found := slices.BinarySearch(others, s)
		return found
	})
}

// mendSearch adds what is missing for an event to be found. Rows that are too many find
// nothing: whoever reads them compares the event.
func mendSearch(ctx context.Context, tx *sql.Tx, e store.Event) error {
	return addBeginnings(ctx, tx, e, e.Beginnings())
}

// unfindable says what of an event would not be found; see store.EventSnapshot.
func unfindable(ctx context.Context, q querier, e store.Event) (string, error) {
	for some := range slices.Chunk(e.Beginnings(), rowsAtOnce) {
		values := []any{unixMillis(e.StartsAt), e.ID[:]}
		for _, b := range some {
			values = append(values, b)
		}
		var there int
		err := q.QueryRowContext(ctx, `SELECT count(*) FROM event_beginnings WHERE starts = ? AND event_id = ? AND beginning IN (?`+
			strings.Repeat(`, ?`, len(some)-1)+`)`, values...).Scan(&there)
		if err != nil {
			return "", err
		}
		if there < len(some) {
			return "its words", nil
		}
	}
	return "", nil
}

const (
	// searchStep is the step of the schema that makes the table event_beginnings.
	searchStep = 4
	// fillBatch is how many events are read at once, and their rows sorted, which takes about
	// 50 MB: rows that are neighbours in the table are written together.
	fillBatch = 5000
)

// fillSearch is the code of that step: all events get their beginnings.
func fillSearch(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
	var all, n int64
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM events`).Scan(&all); err != nil {
		return err
	}
	type row struct {
		beginning string
		event     *store.Event
	}
	for after := (store.ID{}); ; {
		events, err := textsAfter(ctx, tx, after)
		if err != nil || len(events) == 0 {
			return err
		}
		var rows []row
		for i := range events {
			for _, b := range events[i].Beginnings() {
				rows = append(rows, row{b, &events[i]})
			}
		}
		slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.beginning, b.beginning) })
		for some := range slices.Chunk(rows, rowsAtOnce) {
			values := make([]any, 0, 3*len(some))
			for _, r := range some {
				values = append(values, r.beginning, unixMillis(r.event.StartsAt), r.event.ID[:])
			}
			if err := insertBeginnings(ctx, tx, values); err != nil {
				return err
			}
		}
		n, after = n+int64(len(events)), events[len(events)-1].ID
		done(n, all)
	}
}

// textsAfter reads events by id, as far as a search depends on them.
func textsAfter(ctx context.Context, tx *sql.Tx, after store.ID) ([]store.Event, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, title, description, place, starts_at FROM events WHERE id > ? ORDER BY id LIMIT ?`, after[:], fillBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []store.Event
	for rows.Next() {
		var e store.Event
		if err := rows.Scan(id{&e.ID}, &e.Title, &e.Description, &e.Place, millis{&e.StartsAt}); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}
