package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// changeColumns are what scanChange scans.
const changeColumns = `seq, event_id, revision, at, packed`

type changeRow struct {
	seq    int64
	record store.ChangeRecord
}

func scanChange(row sqldb.Scanner) (changeRow, error) {
	var c changeRow
	var event store.ID
	var revision int64
	var at time.Time
	var packed []byte
	err := row.Scan(&c.seq, sqldb.ID{To: &event}, &revision, sqldb.Millis{To: &at}, &packed)
	if err == nil {
		c.record, err = store.UnpackChange(event, revision, at, packed)
	}
	return c, err
}

// insertChanges adds rows to the record, in the transaction of their change.
func insertChanges(ctx context.Context, tx *sql.Tx, records []store.ChangeRecord) error {
	for _, r := range records {
		// Where the record was removed only in part, its start replaces a row.
		verb := `INSERT`
		if r.Start != "" {
			verb = `INSERT OR REPLACE`
		}
		_, err := tx.ExecContext(ctx, verb+` INTO changes (event_id, revision, at, packed) VALUES (?, ?, ?, ?)`,
			r.EventID[:], r.Revision, sqldb.UnixMillis(r.At), r.Pack())
		if err != nil {
			return fmt.Errorf("record a change: %w", err)
		}
	}
	return nil
}

// EventChanges implements store.Changes.
func (s *Store) EventChanges(ctx context.Context, eventID store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error] {
	return recordsOf(sqldb.Stream(ctx, s.read, scanChange, `SELECT `+changeColumns+` FROM changes
		WHERE event_id = ? AND revision > ? ORDER BY revision LIMIT ?`, eventID[:], after, sqlLimit(limit)))
}

// recordsOf yields the rows without their sequence numbers.
func recordsOf(rows iter.Seq2[changeRow, error]) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		for row, err := range rows {
			if !yield(row.record, err) {
				return
			}
		}
	}
}

// A position is the seq of the last row that was read, in decimal digits.
func positionAt(seq int64) store.Position { return store.Position(strconv.FormatInt(seq, 10)) }

// lastSeq returns the last seq that was given.
func (s *Store) lastSeq(ctx context.Context) (seq int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0)`).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("read the position of the record: %w", sqldb.ReadError(err, nil))
	}
	return seq, nil
}

// ChangesPosition implements store.Changes.
func (s *Store) ChangesPosition(ctx context.Context) (store.Position, error) {
	seq, err := s.lastSeq(ctx)
	return positionAt(seq), err
}

const (
	// followPage is how many rows Follow reads at once.
	followPage = 200
	// followPoll is how often Follow looks for rows that another process has written. It learns of
	// those of this process at once.
	followPoll = 200 * time.Millisecond
	// followIdle is how often Follow tells its position while nothing happens.
	followIdle = 5 * time.Second
)

// Follow implements store.Changes. The one writer of the file numbers the rows in the order of the
// commits, so the number of a row is a position. A position behind the last number that was given is
// of a file that was restored since, and the record is read from its beginning.
func (s *Store) Follow(ctx context.Context, from store.Position) iter.Seq2[store.Followed, error] {
	return func(yield func(store.Followed, error) bool) {
		after := int64(0)
		if from != "" {
			n, err := strconv.ParseInt(string(from), 10, 64)
			if err != nil {
				yield(store.Followed{}, fmt.Errorf("follow the record: %q is not a position of this store", from))
				return
			}
			after = n
		}
		last, err := s.lastSeq(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			yield(store.Followed{}, err)
			return
		case after > last:
			after = 0
		}
		var told time.Time // when the position was last told
		for ctx.Err() == nil {
			news := s.news.wait()
			n := 0
			for row, err := range sqldb.Stream(ctx, s.read, scanChange, `SELECT `+changeColumns+` FROM changes
				WHERE seq > ? ORDER BY seq LIMIT ?`, after, followPage) {
				if err != nil {
					if ctx.Err() == nil {
						yield(store.Followed{}, fmt.Errorf("follow the record: %w", err))
					}
					return
				}
				n, after = n+1, row.seq
				if !yield(store.Followed{Record: row.record, Position: positionAt(after)}, nil) {
					return
				}
			}
			if n == followPage {
				continue
			}
			if n > 0 || time.Since(told) >= followIdle {
				told = time.Now()
				if !yield(store.Followed{Position: positionAt(after)}, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
			case <-news:
			case <-time.After(followPoll):
			}
		}
	}
}

// NextChange implements store.Changes.
func (s *Store) NextChange() <-chan struct{} { return s.news.wait() }

// news wakes those who follow the record when this process has committed.
type news struct {
	mu   sync.Mutex    // guards next
	next chan struct{} // closed at the next commit; nil: nobody waits
}

// wait returns a channel that is closed at the next commit.
func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// pruneChunk is how many rows PruneChanges removes at once: one write, which is over soon.
const pruneChunk = 2000

// PruneChanges implements store.Changes. It marks an event first, so that a removal that was
// interrupted is found again, and removes the last row together with the mark: a batch that comes in
// between begins the record anew with that row.
func (s *Store) PruneChanges(ctx context.Context, endedBefore time.Time, limit int) (int, error) {
	ended := sqldb.UnixMillis(endedBefore)
	// The index by start leads to the events that began before.
	ids, err := sqldb.All(ctx, s.read, sqldb.ScanID, `SELECT id FROM events
		WHERE starts_at < ?1 AND ends_at < ?1 AND recorded <> 0 ORDER BY starts_at LIMIT ?2`, ended, sqlLimit(limit))
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

// deleteChanges removes the first rows of an event, at most pruneChunk, marks the event, and returns how
// many these were.
func deleteChanges(ctx context.Context, tx *sql.Tx, id store.ID) (int, error) {
	n, err := affected(tx.ExecContext(ctx, `DELETE FROM changes WHERE seq IN
		(SELECT seq FROM changes WHERE event_id = ? ORDER BY revision LIMIT ?)`, id[:], pruneChunk))
	if err == nil && n > 0 {
		_, err = tx.ExecContext(ctx, `UPDATE events SET recorded = ? WHERE id = ?`, store.RemovingRecord, id[:])
	}
	return n, err
}

// removeRecord removes the record of an event that ended before a time, unless it is changed meanwhile.
func (s *Store) removeRecord(ctx context.Context, id store.ID, ended int64) error {
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
			n, err := deleteChanges(ctx, tx, id)
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
