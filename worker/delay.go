package worker

import (
	"sync"
	"time"
)

const (
	// agesWindow is for how long, once or twice, the fastest message of a requester is the
	// measure of the others. An API process whose machine was paused, and its clock with it,
	// is taken for slow until then.
	agesWindow = 5 * time.Second
	// maxDrift is by how much two clocks may part, as a share of the time: adjusted clocks
	// stay within 500 ppm (ntpd's limit), others within 200.
	maxDrift = 0.001
	// maxRequesters bounds what is remembered. An API process that restarts is a new one.
	maxRequesters = 1024
)

// ages tells how long messages were on their way, although clocks differ. Of the messages of
// one requester the fastest was on its way for no time: what others took longer is their age.
// So a worker that was frozen, or cut off, does not take what waited in its connection for
// fresh. Who is heard for the first time is fresh, unless the worker was stopped just before. It
// is safe for concurrent use.
type ages struct {
	started time.Time

	mu         sync.Mutex // guards all below
	requesters map[string]*requester
}

// requester has the fastest messages of this window and of the one before.
type requester struct {
	since      time.Time
	this, last fastest
}

// fastest is a message: the difference between our clock and the requester's, and when it
// was found.
type fastest struct {
	difference time.Duration
	at         time.Time
}

// by is what the difference may have become since.
func (f fastest) by(now time.Time) time.Duration {
	return f.difference + time.Duration(maxDrift*float64(now.Sub(f.at)))
}

func newAges() *ages {
	return &ages{started: time.Now(), requesters: make(map[string]*requester)}
}

// of is the age of a message that a requester sent, by its clock, and that came now. One that
// does not say when it was sent, by 0, has none. recovering says that the worker was stopped a
// short while ago: what comes then may have waited for its end and is the measure of nothing. So
// the age of the messages of a requester that was not heard before is not known.
func (a *ages) of(name string, sentMillis int64, now time.Time, recovering bool) (age time.Duration, known bool) {
	if sentMillis == 0 {
		return 0, true
	}
	found := fastest{now.Sub(a.started) - time.Duration(sentMillis)*time.Millisecond, now}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.requesters[name]
	if r == nil {
		if recovering {
			return 0, false
		}
		if len(a.requesters) >= maxRequesters {
			clear(a.requesters)
		}
		r = &requester{now, found, found}
		a.requesters[name] = r
	}
	// A window ends with the first message after it, so after a silence the last one counts.
	if !recovering && now.Sub(r.since) > agesWindow {
		r.since, r.last, r.this = now, r.this, found
	}
	if found.difference < r.this.by(now) {
		r.this = found
	}
	return max(0, found.difference-min(r.this.by(now), r.last.by(now))), true
}
