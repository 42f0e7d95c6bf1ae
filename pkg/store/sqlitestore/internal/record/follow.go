package record

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// positionAt returns the position behind the row with that seq: the seq in decimal digits.
func positionAt(seq int64) store.Position { return store.Position(strconv.FormatInt(seq, 10)) }

// lastSeq returns the last seq that was given.
func (s *Record) lastSeq(ctx context.Context) (seq int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0)`).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("read the position of the record: %w", sqldb.ReadError(err, nil))
	}
	return seq, nil
}

// ChangesPosition implements store.Changes.
func (s *Record) ChangesPosition(ctx context.Context) (store.Position, error) {
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
func (s *Record) Follow(ctx context.Context, from store.Position) iter.Seq2[store.Followed, error] {
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
			for row, err := range sqldb.Stream(ctx, s.read, Scan, `SELECT `+Columns+` FROM changes
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
func (s *Record) NextChange() <-chan struct{} { return s.news.wait() }

// News wakes those who follow the record when this process has committed.
type News struct {
	mu   sync.Mutex    // guards next
	next chan struct{} // closed at the next commit; nil: nobody waits
}

// wait returns a channel that is closed at the next commit.
func (n *News) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

// Tell says that this process has committed.
func (n *News) Tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}
