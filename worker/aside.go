package worker

import (
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// asideQueue has the requests of an event that wait until leases have ended, in order of arrival.
type asideQueue struct {
	requests []request
	timer    *time.Timer
}

// putAside holds a request until a time, with those of its event that are held already: then all come before the others
// that wait, so that they are applied in one batch. It reports whether there is room. Also a queue that is closed holds it.
func (q *queue) putAside(r request, until time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting+q.held >= q.max {
		return false
	}
	q.held++
	a := q.aside[r.EventID]
	if a == nil {
		a = &asideQueue{timer: time.AfterFunc(time.Until(until), func() { q.recall(r.EventID) })}
		q.aside[r.EventID] = a
	}
	a.requests = append(a.requests, r)
	return true
}

// recall ends the wait of the requests of an event that are held.
func (q *queue) recall(event store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.aside[event]
	if a == nil {
		return
	}
	a.timer.Stop()
	delete(q.aside, event)
	q.held -= len(a.requests)
	q.waiting += len(a.requests)
	e := q.eventQueue(event)
	idle := len(e.requests) == 0 && !e.inFlight
	e.requests = append(a.requests, e.requests...)
	if idle {
		q.ready = append(q.ready, e)
	}
	q.changed.Broadcast() // whoever waits for the last of those that are held, too
}

// recallAll ends the wait of all requests that are held.
func (q *queue) recallAll() {
	q.mu.Lock()
	var events []store.ID
	for event := range q.aside {
		events = append(events, event)
	}
	q.mu.Unlock()
	for _, event := range events {
		q.recall(event)
	}
}

// heldRequests returns how many requests are held.
func (q *queue) heldRequests() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}
