package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// SQLite starts the write-ahead log anew at about 4 MB, unless a read that began before the last
// commit is under way at that moment. While reads overlap there may always be one, and one that
// is long stands in the way all its time: the log would grow without end, and with it the time
// of each read and of a recovery.
//
// A log above logLimit is cut by a checkpoint that holds writes up for cutTimeout: reads that begin
// meanwhile do not stand in its way, and those that are under way should end. Where they do not,
// the next try waits for twice as long, up to cutTimeoutMost. It is not tried again while the same
// read blocks it. Above logMost, reads that stand in the way are ended. Reads of other programs cannot be
// ended; LongLog tells of them.

const (
	// cutTimeout is how long a checkpoint that cuts the log waits for reads, and writes wait
	// for it.
	cutTimeout     = 50 * time.Millisecond
	cutTimeoutMost = 400 * time.Millisecond
	// logMost is the size of the log, in bytes, above which a read that has seen it grow by half
	// of that is ended. At twice logMost every read that returns rows one by one is.
	logMost = 64 << 20
)

// errLongRead ends a read that kept the log from being cut.
var errLongRead = errors.New("the read took too long while much was written")

// readPool has the connections for reads, and knows the reads that return rows one by one.
type readPool struct {
	*sql.DB
	logBytes atomic.Int64 // size of the log

	mu   sync.Mutex // guards all below
	open map[*longRead]struct{}
}

// longRead is a read that lasts as long as its caller takes for the rows.
type longRead struct {
	logBytes int64 // when it began
	end      context.CancelCauseFunc
}

// begin enters a read. Whoever calls it calls done at the read's end; the read uses the context
// that is returned.
func (p *readPool) begin(ctx context.Context) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	r := &longRead{p.logBytes.Load(), end}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = make(map[*longRead]struct{})
	}
	p.open[r] = struct{}{}
	return ctx, func() {
		end(nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, r)
	}
}

// endLong ends the reads that stand in the way of a log of this size, and returns how many.
func (p *readPool) endLong(logBytes int64) (ended int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range p.open {
		if logBytes-r.logBytes >= logMost/2 || logBytes >= 2*logMost {
			r.end(errLongRead)
			ended++
		}
	}
	return ended
}

// readFailure is the error of a read that returns rows one by one.
func readFailure(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errLongRead) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, errLongRead)
	}
	return classify(err)
}

// LongLog gets the size of the write-ahead log, in bytes, when it is above 64 MB and no read of
// this Store is the reason: another program has been reading the database for long. It gets the
// next one when the log has doubled since.
func (s *Store) LongLog() <-chan int64 { return s.longLog }

// cutter cuts the log. Only the goroutine that watches uses it.
type cutter struct {
	blockedAt int64         // pages in the file at the last try; a read keeps the others in the log
	timeout   time.Duration // of the last try; 0: there was none
	told      int64         // bytes of the log when LongLog was told
}

// cut makes the log empty if it is above logLimit and no read prevents it.
func (c *cutter) cut(ctx context.Context, s *Store) {
	size := s.read.logBytes.Load()
	if size <= logLimit {
		*c = cutter{}
		return
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return
	}
	moved, err := s.checkpoint("PASSIVE", 0)
	if err == nil && moved != c.blockedAt {
		c.blockedAt, c.timeout = moved, min(max(cutTimeout, 2*c.timeout), cutTimeoutMost)
		_, err = s.checkpoint("TRUNCATE", c.timeout)
		if err == nil {
			*c = cutter{}
			_ = s.inPlace() // sees the new size
			return
		}
	}
	if size > logMost && s.read.endLong(size) == 0 && size > 2*c.told {
		c.told = size
		select {
		case s.longLog <- size:
		default: // nobody has taken the last one
		}
	}
}

// errBlocked says that a read kept a checkpoint from its end.
var errBlocked = errors.New("a read is in the way")

// checkpoint moves pages from the log to the database's file and returns how many of the log's
// are there now. It waits for reads up to timeout. The caller has the turn. Errors: errBlocked, of TRUNCATE, or one of SQLite.
func (s *Store) checkpoint(mode string, timeout time.Duration) (moved int64, err error) {
	// Nothing interrupts it, so the connection has its timeout again at the end.
	ctx := context.Background()
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	wait := func(d time.Duration) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, d.Milliseconds()))
		return err
	}
	if err := wait(timeout); err != nil {
		return 0, err
	}
	var blocked bool
	var pages int64
	err = conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&blocked, &pages, &moved)
	if err == nil && blocked {
		err = errBlocked
	}
	return moved, errors.Join(err, wait(busyTimeout))
}
