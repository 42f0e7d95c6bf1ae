package record

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// Columns are what Scan scans.
const Columns = `seq, event_id, revision, at, packed`

// Row is a row of the record with its number in the order of commits.
type Row struct {
	seq    int64
	record store.ChangeRecord
}

// Scan scans a row of the Columns. Errors: store.ErrDamaged for one that cannot be unpacked.
func Scan(row sqldb.Scanner) (Row, error) {
	var c Row
	var event store.ID
	var revision int64
	var at time.Time
	var packed []byte
	err := row.Scan(&c.seq, sqldb.ID{To: &event}, &revision, sqldb.Millis{To: &at}, &packed)
	if err == nil {
		c.record, err = changes.Unpack(event, revision, at, packed)
	}
	return c, err
}

// Insert adds rows to the record, in the transaction of their change.
func Insert(ctx context.Context, tx *sql.Tx, records []store.ChangeRecord) error {
	for _, r := range records {
		// Where the record was removed only in part, its start replaces a row.
		verb := `INSERT`
		if r.Start != "" {
			verb = `INSERT OR REPLACE`
		}
		_, err := tx.ExecContext(ctx, verb+` INTO changes (event_id, revision, at, packed) VALUES (?, ?, ?, ?)`,
			r.EventID[:], r.Revision, sqldb.UnixMillis(r.At), changes.Pack(r))
		if err != nil {
			return fmt.Errorf("record a change: %w", err)
		}
	}
	return nil
}

// EventChanges implements store.Changes.
func (s *Record) EventChanges(ctx context.Context, eventID store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error] {
	return Records(sqldb.Stream(ctx, s.read, Scan, `SELECT `+Columns+` FROM changes
		WHERE event_id = ? AND revision > ? ORDER BY revision LIMIT ?`, eventID[:], after, sqldb.Limit(limit)))
}

// Records yields the rows without their sequence numbers.
func Records(rows iter.Seq2[Row, error]) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		for row, err := range rows {
			if !yield(row.record, err) {
				return
			}
		}
	}
}

// pruneChunk is how many rows PruneChanges removes at once: one write, which is over soon.
const pruneChunk = 2000

// PruneChanges implements store.Changes. It marks an event first, so that a removal that was
// interrupted is found again, and removes the last row together with the mark: a batch that comes in
// between begins the record anew with that row.
func (s *Record) PruneChanges(ctx context.Context, endedBefore time.Time, limit int) (int, error) {
	ended := sqldb.UnixMillis(endedBefore)
	// The index by start leads to the events that began before.
	ids, err := sqldb.All(ctx, s.read, sqldb.ScanID, `SELECT id FROM events
		WHERE starts_at < ?1 AND ends_at < ?1 AND recorded <> 0 ORDER BY starts_at LIMIT ?2`, ended, sqldb.Limit(limit))
	if err != nil {
		return 0, fmt.Errorf("find old events: %w", err)
	}
	for n, id := range ids {
		if err := s.removeRecord(ctx, id, ended); err != nil {
			return n, fmt.Errorf("remove the record of event %s: %w", id.Hex(), err)
		}
	}
	return len(ids), nil
}

// Delete removes the first rows of an event, at most pruneChunk, marks the event, and returns how
// many these were.
func Delete(ctx context.Context, tx *sql.Tx, id store.ID) (int, error) {
	n, err := sqldb.Affected(tx.ExecContext(ctx, `DELETE FROM changes WHERE seq IN
		(SELECT seq FROM changes WHERE event_id = ? ORDER BY revision LIMIT ?)`, id[:], pruneChunk))
	if err == nil && n > 0 {
		_, err = tx.ExecContext(ctx, `UPDATE events SET recorded = ? WHERE id = ?`, store.RemovingRecord, id[:])
	}
	return n, err
}

// removeRecord removes the record of an event that ended before a time, unless it is changed meanwhile.
func (s *Record) removeRecord(ctx context.Context, id store.ID, ended int64) error {
	for begun, more := false, true; more; begun = true {
		more = false
		err := s.transact(ctx, func(tx *sql.Tx) error {
			var recorded int64
			err := tx.QueryRowContext(ctx, `SELECT recorded FROM events WHERE id = ? AND ends_at < ?`, id[:], ended).Scan(&recorded)
			switch {
			case errors.Is(err, sql.ErrNoRows), err == nil && begun && recorded != store.RemovingRecord:
				return nil // it was put off, or changed, meanwhile
			case err != nil:
				return err
			}
			n, err := Delete(ctx, tx, id)
			if err != nil {
				return err
			}
			if more = n == pruneChunk; more {
				return nil
			}
			_, err = tx.ExecContext(ctx, `UPDATE events SET recorded = 0 WHERE id = ?`, id[:])
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
