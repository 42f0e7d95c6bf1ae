// Package fairqueue shares a few slots between many callers who compete for them, such as
// the processor's cores that hash passwords.
//
// # Fairness
//
// Callers wait in one of two lanes: that of strangers, or that of people who are known. While
// callers wait in both, the lanes get slots in turns, so that a flood in one lane leaves half
// of the slots to the other. Within a lane the parties (the networks of strangers, the
// accounts of known people) take turns, so a party waits for no more turns than there are
// parties in its lane, however many callers each of them has. Within a party the caller who
// came first is first.
//
// # Coming back
//
// Who is refused is told when to come back: when all are served who wait, and who were told the same
// before, as far as people keep to it. That is an appointment of their party. While there are appointments
// in a lane, half of its room is kept for those who come at the time of theirs, and so is half of the
// room of a party that has some: they find room, whoever else comes meanwhile. Where they do not come,
// nothing waits for them: callers without an appointment may have the other half at any time.
//
// # Bounds
//
// The callers that wait are bounded in each lane and for each party. When a lane is full, a
// caller of a party with a shorter queue takes the room of the last caller of the longest
// one. Memory is bounded by that: a waiting caller takes about 250 bytes and a party with
// waiting callers about 250 more, beside the caller's own goroutine. Appointments are bounded to 100 for
// each caller that may wait; with its party one takes about 250 bytes. Nothing is kept of
// parties without waiting callers and without appointments, and the queue has no goroutine of its own.
package fairqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// defaultWaiting is the default number of waiting callers in a lane for each slot.
	defaultWaiting = 100
	// defaultTypical is the default of Config.Typical.
	defaultTypical = 20 * time.Millisecond
	// meanWeight is the share of the latest measurement in the mean time: 1/meanWeight.
	meanWeight = 8
)

// Config has a Queue's settings. The zero value works.
type Config struct {
	// Slots is how many callers have a slot at a time. Default 1.
	Slots int
	// Waiting bounds the callers that wait in each of the two lanes. Default 100 for each slot.
	Waiting int
	// WaitingOfParty bounds the callers of one party that wait. Default half of Waiting.
	WaitingOfParty int
	// Typical is how long a slot is held, until that is measured. Default 20 ms.
	Typical time.Duration
}

// BusyError is the error of a caller who got no slot.
type BusyError struct {
	// RetryAfter is how long it takes to serve all who were before the caller, at the
	// measured mean time of a turn. Who comes back then finds room.
	RetryAfter time.Duration
	// Cause is the error of the context that ended while the caller waited. nil: there was
	// no room to wait.
	Cause error
}

// Error says why the caller got no slot.
func (e *BusyError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("gave up waiting for a turn: %v", e.Cause)
	}
	return "too many wait for a turn"
}

// Unwrap returns Cause.
func (e *BusyError) Unwrap() error { return e.Cause }

// Queue gives slots to callers in fair turns. It is safe for concurrent use.
type Queue struct {
	slots, waiting, waitingOfParty int

	mu    sync.Mutex // guards all below
	held  int        // slots in use
	mean  time.Duration
	lanes [2]lane // of strangers, of known people
	next  int     // the lane whose turn it is when callers wait in both
}

// lane holds the callers of one lane that wait.
type lane struct {
	lines   map[Party]*line
	turns   []*line // lines with callers, in the order of their turns
	waiting int     // callers in all lines
	sizes   sizes   // of the lines
	told    appointments
}

// line holds the callers of one party that wait, in order of arrival.
type line struct {
	party   Party
	callers []*caller
}

// caller is one caller that waits. answer gets one value, when the caller has left its line
// without its own doing: nil with a slot, or why there is none.
type caller struct {
	party  Party
	answer chan *BusyError
}

// New makes a queue.
func New(config Config) *Queue {
	q := &Queue{slots: max(1, config.Slots)}
	q.waiting = cmp.Or(max(0, config.Waiting), q.slots*defaultWaiting)
	q.waitingOfParty = cmp.Or(max(0, config.WaitingOfParty), max(1, q.waiting/2))
	q.mean = cmp.Or(max(0, config.Typical), defaultTypical)
	for i := range q.lanes {
		q.lanes[i].lines = make(map[Party]*line)
		q.lanes[i].told = newAppointments(q.waiting * appointmentsPerRoom)
	}
	return q
}

// Acquire waits for a slot, at once when one is free, and holds it until release is called.
// release may come more than once. Acquire fails with *BusyError when there is no room to
// wait, when a caller of a party with a shorter queue takes the room, and when ctx ends
// first; the caller has left the queue then.
func (q *Queue) Acquire(ctx context.Context, party Party) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, &BusyError{RetryAfter: q.Wait(party), Cause: err}
	}
	c, busy := q.enter(party)
	if busy != nil {
		return nil, busy
	}
	if c != nil {
		select {
		case busy = <-c.answer:
		case <-ctx.Done():
			busy = q.leave(c, ctx.Err())
		}
		if busy != nil {
			return nil, busy
		}
	}
	began := time.Now()
	var once sync.Once
	return func() { once.Do(func() { q.release(time.Since(began)) }) }, nil
}

// Room returns nil when a caller of the party would get a slot or wait for one now, and
// *BusyError when Acquire would refuse at once. It is for refusing before other work is done
// in vain: until Acquire is called that may change.
func (q *Queue) Room(party Party) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held < q.slots {
		return nil
	}
	if _, ok := q.room(party); !ok {
		return q.refuse(party, nil)
	}
	return nil
}

