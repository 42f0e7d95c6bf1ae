package soldout

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// hold is how long somebody waits at most for a renewal that is under way when the lease is over: about as long as the
	// answer of a worker takes.
	hold = 100 * time.Millisecond
	// rushWindow is the time within which Config.Rush must have been refused.
	rushWindow = time.Second
)

// event is what is known of an event of which somebody was told that it is sold out.
type event struct {
	id      store.ID
	pace    pace
	lease   atomic.Pointer[lease]   // the last one by which somebody could be refused; nil: there was none
	renewal atomic.Pointer[renewal] // nil: nobody asks for a lease
	crowded atomic.Bool             // it has too many people

	// For who has the renewal.

	known   entered
	hopeful bool // the last renewal brought a lease

	people int // guarded by Leases.mu
}

// lease says that nobody gets a seat, but for those who have entered. It never changes once it is in an event. A nil lease
// is over.
type lease struct {
	from    moment // when the request was sent with whose reply it came
	length  time.Duration
	entered entered
}

// holds reports whether the lease is not over.
func (l *lease) holds(now moment) bool { return l != nil && now.since(l.from) < l.length }

// due reports whether it is time to renew the lease: a worker may need three tenths of it for its answer.
func (l *lease) due(now moment) bool { return l == nil || now.since(l.from) >= l.length*7/10 }

// renewal is the one request of an event that asks for a lease, and the reading of people that it may need.
type renewal struct {
	over    chan struct{} // closed when it has ended, or others have waited for hold
	close   func()        // closes over, once
	hopeful atomic.Bool   // others may wait for it: it will likely bring a lease, and soon
}

// hope lets others wait.
func (r *renewal) hope() {
	if !r.hopeful.Swap(true) {
		time.AfterFunc(hold, r.close)
	}
}

// begin begins a renewal; nil: there is one under way.
func (e *event) begin() *renewal {
	if e.renewal.Load() != nil {
		return nil
	}
	r := &renewal{over: make(chan struct{})}
	r.close = sync.OnceFunc(func() { close(r.over) })
	if !e.renewal.CompareAndSwap(nil, r) {
		return nil
	}
	if e.hopeful {
		r.hope()
	}
	return r
}

// end ends a renewal that brought a lease or not.
func (e *event) end(r *renewal, brought bool) {
	e.hopeful = brought
	e.renewal.Store(nil)
	r.close()
}

// pace counts how many are refused. It is safe for concurrent use, and may lose some of those who come while a second ends.
type pace struct {
	second, refused atomic.Int64 // of the process, and how many in it
	until           atomic.Int64 // how long there is a rush
}

// count counts somebody who was refused, as one of so many who make a rush.
func (p *pace) count(now moment, rush int) {
	second := int64(now.ran / rushWindow)
	if p.second.Load() != second && p.second.Swap(second) != second {
		p.refused.Store(0)
	}
	if p.refused.Add(1) == int64(rush) {
		p.until.Store(int64(now.ran + rushWindow))
	}
}

// rush reports whether so many were refused a moment ago that a lease is worth its while.
func (p *pace) rush(now moment) bool { return int64(now.ran) < p.until.Load() }
