package worker

import (
	"slices"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// asideQueue has the requests of an event that wait until leases have ended, in order of arrival.
type asideQueue struct {
	requests []request
	timer    *time.Timer
}

// putAside holds requests of an event until a time, with those that are held already: then all come before the others
// that wait, so that they are applied in one batch. It holds as many as there is room for, and returns how many. Also a queue that is
// closed holds them.
func (q *queue) putAside(event store.ID, requests []request, until time.Time) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := max(0, min(len(requests), q.max-q.waiting-q.held))
	if n == 0 {
		return 0
	}
	q.held += n
	if a := q.aside[event]; a != nil {
		a.requests = append(a.requests, requests[:n]...)
		return n
	}
	q.aside[event] = &asideQueue{slices.Clone(requests[:n]), time.AfterFunc(time.Until(until), func() { q.recall(event) })}
	return n
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
