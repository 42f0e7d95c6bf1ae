package worker

import (
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// request is a seat request that this worker has accepted, and must answer.
type request struct {
	messages.SeatRequest
	reply       string    // the subject of the reply
	item        int       // the position of the request in its message
	received    time.Time // when it arrived
	sent        time.Time // when it was sent, rather too early than too late; zero: not known
	deadline    time.Time // no write for it begins after this time
	maybeStored bool      // an earlier try to apply it may have stored something
	putAside    bool      // it has waited until leases have ended

	trace trace.SpanContext // of the HTTP request; not valid when nothing is traced
}

// queue holds the requests that wait for a batch, by event. It is bounded, and fair: a batch takes
// requests of all events that have some, in turn. An event is in one batch at a time; requests
// that arrive for it meanwhile wait for its next batch. It is safe for concurrent use.
type queue struct {
	mu      sync.Mutex // guards all below
	changed sync.Cond  // signalled when ready grows and when closed is set
	events  map[store.ID]*eventQueue
	ready   []*eventQueue // those with requests and no batch in flight, the longest waiting first
	waiting int           // requests of all events
	aside   map[store.ID]*asideQueue
	held    int // requests of aside
	max     int // bounds waiting and held together
	closed  bool
}

// eventQueue has the requests for one event in order of arrival.
type eventQueue struct {
	event    store.ID
	requests []request
	inFlight bool // a batch has requests for the event
	room     int  // how many more of requests may be in the batch that take is making
}

func newQueue(maxWaiting int) *queue {
	q := &queue{events: make(map[store.ID]*eventQueue), aside: make(map[store.ID]*asideQueue), max: maxWaiting}
	q.changed.L = &q.mu
	return q
}

// put adds the requests of a message, as many as there is room for, and returns how many. It adds
// them in one step, so that an idle worker does not begin a batch with the first one alone.
func (q *queue) put(all []request) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0
	}
	n := min(len(all), q.max-q.waiting-q.held)
	for _, r := range all[:n] {
		e := q.eventQueue(r.EventID)
		e.requests = append(e.requests, r)
		if len(e.requests) == 1 && !e.inFlight {
			q.ready = append(q.ready, e)
			q.changed.Signal()
		}
	}
	q.waiting += n
	return n
}

// eventQueue returns the requests for an event. The caller holds mu.
func (q *queue) eventQueue(event store.ID) *eventQueue {
	e := q.events[event]
	if e == nil {
		e = &eventQueue{event: event}
		q.events[event] = e
	}
	return e
}

// take waits for requests and returns at most n of them as a batch. The events of the batch are
// in flight until release. A request that may promote any number of people is the only one of its
// event in a batch. take returns nil when the queue is closed, none is held and no request waits that another
// goroutine would not take.
func (q *queue) take(n int) []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) == 0 {
		if q.closed && q.held == 0 {
			return nil
		}
		q.changed.Wait()
	}
	events := q.ready[:min(n, len(q.ready))]
	q.ready = q.ready[len(events):]
	for _, e := range events {
		e.room = together(e.requests[:min(n, len(e.requests))])
	}
	// First an equal share for each event, then the room that is left for those with more.
	share, batch := n/len(events), make([]request, 0, min(n, q.waiting))
	for _, size := range []int{share, n} {
		for _, e := range events {
			k := min(size, n-len(batch), e.room)
			batch = append(batch, e.requests[:k]...)
			e.requests = e.requests[k:]
			e.room -= k
		}
	}
	q.waiting -= len(batch)
	for _, e := range events {
		e.inFlight = true
	}
	return batch
}

// together returns how many of an event's next requests may be in one batch.
func together(requests []request) int {
	switch alone := slices.IndexFunc(requests, promotesMany); alone {
	case -1:
		return len(requests)
	case 0:
		return 1
	default:
		return alone
	}
}

// promotesMany reports whether a request may promote any number of people. The store decides about
// one such request on one number, if the batch has nothing else about its event, and otherwise has to
// read those people (store.Promotable).
func promotesMany(r request) bool {
	return r.Kind == messages.KindRecount || r.Edit != nil && r.Edit.Capacity != nil
}

// release says that a batch was applied. Its events with requests become ready again.
func (q *queue) release(batch []request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range batch {
		e := q.events[r.EventID]
		if e == nil || !e.inFlight {
			continue // released with an earlier request of the batch
		}
		e.inFlight = false
		if len(e.requests) == 0 {
			delete(q.events, e.event)
			continue
		}
		q.ready = append(q.ready, e)
		q.changed.Signal()
	}
}

// length returns how many requests wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting
}

// oldestWait returns how long the request has waited at now that has waited longest. It looks at every
// event with requests, so it is for who asks now and then.
func (q *queue) oldestWait(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	oldest := now
	for _, e := range q.events {
		if len(e.requests) > 0 && e.requests[0].received.Before(oldest) {
			oldest = e.requests[0].received
		}
	}
	return now.Sub(oldest)
}

// inFlight returns how many events a batch is being applied of.
func (q *queue) inFlight() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.events {
		if e.inFlight {
			n++
		}
	}
	return n
}

// close refuses further requests, and lets take return nil when the others are taken. Requests
// for an event in flight are taken by the goroutine that releases it.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
}
