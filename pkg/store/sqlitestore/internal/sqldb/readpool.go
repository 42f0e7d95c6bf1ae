package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/eventio/eventio/pkg/store"
)

// ErrLongRead is the cause of a read that was ended because it kept the log from being cut.
var ErrLongRead = errors.New("the read took too long while much was written")

// ReadPool has the connections for reads, and knows the reads by Stream that are running. While a
// read is running, the write-ahead log cannot start anew. ReadPool is safe for concurrent use.
type ReadPool struct {
	*sql.DB
	logSize atomic.Int64 // in bytes

	mu      sync.Mutex // guards running
	running map[*runningRead]struct{}
}

// runningRead is a read that lasts as long as its caller takes for the rows.
type runningRead struct {
	logSize int64 // when it began
	end     context.CancelCauseFunc
}

// SetLogSize notes the size of the log in bytes.
func (p *ReadPool) SetLogSize(bytes int64) { p.logSize.Store(bytes) }

// LogSize returns the size that SetLogSize has noted last.
func (p *ReadPool) LogSize() int64 { return p.logSize.Load() }

// begin notes that a read has begun, until done is called. The read must use the context that is
// returned.
func (p *ReadPool) begin(ctx context.Context) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	r := &runningRead{p.LogSize(), end}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		p.running = make(map[*runningRead]struct{})
	}
	p.running[r] = struct{}{}
	return ctx, func() {
		end(nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.running, r)
	}
}

// EndReads ends the running reads during which the log has grown by at least that many bytes, and
// returns how many they were. They fail with store.ErrUnavailable.
func (p *ReadPool) EndReads(grown int64) (ended int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range p.running {
		if p.LogSize()-r.logSize >= grown {
			r.end(ErrLongRead)
			ended++
		}
	}
	return ended
}

// streamError translates an error of a read by Stream.
func streamError(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), ErrLongRead) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ErrLongRead)
	}
	return NothingStored(err)
}
