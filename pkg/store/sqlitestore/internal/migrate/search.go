package migrate

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

const (
	// SearchStep is the number of the step that makes the table event_beginnings.
	SearchStep = 4
	// fillBatch is how many events are read at once, and their rows sorted, which takes about 50 MB:
	// rows that are neighbours in the table are written together.
	fillBatch = 5000
	// rowsPerStatement is how many rows one statement writes at most.
	rowsPerStatement = 128
)

// FillSearch is the code of SearchStep: it adds all events to the table.
func FillSearch(ctx context.Context, tx *sql.Tx, done func(n, all int64)) error {
	var all, n int64
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM events`).Scan(&all); err != nil {
		return err
	}
	type row struct {
		prefix string
		event  *store.Event
	}
	for after := (store.ID{}); ; {
		events, err := textsAfter(ctx, tx, after)
		if err != nil || len(events) == 0 {
			return err
		}
		var rows []row
		for i := range events {
			for _, p := range search.WordPrefixes(events[i]) {
				rows = append(rows, row{p, &events[i]})
			}
		}
		slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.prefix, b.prefix) })
		for some := range slices.Chunk(rows, rowsPerStatement) {
			values := make([]any, 0, 3*len(some))
			for _, r := range some {
				values = append(values, r.prefix, sqldb.UnixMillis(r.event.StartsAt), r.event.ID[:])
			}
			//nolint:gosec // the text has only placeholders, as many as values
			_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO event_beginnings (beginning, starts, event_id) VALUES (?, ?, ?)`+
				strings.Repeat(`, (?, ?, ?)`, len(some)-1), values...)
			if err != nil {
				return err
			}
		}
		n, after = n+int64(len(events)), events[len(events)-1].ID
		done(n, all)
	}
}

// textsAfter reads the events with the next ids after an id: what searches find them by.
func textsAfter(ctx context.Context, tx *sql.Tx, after store.ID) ([]store.Event, error) {
	scan := func(row sqldb.Scanner) (e store.Event, err error) {
		err = row.Scan(sqldb.ID{To: &e.ID}, &e.Title, &e.Description, &e.Venue, sqldb.Millis{To: &e.StartsAt})
		return e, err
	}
	return sqldb.All(ctx, tx, scan, `SELECT id, title, description, place, starts_at FROM events WHERE id > ? ORDER BY id LIMIT ?`, after[:], fillBatch)
}
