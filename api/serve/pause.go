package serve

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// heartbeat is how often the process notes that it runs, pauseLeast the longest time between two notes in a
	// process that was not paused, and pauseOver how long after a pause requests may come that waited for its end.
	heartbeat, pauseLeast, pauseOver = 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second
	// pauseSettle is how long it takes at most after a pause to hear of a client that has left.
	pauseSettle = 50 * time.Millisecond
)

// Pauses notices that the process stood still: it was frozen, or had no processor. While a machine sleeps, the clock of its
// processes may stand still too, and nothing is noticed. It is safe for concurrent use.
type Pauses struct {
	begun       time.Time
	beat, ended atomic.Int64 // the last heartbeat and the end of the last pause, in nanoseconds since begun; 0: none
}

// Watch notices pauses until ctx ends.
func (p *Pauses) Watch(ctx context.Context) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	p.beat.Store(int64(time.Since(p.begun)))
	for {
		select {
		case <-ctx.Done():
			p.beat.Store(0) // nobody notes anything any more
			return
		case <-tick.C:
			p.recent() // before the pause is forgotten
			p.beat.Store(int64(time.Since(p.begun)))
		}
	}
}

// recent reports whether a pause has ended a moment ago. Whoever asks first after a pause notices it.
func (p *Pauses) recent() bool {
	now, beat := int64(time.Since(p.begun)), p.beat.Load()
	if beat > 0 && time.Duration(now-beat) > pauseLeast {
		p.ended.Store(now)
	}
	ended := p.ended.Load()
	return ended > 0 && time.Duration(now-ended) < pauseOver
}

// left reports whether a client has left: it may have been answered by another process since. A moment after a pause the
// process may not have heard of that yet, so then left waits for it.
func (p *Pauses) left(client context.Context) bool {
	if client.Err() != nil || !p.recent() {
		return client.Err() != nil
	}
	select {
	case <-client.Done():
		return true
	case <-time.After(pauseSettle):
		return false
	}
}
