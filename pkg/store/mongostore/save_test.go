package mongostore

import (
	"context"
	"errors"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestEventsThatMoveAlikeAreOneStatement: as many registrations in each of many events cost
// one statement, whatever state each event is in.
func TestEventsThatMoveAlikeAreOneStatement(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	var batch []store.SeatRequest
	for i := range 40 {
		event := storetest.NewEvent(t, s, 100)
		if _, err := s.Apply(t.Context(), storetest.Wishes(event.ID, 1+i%7)); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, storetest.Wishes(event.ID, 1+i%2)...)
	}
	before := opcounters(t, s)["update"]
	results, err := s.Apply(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != store.Registered {
			t.Fatal(r)
		}
	}
	if n := opcounters(t, s)["update"] - before; n != 2 { // for those with one and for those with two
		t.Errorf("%d update statements, want 2", n)
	}
}

// TestEachEventIsHeldToItsOwnRevision: in a statement for several events it is not enough
// that an event is in a state that some other of them was decided upon, and one that has
// moved or is full keeps all of them as they are.
func TestEachEventIsHeldToItsOwnRevision(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	one, two := storetest.NewEvent(t, s, 5), storetest.NewEvent(t, s, 5)
	if _, err := s.Apply(t.Context(), storetest.Wishes(two.ID, 1)); err != nil {
		t.Fatal(err)
	}
	states, err := s.load(t.Context(), append(storetest.Wishes(one.ID, 1), storetest.Wishes(two.ID, 1)...))
	if err != nil {
		t.Fatal(err)
	}
	one, two = states[one.ID].Event, states[two.ID].Event
	for _, c := range []struct {
		name     string
		spoil    func(one, two *store.Event)
		k        int64
		accepted bool
	}{
		{"revisions exchanged", func(a, b *store.Event) { a.Revision, b.Revision = b.Revision, a.Revision }, 1, false},
		{"one revision too old", func(a, _ *store.Event) { a.Revision-- }, 1, false},
		{"no room in one", func(*store.Event, *store.Event) {}, 5, false},
		{"all as decided", func(*store.Event, *store.Event) {}, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := one, two
			c.spoil(&a, &b)
			var changes []store.Change
			for _, before := range []store.Event{a, b} {
				after := before
				after.TicketsSold += c.k
				changes = append(changes, store.Change{Before: before, After: after})
			}
			at := attempt{store: s}
			_, err := at.run(t.Context(), func(context.Context) ([]store.Change, error) { return changes, nil })
			if got := err == nil; got != c.accepted || err != nil && !errors.Is(err, errMoved) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestAnEventWithoutItsCounterSellsNothing: a document that somebody has spoiled is not
// taken for one in which nothing is sold.
func TestAnEventWithoutItsCounterSellsNothing(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	for _, spoil := range []bson.D{
		{{Key: "$unset", Value: bson.D{{Key: "tickets_sold", Value: ""}}}},
		{{Key: "$set", Value: bson.D{{Key: "tickets_sold", Value: nil}}}},
	} {
		event := storetest.NewEvent(t, s, 5)
		if _, err := s.events.UpdateByID(t.Context(), event.ID, spoil); err != nil {
			t.Fatal(err)
		}
		states, err := s.load(t.Context(), storetest.Wishes(event.ID, 1))
		if err != nil {
			t.Fatal(err)
		}
		before := states[event.ID].Event
		after := before
		after.TicketsSold++
		at := attempt{store: s}
		_, err = at.run(t.Context(), func(context.Context) ([]store.Change, error) {
			return []store.Change{{Before: before, After: after}}, nil
		})
		if !errors.Is(err, errMoved) {
			t.Errorf("after %v: %v", spoil, err)
		}
	}
}