// Wait returns how long a caller of the party who comes now is likely to wait for a slot.
func (q *Queue) Wait(party Party) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held < q.slots {
		return 0
	}
	return q.wait(party)
}

// Waiting returns how many callers wait in both lanes.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lanes[0].waiting + q.lanes[1].waiting
}

// enter takes a slot for a caller of the party (nil, nil), or puts the caller into its line,
// or refuses.
func (q *Queue) enter(party Party) (*caller, *BusyError) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.lanes[party.lane()]
	if q.held < q.slots { // nobody waits then
		q.held++
		l.told.keep(party)
		return nil, nil
	}
	longest, ok := q.room(party)
	if !ok {
		return nil, q.refuse(party, nil)
	}
	l.told.keep(party)
	if longest != nil {
		last := longest.callers[len(longest.callers)-1]
		l.remove(last)
		last.answer <- q.refuse(last.party, nil)
	}
	c := &caller{party: party, answer: make(chan *BusyError, 1)}
	own := l.lines[party]
	if own == nil {
		own = &line{party: party}
		l.lines[party] = own
		l.turns = append(l.turns, own)
	}
	l.sizes.grow(len(own.callers))
	own.callers = append(own.callers, c)
	l.waiting++
	return c, nil
}

// room finds room for one more caller of the party: in the queue as it is (nil, true), or in
// place of the last caller of the longest line, or none. The half that is kept for appointments is only
// for those who have one now, and for parties that have less of the room than others.
func (q *Queue) room(party Party) (longest *line, ok bool) {
	l := &q.lanes[party.lane()]
	own := 0
	if line := l.lines[party]; line != nil {
		own = len(line.callers)
	}
	room, roomOfParty := q.waiting, q.waitingOfParty
	if ofParty, all, due := l.told.of(party); !due {
		if all > 0 {
			room = half(room)
		}
		if ofParty > 0 {
			roomOfParty = half(roomOfParty)
		}
	}
	switch {
	case own >= roomOfParty:
		return nil, false
	case l.waiting < room:
		return nil, true
	}
	most := l.sizes.most()
	switch {
	case own+1 >= most: // to change places with an equal helps nobody
		return nil, false
	case l.waiting < q.waiting:
		return nil, true
	}
	return l.turns[slices.IndexFunc(l.turns, func(line *line) bool { return len(line.callers) == most })], true
}

func half(room int) int { return (room + 1) / 2 }

// refuse returns the error of a caller who gets no slot, with an appointment.
func (q *Queue) refuse(party Party, cause error) *BusyError {
	wait := q.wait(party)
	q.lanes[party.lane()].told.make(party, wait)
	return &BusyError{RetryAfter: wait, Cause: cause}
}

// wait is Wait while all slots are held.
func (q *Queue) wait(party Party) time.Duration {
	own, other := &q.lanes[party.lane()], &q.lanes[1-party.lane()]
	ofParty, _, _ := own.told.of(party)
	rounds := 1 + ofParty // turns of the party until the caller's own, which is the last of them
	if line := own.lines[party]; line != nil {
		rounds += len(line.callers)
	}
	ahead := own.sizes.within(rounds) + own.told.ahead(rounds)
	ahead += min(ahead+1, other.waiting+other.told.ahead(rounds))
	// The callers who have slots are served first; they may have just begun.
	return time.Duration(ahead/q.slots+1) * q.mean
}

// leave takes a caller out of its line whose context has ended with cause. A slot that came
// at the same moment goes to the next.
func (q *Queue) leave(c *caller, cause error) *BusyError {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := &q.lanes[c.party.lane()]
	if !l.remove(c) {
		if busy := <-c.answer; busy != nil {
			return busy
		}
		q.held--
		q.serve()
	}
	if errors.Is(cause, context.Canceled) { // nobody is there to be told
		return &BusyError{RetryAfter: q.wait(c.party), Cause: cause}
	}
	return q.refuse(c.party, cause)
}

// release gives a slot back that was held for so long.
func (q *Queue) release(held time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mean += (held - q.mean) / meanWeight
	q.held--
	q.serve()
}

// serve gives free slots to callers that wait.
func (q *Queue) serve() {
	for q.held < q.slots {
		if q.lanes[q.next].waiting == 0 {
			q.next = 1 - q.next
		}
		l := &q.lanes[q.next]
		if l.waiting == 0 {
			return
		}
		q.next = 1 - q.next
		q.held++
		l.take().answer <- nil
	}
}

// take takes the first caller of the party whose turn it is out of a lane where callers wait.
func (l *lane) take() *caller {
	first := l.turns[0]
	c := first.callers[0]
	l.remove(c)
	if len(first.callers) > 0 {
		l.turns = append(l.turns[1:], first)
	}
	return c
}

// remove takes a caller out of its line, and reports whether it was there.
func (l *lane) remove(c *caller) bool {
	line := l.lines[c.party]
	if line == nil {
		return false
	}
	at := slices.Index(line.callers, c)
	if at < 0 {
		return false
	}
	l.sizes.shrink(len(line.callers))
	line.callers = slices.Delete(line.callers, at, at+1)
	l.waiting--
	if len(line.callers) == 0 {
		delete(l.lines, c.party)
		at := slices.Index(l.turns, line)
		l.turns = slices.Delete(l.turns, at, at+1)
	}
	return true
}
