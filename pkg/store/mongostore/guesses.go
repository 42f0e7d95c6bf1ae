package mongostore

import (
	"sync"

	"github.com/eventio/eventio/pkg/store"
)

// guesses remembers how events were left by the last batch here. A batch of registrations
// that all succeed need not read anything: it is decided on the guess, and the guards find
// out when another worker has moved the event (its revision) or when a user already has a
// registration there (its key). The guess is never the truth, and a refusal never rests on it.
type guesses struct {
	mu     sync.Mutex // guards all below
	events map[store.ID]guess
}

type guess struct {
	event store.Event
	// alone says that no other worker changed the event between this worker's last two
	// batches. While several workers share an event, guessing costs more than it saves.
	alone bool
}

// maxGuesses bounds the memory: an entry is about 400 bytes.
const maxGuesses = 50_000

// decide decides the batch on guesses. ok is false when a guess is missing or when not all
// requests succeed on it.
func (g *guesses) decide(batch []store.SeatRequest) (results []store.SeatResult, changes []store.Change, ok bool) {
	states := make(map[store.ID]store.EventState)
	g.mu.Lock()
	for _, req := range batch {
		if _, known := states[req.EventID]; known && req.Kind == store.Register {
			continue
		}
		known, found := g.events[req.EventID]
		if !found || !known.alone || req.Kind != store.Register {
			g.mu.Unlock()
			return nil, nil, false
		}
		states[req.EventID] = store.EventState{Event: known.event}
	}
	g.mu.Unlock()
	results, changes = store.Decide(states, batch)
	for _, res := range results {
		if res.Outcome != store.Registered && res.Outcome != store.Waitlisted {
			return nil, nil, false
		}
	}
	return results, changes, true
}

// remember keeps how a committed batch left its events. loaded has those that it read.
func (g *guesses) remember(loaded map[store.ID]store.EventState, changes []store.Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.events == nil {
		g.events = make(map[store.ID]guess)
	}
	for id, state := range loaded {
		last, found := g.events[id]
		g.events[id] = guess{event: state.Event, alone: !found || last.event.Revision == state.Event.Revision}
	}
	for _, c := range changes {
		last, found := g.events[c.After.ID]
		g.events[c.After.ID] = guess{event: c.After, alone: !found || last.alone}
	}
	for id := range g.events { // any will do: one that is wanted again costs a read
		if len(g.events) <= maxGuesses {
			break
		}
		delete(g.events, id)
	}
}

// forget drops what turned out wrong: the event is shared.
func (g *guesses) forget(changes []store.Change) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range changes {
		if last, found := g.events[c.After.ID]; found {
			last.alone = false
			g.events[c.After.ID] = last
		}
	}
}
