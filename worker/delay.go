package worker

import (
	"maps"
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
	// maxStep is by how much a message may be faster than all before it and be believed at once,
	// and how far apart messages are that agree. Callers with little time do not notice as much.
	maxStep = 200 * time.Millisecond
	// minSupport is how many messages must agree before they decide about others, and settleTime
	// how long that takes at least.
	minSupport = 3
	settleTime = time.Second
	// maxRequesters bounds how many requesters are remembered. An API process that restarts is a
	// new requester.
	maxRequesters = 1024
)

// delayEstimator estimates how long a message was on its way, although the clocks of requester
// and worker differ. It takes the fastest message of a requester as one without delay; what
// another message took longer is its delay. So a worker that was frozen or cut off knows which
// messages are old. The first messages of a requester are taken as ones without delay, too. It is
// safe for concurrent use.
//
// When it was sent, a message says itself, so it may be forged. Therefore no message decides alone
// about the others of its requester, nor do a few: see baseline.
type delayEstimator struct {
	started time.Time

	mu         sync.Mutex // guards all below
	requesters map[string]*baseline
}

// baseline has the fastest message of a requester in this window and in the one before. Messages
// agree with it that are at most maxStep slower, or faster than the window's first. All others
// contradict it:
//
//   - One that is slower is delayed, once the baseline is settled: minSupport messages have agreed
//     with it, in settleTime at least, and more than say something else. Before, it counts as one
//     without delay.
//   - One that is faster never changes it, and counts as one without delay.
//
// When minSupport messages say the same and none agrees with the baseline any more, they replace
// it: faster ones after two windows, since a clock may have stood still; slower ones at the end of
// a window in which they were more than those that agreed.
type baseline struct {
	made              time.Time
	since             time.Time // the start of this window
	current, previous clockOffset
	first             clockOffset // the faster of both when this window began
	agreed            int         // messages of this window that agree; until the baseline is settled, of all
	agreedAt          time.Time   // when the last of them came
	settled           bool
	rival             rival
}

// rival is what most messages say that contradict a baseline. The zero value stands for none.
type rival struct {
	clockOffset
	since   time.Time
	support int // messages that say this, less those that say something else
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

// downTo returns the lowest offset that a message as fast as o may have now, by clocks that have
// drifted apart.
func (o clockOffset) downTo(now time.Time) time.Duration {
	return o.offset - time.Duration(maxDrift*float64(now.Sub(o.at)))
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
	switch {
	case b == nil && recovering:
		return 0, false
	case b == nil:
		if len(d.requesters) >= maxRequesters {
			d.makeRoom()
		}
		d.requesters[name] = newBaseline(found)
		return 0, true
	case recovering:
		return max(0, found.offset-b.lowest(now)), true
	}
	return b.take(found), true
}

// makeRoom forgets requesters: those of a few messages first, because a forger can name any number
// of them. The caller holds mu.
func (d *delayEstimator) makeRoom() {
	maps.DeleteFunc(d.requesters, func(_ string, b *baseline) bool { return !b.settled })
	if len(d.requesters) >= maxRequesters {
		clear(d.requesters)
	}
}

// newBaseline returns the baseline that one message makes.
func newBaseline(found clockOffset) *baseline {
	return &baseline{made: found.at, since: found.at, current: found, previous: found, first: found, agreed: 1, agreedAt: found.at}
}

// lowest returns the offset of a message without delay that comes now.
func (b *baseline) lowest(now time.Time) time.Duration {
	return min(b.current.upTo(now), b.previous.upTo(now))
}

// take returns the delay of a message, and notes what the message says of the clocks.
func (b *baseline) take(found clockOffset) (delay time.Duration) {
	now := found.at
	faster := found.offset < b.first.downTo(now)-maxStep
	// The first message after a window ends it, so the last window before a silence still counts.
	if now.Sub(b.since) > delayWindow {
		b.endWindow(found, faster)
	}
	if faster {
		b.contradict(found)
		b.replaceIfOutvoted(now, 2*delayWindow)
		return 0
	}
	if found.offset < b.current.upTo(now) {
		b.current = found
	}
	delay = max(0, found.offset-b.lowest(now))
	if delay <= maxStep {
		b.agreed++
		b.agreedAt = now
		b.settled = b.settled || b.agreed >= minSupport && b.agreed > b.rival.support && now.Sub(b.made) >= settleTime
		return delay
	}
	b.contradict(found)
	if b.settled {
		return delay
	}
	b.replaceIfOutvoted(now, settleTime)
	return 0
}

// endWindow ends a window at a message, which is faster than the baseline may be or not.
func (b *baseline) endWindow(found clockOffset, faster bool) {
	if r := b.rival; b.settled && r.support >= minSupport && r.support > b.agreed && r.offset > b.lowest(found.at) {
		b.replace()
		return
	}
	b.since, b.previous = found.at, b.current
	if !faster {
		b.current = found
	}
	b.first = b.current
	if b.previous.upTo(found.at) < b.current.upTo(found.at) {
		b.first = b.previous
	}
	if !b.settled { // what all messages say decides
		return
	}
	b.agreed = 0
	if !faster { // faster ones need longer than a window
		b.rival = rival{}
	}
}

// contradict notes a message that contradicts the baseline. It counts votes by the algorithm of
// Boyer and Moore, so what most of the messages say remains, whatever the others say.
func (b *baseline) contradict(found clockOffset) {
	r := &b.rival
	switch {
	case r.support == 0:
		*r = rival{found, found.at, 1}
	case (found.offset - r.offset).Abs() > maxStep:
		r.support--
	default:
		r.support++
		if found.offset < r.offset {
			r.clockOffset = found
		}
	}
}

// replaceIfOutvoted replaces the baseline when enough messages say the same against it, for some
// time, and none has agreed with it since the first of them. That is settleTime for a baseline which
// is not settled.
func (b *baseline) replaceIfOutvoted(now time.Time, span time.Duration) {
	if !b.settled {
		span = settleTime
	}
	if b.rival.support >= minSupport && b.agreedAt.Before(b.rival.since) && now.Sub(b.rival.since) >= span {
		b.replace()
	}
}

// replace makes the rival the baseline.
func (b *baseline) replace() {
	r := b.rival
	*b = *newBaseline(r.clockOffset)
	b.made, b.agreed, b.settled = r.since, r.support, true
}
