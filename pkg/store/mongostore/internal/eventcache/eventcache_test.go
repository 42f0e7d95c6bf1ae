package eventcache

import (
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// leftBy returns the state of an event after a batch, with the fence with which the batch found it.
func leftBy(e store.Event, fence int64) Loaded {
	return Loaded{
		States: map[store.ID]store.EventState{e.ID: {Event: e}},
		Fences: map[store.ID]int64{e.ID: fence}, Refusals: make(map[store.ID]int64),
	}
}

func requestIn(event store.ID) []store.SeatRequest {
	return []store.SeatRequest{{Kind: store.Register, EventID: event, UserID: store.NewID(), RequestID: "a request"}}
}

func freeEvent() store.Event {
	return store.Event{ID: store.NewID(), Capacity: 10, Version: 1, Revision: 1}
}

// TestOnlyAnEventOfOneWorkerIsDecidedOnTheCache checks that the cache is not used for an event
// about which other workers decide too: its state would often be wrong, which costs a transaction
// each time.
func TestOnlyAnEventOfOneWorkerIsDecidedOnTheCache(t *testing.T) {
	moved := func(e store.Event) store.Event { e.Revision++; return e }
	for name, c := range map[string]struct {
		spoil func(g *Cache, e store.Event)
		want  bool
	}{
		"nobody else":                            {func(*Cache, store.Event) {}, true},
		"this worker again":                      {func(g *Cache, e store.Event) { g.Put(leftBy(e, 8), nil, nil) }, true},
		"another one moved the fence":            {func(g *Cache, e store.Event) { g.Put(leftBy(e, 9), nil, nil) }, false},
		"one of the version before, without one": {func(g *Cache, e store.Event) { g.Put(leftBy(moved(e), 8), nil, nil) }, false},
		"the cached state was wrong":             {func(g *Cache, e store.Event) { g.MarkShared(leftBy(e, 8).States) }, false},
		"alone again since": {func(g *Cache, e store.Event) {
			g.Put(leftBy(e, 9), nil, nil)
			g.Put(leftBy(e, 10), nil, nil)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, e := new(Cache), freeEvent()
			g.Put(leftBy(e, 7), nil, nil)
			c.spoil(g, e)
			if _, _, _, ok := g.Decide(requestIn(e.ID)); ok != c.want {
				t.Errorf("decided: %t, want %t", ok, c.want)
			}
		})
	}
}

// TestTheCacheHasWhatTheLastBatchLeft checks that a cached event has the changes of the last batch,
// and the fence that this batch has incremented.
func TestTheCacheHasWhatTheLastBatchLeft(t *testing.T) {
	g, e := new(Cache), freeEvent()
	after := e
	after.TicketsSold, after.LastNumber, after.ConfirmedThrough, after.Revision = 4, 4, 4, 2
	g.Put(leftBy(e, 7), []store.Change{{Before: e, After: after}}, nil)
	b, results, changes, ok := g.Decide(requestIn(e.ID))
	if !ok || !b.States[e.ID].Event.Equal(after) || b.Fences[e.ID] != 8 {
		t.Fatalf("decided: %t, on %+v", ok, b)
	}
	if results[0].Outcome != store.Registered || results[0].Registration.Number != 5 || len(changes) != 1 || !changes[0].Before.Equal(after) {
		t.Errorf("decided %+v, %+v", results, changes)
	}
}

// TestWhatIsNotDecidedOnTheCache checks that the cache decides only batches in which every request
// registers somebody successfully, because it knows no registrations and nobody who waits.
func TestWhatIsNotDecidedOnTheCache(t *testing.T) {
	g, e, full := new(Cache), freeEvent(), freeEvent()
	full.TicketsSold, full.LastNumber, full.ConfirmedThrough = 10, 10, 10
	b := leftBy(e, 7)
	b.States[full.ID], b.Fences[full.ID] = store.EventState{Event: full}, 7
	g.Put(b, nil, nil)
	cancel := requestIn(e.ID)
	cancel[0].Kind = store.Cancel
	for name, batch := range map[string][]store.SeatRequest{
		"an event that is not known":       append(requestIn(e.ID), requestIn(store.NewID())...),
		"an event that is full":            append(requestIn(e.ID), requestIn(full.ID)...),
		"a cancellation":                   cancel,
		"a cancellation behind a register": append(requestIn(e.ID), cancel...),
	} {
		if _, _, _, ok := g.Decide(batch); ok {
			t.Errorf("%s: decided", name)
		}
	}
	if _, _, _, ok := g.Decide(append(requestIn(e.ID), requestIn(e.ID)...)); !ok {
		t.Error("two who come in: not decided")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	g := new(Cache)
	const batch = 1000
	for n := 0; n < maxCachedEvents+5*batch; n += batch {
		b := Loaded{States: make(map[store.ID]store.EventState)}
		for range batch {
			e := freeEvent()
			b.States[e.ID] = store.EventState{Event: e}
		}
		g.Put(b, nil, nil)
	}
	if len(g.events) != maxCachedEvents {
		t.Errorf("%d events are remembered, want %d", len(g.events), maxCachedEvents)
	}
}
