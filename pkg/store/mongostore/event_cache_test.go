package mongostore

import (
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// leftBy is an event as a batch has left it, with the fence that it was found with.
func leftBy(e store.Event, fence int64) basis {
	return basis{
		states: map[store.ID]store.EventState{e.ID: {Event: e}},
		fences: map[store.ID]int64{e.ID: fence},
	}
}

func wish(event store.ID) []store.SeatRequest {
	return []store.SeatRequest{{Kind: store.Register, EventID: event, UserID: store.NewID(), RequestID: "a wish"}}
}

func freeEvent() store.Event {
	return store.Event{ID: store.NewID(), Capacity: 10, Version: 1, Revision: 1}
}

// TestOnlyAnEventOfOneWorkerIsGuessed: a guess about an event that another worker decides about
// too is wrong as often as not, and costs a transaction each time.
func TestOnlyAnEventOfOneWorkerIsGuessed(t *testing.T) {
	moved := func(e store.Event) store.Event { e.Revision++; return e }
	for name, c := range map[string]struct {
		spoil func(g *guesses, e store.Event)
		want  bool
	}{
		"nobody else":                            {func(*guesses, store.Event) {}, true},
		"this worker again":                      {func(g *guesses, e store.Event) { g.remember(leftBy(e, 8), nil) }, true},
		"another one moved the fence":            {func(g *guesses, e store.Event) { g.remember(leftBy(e, 9), nil) }, false},
		"one of the version before, without one": {func(g *guesses, e store.Event) { g.remember(leftBy(moved(e), 8), nil) }, false},
		"a guess was wrong":                      {func(g *guesses, e store.Event) { g.forget(leftBy(e, 8).states) }, false},
		"alone again since": {func(g *guesses, e store.Event) {
			g.remember(leftBy(e, 9), nil)
			g.remember(leftBy(e, 10), nil)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			g, e := new(guesses), freeEvent()
			g.remember(leftBy(e, 7), nil)
			c.spoil(g, e)
			if _, _, _, ok := g.decide(wish(e.ID)); ok != c.want {
				t.Errorf("guessed: %t, want %t", ok, c.want)
			}
		})
	}
}

// TestAGuessIsWhatTheLastBatchLeft: with the event as it was changed, and the fence that the
// batch has moved by one.
func TestAGuessIsWhatTheLastBatchLeft(t *testing.T) {
	g, e := new(guesses), freeEvent()
	after := e
	after.TicketsSold, after.LastNumber, after.ConfirmedThrough, after.Revision = 4, 4, 4, 2
	g.remember(leftBy(e, 7), []store.Change{{Before: e, After: after}})
	b, results, changes, ok := g.decide(wish(e.ID))
	if !ok || b.states[e.ID].Event != after || b.fences[e.ID] != 8 {
		t.Fatalf("guessed: %t, on %+v", ok, b)
	}
	if results[0].Outcome != store.Registered || results[0].Registration.Number != 5 || len(changes) != 1 || changes[0].Before != after {
		t.Errorf("decided %+v, %+v", results, changes)
	}
}

// TestWhatIsNotGuessed: a guess knows no registrations and nobody who waits, so it is only for
// those who come in, and only when all of them do.
func TestWhatIsNotGuessed(t *testing.T) {
	g, e, full := new(guesses), freeEvent(), freeEvent()
	full.TicketsSold, full.LastNumber, full.ConfirmedThrough = 10, 10, 10
	b := leftBy(e, 7)
	b.states[full.ID], b.fences[full.ID] = store.EventState{Event: full}, 7
	g.remember(b, nil)
	cancel := wish(e.ID)
	cancel[0].Kind = store.Cancel
	for name, batch := range map[string][]store.SeatRequest{
		"an event that is not known":       append(wish(e.ID), wish(store.NewID())...),
		"an event that is full":            append(wish(e.ID), wish(full.ID)...),
		"a cancellation":                   cancel,
		"a cancellation behind a register": append(wish(e.ID), cancel...),
	} {
		if _, _, _, ok := g.decide(batch); ok {
			t.Errorf("%s: guessed", name)
		}
	}
	if _, _, _, ok := g.decide(append(wish(e.ID), wish(e.ID)...)); !ok {
		t.Error("two who come in: not guessed")
	}
}

func TestGuessesAreBounded(t *testing.T) {
	g := new(guesses)
	const batch = 1000
	for n := 0; n < maxGuesses+5*batch; n += batch {
		b := basis{make(map[store.ID]store.EventState), make(map[store.ID]int64)}
		for range batch {
			e := freeEvent()
			b.states[e.ID] = store.EventState{Event: e}
		}
		g.remember(b, nil)
	}
	if len(g.events) != maxGuesses {
		t.Errorf("%d events are remembered, want %d", len(g.events), maxGuesses)
	}
}
