package mongostore

import (
	"sync"

	"github.com/eventio/eventio/pkg/store"
)

// guesses remembers how events were left by the last batch here. A batch of registrations
// that all succeed need not read anything: it is decided on the guess, and the guards find
// out when another worker has moved the event (its fence) or when a user already has a
// registration there (its key). The guess is never the truth, and a refusal never rests on it.
type guesses struct {
	mu     sync.Mutex // guards all below
	events map[store.ID]guess
}

type guess struct {
	event store.Event
	fence int64
	// alone says that no other worker decided about the event between this worker's last two
	// batches. While several workers share an event, guessing costs more than it saves.
	alone bool
}

// maxGuesses bounds the memory: an entry is about 400 bytes.
const maxGuesses = 50_000

// decide decides the batch on guesses. ok is false when a guess is missing or when not all
// requests succeed on it.
func (g *guesses) decide(batch []store.SeatRequest) (b basis, results []store.SeatResult, changes []store.Change, ok bool) {
	b = basis{make(map[store.ID]store.EventState), make(map[store.ID]int64)}
	g.mu.Lock()
	for _, req := range batch {
		if _, known := b.states[req.EventID]; known && req.Kind == store.Register {
			continue
		}
		known, found := g.events[req.EventID]
		if !found || !known.alone || req.Kind != store.Register {
			g.mu.Unlock()
			return basis{}, nil, nil, false
		}
		b.states[req.EventID] = store.EventState{Event: known.event}
		b.fences[req.EventID] = known.fence
	}
	g.mu.Unlock()
	results, changes = store.Decide(b.states, batch)
	for _, res := range results {
		if res.Outcome != store.Registered && res.Outcome != store.Waitlisted {
			return basis{}, nil, nil, false
		}
	}
	return b, results, changes, true
}

// remember keeps how a batch that is stored left the events that it decided about.
func (g *guesses) remember(b basis, changes []store.Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.events == nil {
		g.events = make(map[store.ID]guess)
	}
	for id, state := range b.states {
		last, found := g.events[id]
		// A worker of the version before moves the revision only.
		unmoved := last.fence == b.fences[id] && last.event.Revision == state.Event.Revision
		g.events[id] = guess{event: state.Event, fence: b.fences[id] + 1, alone: !found || unmoved}
	}
	for _, c := range changes {
		after := g.events[c.After.ID]
		after.event = c.After
		g.events[c.After.ID] = after
	}
	for id := range g.events { // any will do: one that is wanted again costs a read
		if len(g.events) <= maxGuesses {
			break
		}
		delete(g.events, id)
	}
}

// forget marks what turned out wrong: the events are shared.
func (g *guesses) forget(decided map[store.ID]store.EventState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for id := range decided {
		if last, found := g.events[id]; found {
			last.alone = false
			g.events[id] = last
		}
	}
}
