package worker

import (
	"sync"
	"time"
)

const (
	// delayWindow is for how long, once or twice, the fastest message of a requester is the
	// baseline for its others. The messages of an API process whose machine was paused, and its
	// clock with it, seem delayed until then.
	delayWindow = 5 * time.Second
	// maxDrift is how far two clocks may drift apart, as a share of the time: adjusted clocks
	// stay within 500 ppm (the limit of ntpd), others within 200.
	maxDrift = 0.001
	// maxRequesters bounds how many requesters are remembered. An API process that restarts is a
	// new requester.
	maxRequesters = 1024
)

// delayEstimator estimates how long a message was on its way, although the clocks of requester
// and worker differ. It takes the fastest message of a requester as one without delay; what
// another message took longer is its delay. So a worker that was frozen or cut off knows which
// messages are old. The first message of a requester is taken as one without delay, too. It is
// safe for concurrent use.
type delayEstimator struct {
	started time.Time

	mu         sync.Mutex // guards all below
	requesters map[string]*baseline
}

// baseline has the fastest message of a requester in this window and in the one before.
type baseline struct {
	since             time.Time // the start of this window
	current, previous clockOffset
}

// clockOffset is what a message says about two clocks: the worker's time when it came minus the
// requester's time when it was sent. The lower the offset, the faster the message was.
type clockOffset struct {
	offset time.Duration
	at     time.Time // when the message came
}

// upTo returns the offset, and by how much the clocks may have drifted apart until now.
func (o clockOffset) upTo(now time.Time) time.Duration {
	return o.offset + time.Duration(maxDrift*float64(now.Sub(o.at)))
}

func newDelayEstimator() *delayEstimator {
	return &delayEstimator{started: time.Now(), requesters: make(map[string]*baseline)}
}

// estimate returns how long a message was on its way that a requester sent at sentMillis by its own
// clock and that came now. It is zero for a message that does not say when it was sent, by 0.
//
// recovering says that the worker was stopped a short while ago. A message that comes then may
// have waited for the end of the stop, so it is no baseline. known is false for a requester
// without a baseline then.
func (d *delayEstimator) estimate(name string, sentMillis int64, now time.Time, recovering bool) (delay time.Duration, known bool) {
	if sentMillis == 0 {
		return 0, true
	}
	found := clockOffset{now.Sub(d.started) - time.Duration(sentMillis)*time.Millisecond, now}
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.requesters[name]
	if b == nil {
		if recovering {
			return 0, false
		}
		if len(d.requesters) >= maxRequesters {
			clear(d.requesters)
		}
		b = &baseline{now, found, found}
		d.requesters[name] = b
	}
	// The first message after a window ends it, so the last window before a silence still counts.
	if !recovering && now.Sub(b.since) > delayWindow {
		b.since, b.previous, b.current = now, b.current, found
	}
	if found.offset < b.current.upTo(now) {
		b.current = found
	}
	return max(0, found.offset-min(b.current.upTo(now), b.previous.upTo(now))), true
}
