package worker

import (
	"sync"
	"time"
)

const (
	// agesWindow is for how long, once or twice, the fastest message of a requester is the
	// measure of the others. Longer, and two clocks that drift apart by 50 ppm would be
	// taken for messages that are old.
	agesWindow = 30 * time.Second
	// maxRequesters bounds what is remembered. An API process that restarts is a new one.
	maxRequesters = 1024
)

// ages tells how long messages were on their way, although clocks differ. Of the messages of
// one requester the fastest was on its way for no time: what others took longer is their age.
// So a worker that was frozen, or cut off, does not take what waited in its connection for
// fresh. Who is heard for the first time is fresh. It is safe for concurrent use.
type ages struct {
	started time.Time

	mu         sync.Mutex // guards all below
	requesters map[string]*fastest
}

// fastest has the least difference between our clock and a requester's, of this window's
// messages and of the last one's.
type fastest struct {
	since      time.Time
	this, last time.Duration
}

func newAges() *ages {
	return &ages{started: time.Now(), requesters: make(map[string]*fastest)}
}

// of is the age of a message that a requester sent, by its clock, and that came now. One that
// does not say when it was sent, by 0, has none.
func (a *ages) of(requester string, sentMillis int64, now time.Time) time.Duration {
	if sentMillis == 0 {
		return 0
	}
	difference := now.Sub(a.started) - time.Duration(sentMillis)*time.Millisecond
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.requesters[requester]
	if f == nil {
		if len(a.requesters) >= maxRequesters {
			clear(a.requesters)
		}
		f = &fastest{now, difference, difference}
		a.requesters[requester] = f
	}
	// A window ends with the first message after it, so after a silence the last one counts.
	if now.Sub(f.since) > agesWindow {
		f.since, f.last, f.this = now, f.this, difference
	}
	f.this = min(f.this, difference)
	return difference - min(f.this, f.last)
}
