// Package eventcache remembers in which state a worker has left the events of its last batches, and what others may have
// decided about them since.
package eventcache

import (
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Cache remembers the state in which the last batch of this process left each event. A batch of registrations that all succeed
// on the cached state needs to read nothing. The cache may be wrong: the preconditions of the writes find out when another worker has
// changed an event (its fence) or when a user has a registration already (its key). So a cached state only ever leads to a yes that is
// then proved by the writes, and never to a refusal. It is safe for concurrent use.
type Cache struct {
	mu     sync.Mutex // guards events
	events map[store.ID]cachedEvent
}

// Loaded is what a batch is decided on: the state and the fence of each of its events that exists, and how many batches
// have refused somebody in it.
type Loaded struct {
	States           map[store.ID]store.EventState
	Fences, Refusals map[store.ID]int64
}

// New returns a Loaded without events, which has room for some.
func New(events int) Loaded {
	return Loaded{make(map[store.ID]store.EventState, events), make(map[store.ID]int64, events), make(map[store.ID]int64, events)}
}

// cachedEvent is the state of an event after a batch.
type cachedEvent struct {
	event           store.Event // without texts
	fence, refusals int64
	elsewhere       store.Elsewhere // of the last batch; kept until others decide again
	// exclusive says that no other worker decided about the event between this worker's last two
	// batches. For an event that several workers share, using the cache costs more than it saves.
	exclusive bool
}

// seenEvery is how often the revision of an event is noted in store.Elsewhere.Seen: an attempt that is made anew is that old
// at most, by the margin that a worker takes off and the way, before two notes.
const seenEvery = 100 * time.Millisecond

// maxCachedEvents bounds the memory of an Cache: an entry takes about 400 bytes.
const maxCachedEvents = 50_000

// Decide decides a batch on the cached state. ok is false when the batch has to be decided on a read: an event is not cached or is shared, or not all requests succeed.
func (c *Cache) Decide(batch []store.SeatRequest) (l Loaded, results []store.SeatResult, changes []store.Change, ok bool) {
	l = New(len(batch))
	c.mu.Lock()
	for _, req := range batch {
		if _, done := l.States[req.EventID]; done && req.Kind == store.Register {
			continue
		}
		cached, found := c.events[req.EventID]
		if !found || !cached.exclusive || req.Kind != store.Register {
			c.mu.Unlock()
			return Loaded{}, nil, nil, false
		}
		l.States[req.EventID] = store.EventState{Event: cached.event, Elsewhere: cached.elsewhere}
		l.Fences[req.EventID], l.Refusals[req.EventID] = cached.fence, cached.refusals
	}
	c.mu.Unlock()
	results, changes = store.Decide(l.States, batch)
	for _, res := range results {
		if res.Outcome != store.Registered && res.Outcome != store.Waitlisted {
			return Loaded{}, nil, nil, false
		}
	}
	return l, results, changes, true
}

// SetElsewhere notes in states that were read just now what other workers may have decided about their events: what this process has not done itself.
func (c *Cache) SetElsewhere(l Loaded) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, state := range l.States {
		last, found := c.events[id]
		state.Elsewhere = last.elsewhere
		// A worker of the version before the fence increments the revision only.
		if !found || last.fence != l.Fences[id] || last.event.Revision != state.Event.Revision {
			state.Elsewhere.Decided = now
		}
		if l.Refusals[id] != last.refusals { // none, for an event that is not known
			state.Elsewhere.Refused = now
		}
		l.States[id] = state
	}
}

// Put remembers the events that a batch has decided about, after it was stored. refused says in which of them it
// has refused somebody.
func (c *Cache) Put(l Loaded, changes []store.Change, refused map[store.ID]bool) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = make(map[store.ID]cachedEvent)
	}
	for id, state := range l.States {
		last, found := c.events[id]
		// A worker of the version before increments the revision, but not the fence.
		untouched := last.fence == l.Fences[id] && last.event.Revision == state.Event.Revision
		after := cachedEvent{
			event: state.Event, fence: l.Fences[id] + 1, refusals: l.Refusals[id], elsewhere: state.Elsewhere, exclusive: !found || untouched,
		}
		if refused[id] {
			after.refusals++
		}
		if seen := &after.elsewhere.Seen; now.Sub(seen[1].At) >= seenEvery {
			seen[0], seen[1] = seen[1], store.Sighting{At: now, Revision: state.Event.Revision}
		}
		c.events[id] = after
	}
	for _, change := range changes {
		after := c.events[change.After.ID]
		after.event = change.After
		after.event.Title, after.event.Description = "", ""
		if change.EndsRefusals() {
			after.elsewhere.Refused = now
		}
		c.events[change.After.ID] = after
	}
	for id := range c.events { // any may go: one that is wanted again costs a read
		if len(c.events) <= maxCachedEvents {
			break
		}
		delete(c.events, id)
	}
}

// MarkShared notes that the cached states of events were wrong, because another worker has decided
// about them.
func (c *Cache) MarkShared(states map[store.ID]store.EventState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range states {
		if last, found := c.events[id]; found {
			last.exclusive = false
			c.events[id] = last
		}
	}
}
