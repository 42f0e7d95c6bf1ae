package worker

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/wait"
)

const (
	// heartbeatInterval is how often a pauseDetector notes that its process runs.
	heartbeatInterval = 100 * time.Millisecond
	// maxPause is the longest time between two heartbeats of a process that was not stopped. A
	// busy machine delays a heartbeat by less.
	maxPause = time.Second
	// maxRecovery bounds how long a worker counts as recovering after a pause.
	maxRecovery = 5 * time.Second
	// lookAgain is the pause between two looks at what a server or a callback still has.
	lookAgain = 10 * time.Millisecond
)

// pauseDetector notices that the whole process was paused for a while, frozen or with its
// machine, by a gap between its heartbeats. It is safe for concurrent use.
type pauseDetector struct {
	// drain returns when all messages that waited for the end of a pause have been taken.
	drain   func(context.Context)
	noticed chan struct{} // gets a value when a pause is noticed
	count   func()        // is called for each pause

	mu        sync.Mutex // guards all below
	heartbeat time.Time  // the last one
	pauses    int        // noticed so far
	recovered int        // the pauses after which everything that waited has been taken
}

func newPauseDetector(drain func(context.Context)) *pauseDetector {
	return &pauseDetector{drain: drain, noticed: make(chan struct{}, 1), count: func() {}}
}

// run keeps the heartbeat, and calls drain after each pause, until ctx ends.
func (p *pauseDetector) run(ctx context.Context) {
	var draining sync.WaitGroup
	defer draining.Wait()
	draining.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.noticed:
				p.recover(ctx)
			}
		}
	})
	tick := time.NewTicker(heartbeatInterval)
	defer tick.Stop()
	for {
		p.recovering(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recover ends the recovery from the pauses that were noticed so far.
func (p *pauseDetector) recover(ctx context.Context) {
	p.mu.Lock()
	pauses := p.pauses
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, maxRecovery)
	defer cancel()
	p.drain(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recovered = pauses
}

// recovering reports whether messages may still come that waited for the end of a pause. It is a
// heartbeat too: the first call after a pause notices it.
func (p *pauseDetector) recovering(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.heartbeat.IsZero() && now.Sub(p.heartbeat) > maxPause {
		p.pauses++
		p.count()
		select {
		case p.noticed <- struct{}{}:
		default: // an earlier pause has put a value there
		}
	}
	if now.After(p.heartbeat) {
		p.heartbeat = now
	}
	return p.pauses != p.recovered
}

// drainPending returns when the callback has taken all messages that the NATS server held for
// this worker, or when ctx ends. A server answers a ping behind the messages that it sent before;
// a server that has cut the worker off holds none.
func (w *Worker) drainPending(ctx context.Context) {
	for w.conn.FlushWithContext(ctx) != nil {
		if !wait.For(ctx, lookAgain) {
			return
		}
	}
	w.mu.Lock()
	service := w.service
	w.mu.Unlock()
	if service == nil {
		return
	}
	for _, sub := range service.Subscriptions {
		for taken := takenOf(sub); !taken(); {
			if !wait.For(ctx, lookAgain) {
				return
			}
		}
	}
}

// takenOf returns a function that reports whether the messages which a subscription has now were
// given to its callback, and the callback has returned from them.
func takenOf(sub *nats.Subscription) (taken func() bool) {
	delivered, _ := sub.Delivered() // fails on a subscription that has ended, which has no messages
	pending, _, err := sub.Pending()
	// A message that is in the callback now counts as delivered and as pending: last is one too high then.
	last := delivered + int64(pending)
	return func() bool {
		now, ended := sub.Delivered()
		left, _, _ := sub.Pending()
		return err != nil || ended != nil || now > last || left == 0
	}
}
