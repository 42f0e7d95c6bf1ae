package worker

import (
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
)

const (
	// maxLeased bounds the events of which a worker remembers the last lease. One that is forgotten costs who changes it a wait.
	maxLeased = 10_000
	// abandonedAfter is for how long a worker sees that leases of an event are to end, before it believes that who waited for
	// that is dead, and grants anew. Who is only slow waits again.
	abandonedAfter = 10 * time.Second
)

// leaseTimes remembers since when the last lease of each event was the last, by the monotonic clock of this process, which
// stands still in a machine that is suspended: then it waits for longer. It is safe for concurrent use.
type leaseTimes struct {
	mu     sync.Mutex // guards events
	events map[store.ID]lastLease
}

// lastLease is the last lease of an event that a worker knows of.
type lastLease struct {
	granted int64         // which it was
	since   time.Time     // when the store had said that it is the last
	longest time.Duration // of the leases that may be out
	ending  time.Time     // since when no more are granted; zero: they are
}

// over returns when all leases have ended, if no other was granted since.
func (l lastLease) over() time.Time { return l.since.Add(leases.Wait(l.longest)) }

// note notes what the store has said of leases, just now, and returns how many it has granted.
func (l *leaseTimes) note(batch []request, results []store.SeatResult) (granted int) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, res := range results {
		if res.LeasesGranted == 0 {
			continue
		}
		event := batch[i].EventID
		last := l.events[event]
		if last.granted != res.LeasesGranted {
			// How long those are that others have granted, nobody has said yet.
			last = lastLease{granted: res.LeasesGranted, since: now, longest: store.MaxLease}
			if res.Outcome == store.SoldOut && res.Lease > 0 {
				granted++
			}
		}
		switch {
		case res.Outcome == store.LeaseOut:
			last.longest = res.Lease
			fallthrough
		case res.Lease == 0:
			if last.ending.IsZero() {
				last.ending = now
			}
		}
		l.put(event, last)
	}
	return granted
}

// put remembers the last lease of an event. The caller holds mu.
func (l *leaseTimes) put(event store.ID, last lastLease) {
	if l.events == nil {
		l.events = make(map[store.ID]lastLease)
	}
	l.events[event] = last
	for other := range l.events { // any may go
		if len(l.events) <= maxLeased {
			return
		}
		if other != event {
			delete(l.events, other)
		}
	}
}

// over returns when the leases of an event have ended, after the store has said that some may be out.
func (l *leaseTimes) over(event store.ID) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[event].over()
}

// ended returns up to which lease those have ended that a request must not meet; 0: that is not known. A registration meets all of
// them, as long as who waits for their end may live.
func (l *leaseTimes) ended(r request) int64 {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.events[r.EventID]
	switch {
	case now.Before(last.over()):
		return 0
	case r.Kind == messages.KindRegister && !r.putAside && (last.ending.IsZero() || now.Sub(last.ending) < abandonedAfter):
		return 0
	}
	return last.granted
}
