package worker

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// pulseEvery is how often a worker notes that it runs, and maxPause how long it may be silent
	// before it takes itself for one that was stopped: frozen, or on a machine that was. A busy
	// machine keeps a worker waiting for less.
	pulseEvery = 100 * time.Millisecond
	maxPause   = time.Second
	// recovery bounds how long a worker counts as recovering from a stop.
	recovery = 5 * time.Second
)

// pulse finds out that the whole worker was stopped for a while, by the gaps between its signs of
// life. It is safe for concurrent use.
type pulse struct {
	// settle returns when everything that waited for the end of a stop has been taken.
	settle func(context.Context)
	woke   chan struct{} // gets one when a stop is noticed

	mu      sync.Mutex // guards all below
	beat    time.Time  // the last sign of life
	stops   int        // that were noticed
	settled int        // of them
}

func newPulse(settle func(context.Context)) *pulse {
	return &pulse{settle: settle, woke: make(chan struct{}, 1)}
}

// run notes signs of life, and has what waited for the end of a stop taken, until ctx ends.
func (p *pulse) run(ctx context.Context) {
	var settling sync.WaitGroup
	defer settling.Wait()
	settling.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.woke:
				p.recover(ctx)
			}
		}
	})
	tick := time.NewTicker(pulseEvery)
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

// recover ends the recovery from the stops that were noticed so far.
func (p *pulse) recover(ctx context.Context) {
	p.mu.Lock()
	stops := p.stops
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	p.settle(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled = stops
}

// recovering notes a sign of life, and reports whether messages may still come that waited for
// the end of a stop. Whoever asks first after a stop notices it.
func (p *pulse) recovering(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.beat.IsZero() && now.Sub(p.beat) > maxPause {
		p.stops++
		select {
		case p.woke <- struct{}{}:
		default: // it is known already
		}
	}
	if now.After(p.beat) {
		p.beat = now
	}
	return p.stops != p.settled
}

// takeWaiting returns when all messages that the NATS server held for this worker have been
// taken by its callback, or when ctx ends. A server answers a ping behind what it sent before; a
// server that has cut the worker off holds nothing.
func (w *Worker) takeWaiting(ctx context.Context) {
	for w.conn.FlushWithContext(ctx) != nil {
		if !pause(ctx) {
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
		for taken := pendingOf(sub); !taken(); {
			if !pause(ctx) {
				return
			}
		}
	}
}

// pendingOf returns what tells whether the messages that are with a subscription now have been
// given to its callback, and the callback has returned from them.
func pendingOf(sub *nats.Subscription) (taken func() bool) {
	delivered, _ := sub.Delivered() // a subscription that has ended has nothing more
	pending, _, err := sub.Pending()
	last := delivered + int64(pending)
	return func() bool {
		now, stillThere := sub.Delivered()
		left, _, _ := sub.Pending()
		return err != nil || stillThere != nil || now > last || now == last && left == 0
	}
}

// pause waits a little and reports whether ctx is still alive.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}
