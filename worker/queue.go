package worker

import (
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// request is a seat request that this worker has accepted: it owes an answer.
type request struct {
	messages.SeatRequest
	reply    string    // the subject of the answer
	item     int       // its place in its message
	received time.Time // when it arrived
	deadline time.Time // no write for it begins after this
	doubt    bool      // an earlier try to store it may have done so
}

// queue holds the requests that wait, in one line per event. It is bounded, and fair: each
// batch takes from all the events that have requests waiting, in turn. An event is in one
// batch at a time; what arrives for it meanwhile forms its next one.
type queue struct {
	mu      sync.Mutex // guards all below
	change  sync.Cond  // signalled when turn grows and when closed is set
	lines   map[store.ID]*line
	turn    []*line // lines with requests and no batch in flight, the longest waiting first
	waiting int     // requests in all lines
	max     int
	closed  bool
}

// line is one event's requests in order of arrival.
type line struct {
	event    store.ID
	requests []request
	inFlight bool
}

func newQueue(maxWaiting int) *queue {
	q := &queue{lines: make(map[store.ID]*line), max: maxWaiting}
	q.change.L = &q.mu
	return q
}

// put adds the requests of a message, as far as there is room, and returns how many. They
// come in together, so that an idle worker does not begin a batch with the first alone.
func (q *queue) put(all []request) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	n := min(len(all), q.max-q.waiting)
	for _, r := range all[:n] {
		l := q.lines[r.EventID]
		if l == nil {
			l = &line{event: r.EventID}
			q.lines[r.EventID] = l
		}
		l.requests = append(l.requests, r)
		if len(l.requests) == 1 && !l.inFlight {
			q.turn = append(q.turn, l)
			q.change.Signal()
		}
	}
	q.waiting += n
	return n
}

// take waits for requests and returns at most n of them as a batch. The events of the
// batch are in flight until release. It returns nil when the queue is closed and no
// request is left that could become free.
func (q *queue) take(n int) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.turn) == 0 {
		if q.closed {
			return nil
		}
		q.change.Wait()
	}
	lines := q.turn[:min(n, len(q.turn))]
	q.turn = q.turn[len(lines):]
	// First an equal share for each, then what is left over to those who have more.
	share, batch := n/len(lines), make([]request, 0, min(n, q.waiting))
	for _, size := range []int{share, n} {
		for _, l := range lines {
			k := min(size, len(l.requests), n-len(batch))
			batch = append(batch, l.requests[:k]...)
			l.requests = l.requests[k:]
		}
	}
	q.waiting -= len(batch)
	for _, l := range lines {
		l.inFlight = true
	}
	return batch
}

// release ends the flight of a batch's events: those with requests waiting get in turn.
func (q *queue) release(batch []request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range batch {
		l := q.lines[r.EventID]
		if l == nil || !l.inFlight {
			continue // released with an earlier request of the batch
		}
		l.inFlight = false
		if len(l.requests) == 0 {
			delete(q.lines, l.event)
			continue
		}
		q.turn = append(q.turn, l)
		q.change.Signal()
	}
}

// close refuses further requests and lets take return nil when the rest is taken. A line
// that is in flight with more requests waiting is taken by the one who releases it.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.change.Broadcast()
}
