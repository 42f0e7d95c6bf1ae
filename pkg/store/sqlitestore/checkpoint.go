package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// SQLite starts the write-ahead log anew at about 4 MB, unless a read that began before the last
// commit is running at that moment. While reads overlap, one may always be running, and a long read
// is in the way all the time: the log would grow without end, and with it the time of each read and
// of a recovery.
//
// A log above sqldb.LogLimit is truncated by a checkpoint that delays writes for minTruncateTimeout:
// reads that begin meanwhile are not in its way, and those that are running should end. When they do
// not, the next try waits twice as long, up to maxTruncateTimeout. There is no other try while the
// same read is in the way. Above maxLog, reads that are in the way are ended. Reads of other programs
// cannot be ended; Store.LongLog reports them.
const (
	// minTruncateTimeout is how long a checkpoint that truncates the log waits for reads, and writes
	// wait for the checkpoint.
	minTruncateTimeout = 50 * time.Millisecond
	maxTruncateTimeout = 400 * time.Millisecond
	// maxLog is the size of the log, in bytes, above which a read that has seen the log grow by half
	// of that is ended. At twice maxLog every running read is.
	maxLog = 64 << 20
)

// LongLog returns a channel that gets the size of the write-ahead log, in bytes, when it is above 64 MB
// and no read of this Store is the reason: another program has been reading the database for long. It
// gets the next size when the log has doubled since.
func (s *Store) LongLog() <-chan int64 { return s.longLog }

// logTruncater truncates the log. Only the goroutine that watches uses it.
type logTruncater struct {
	blockedAt int64         // pages in the file at the last try; a read keeps the others in the log
	timeout   time.Duration // of the last try; 0: there was none
	reported  int64         // size of the log, in bytes, when LongLog got it
}

// truncate empties the log if it is above sqldb.LogLimit and no read prevents it.
func (l *logTruncater) truncate(ctx context.Context, s *Store) {
	size := s.read.LogSize()
	if size <= sqldb.LogLimit {
		*l = logTruncater{}
		return
	}
	select {
	case s.writeLock <- struct{}{}:
		defer func() { <-s.writeLock }()
	case <-ctx.Done():
		return
	}
	moved, err := s.checkpoint("PASSIVE", 0)
	if err == nil && moved != l.blockedAt {
		l.blockedAt, l.timeout = moved, min(max(minTruncateTimeout, 2*l.timeout), maxTruncateTimeout)
		_, err = s.checkpoint("TRUNCATE", l.timeout)
		if err == nil {
			*l = logTruncater{}
			_ = s.checkFiles() // which notes the new size
			return
		}
	}
	if size <= maxLog {
		return
	}
	grown := int64(maxLog / 2)
	if size >= 2*maxLog {
		grown = math.MinInt64 // every read
	}
	if s.read.EndReads(grown) == 0 && size > 2*l.reported {
		l.reported = size
		select {
		case s.longLog <- size:
		default: // nobody has taken the last one
		}
	}
}

// errBlocked means that a read kept a checkpoint from completing.
var errBlocked = errors.New("a read is in the way")

// checkpoint moves pages from the log to the database's file, and returns how many of the log's are
// there now. It waits for reads up to timeout. The caller has the write lock. Errors: errBlocked, of
// the mode TRUNCATE, or one of SQLite.
func (s *Store) checkpoint(mode string, timeout time.Duration) (moved int64, err error) {
	// Nothing interrupts it, so the connection does not wait any more at the end: transactions wait by themselves.
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
	return moved, errors.Join(err, wait(0))
}
