package sqlitestore

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// addWordPrefixes adds an event to the index of words, under the prefixes.
func addWordPrefixes(ctx context.Context, tx *sql.Tx, e store.Event, prefixes []string) error {
	for some := range slices.Chunk(prefixes, rowsPerStatement) {
		values := make([]any, 0, 3*len(some))
		for _, p := range some {
			values = append(values, p, sqldb.UnixMillis(e.StartsAt), e.ID[:])
		}
		//nolint:gosec // the text has only placeholders, as many as values
		_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO event_beginnings (beginning, starts, event_id) VALUES (?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?)`, len(some)-1), values...)
		if err != nil {
			return err
		}
	}
	return nil
}

// removeWordPrefixes removes an event from the index of words, under the prefixes.
func removeWordPrefixes(ctx context.Context, tx *sql.Tx, e store.Event, prefixes []string) error {
	for some := range slices.Chunk(prefixes, rowsPerStatement) {
		values := []any{sqldb.UnixMillis(e.StartsAt), e.ID[:]}
		for _, p := range some {
			values = append(values, p)
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

// updateSearch updates the index of words after an edit of an event's texts or start.
func updateSearch(ctx context.Context, tx *sql.Tx, c store.Change) error {
	if c.Edit == nil || !c.Edit.ChangesSearch() && c.Edit.StartsAt == nil {
		return nil
	}
	old, added := search.WordPrefixes(c.Before), search.WordPrefixes(c.After)
	if sqldb.UnixMillis(c.After.StartsAt) == sqldb.UnixMillis(c.Before.StartsAt) {
		old, added = without(old, added), without(added, old)
	}
	if err := removeWordPrefixes(ctx, tx, c.Before, old); err != nil {
		return err
	}
	return addWordPrefixes(ctx, tx, c.After, added)
}

// without returns what is in one sorted list and not in the other.
func without(all, others []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		_, found := slices.BinarySearch(others, s)
		return found
	})
}

// repairSearch adds the rows that are missing in the index of words. Rows too many do no harm,
// because whoever reads by them compares the event.
func repairSearch(ctx context.Context, tx *sql.Tx, e store.Event) error {
	return addWordPrefixes(ctx, tx, e, search.WordPrefixes(e))
}

// staleSearch says which indexes of searches lack an event; see verify.Snapshot.
func staleSearch(ctx context.Context, q sqldb.Querier, e store.Event) (string, error) {
	for some := range slices.Chunk(search.WordPrefixes(e), rowsPerStatement) {
		values := []any{sqldb.UnixMillis(e.StartsAt), e.ID[:]}
		for _, p := range some {
			values = append(values, p)
		}
		var found int
		err := q.QueryRowContext(ctx, `SELECT count(*) FROM event_beginnings WHERE starts = ? AND event_id = ? AND beginning IN (?`+
			strings.Repeat(`, ?`, len(some)-1)+`)`, values...).Scan(&found)
		if err != nil {
			return "", err
		}
		if found < len(some) {
			return "its words", nil
		}
	}
	return "", nil
}
