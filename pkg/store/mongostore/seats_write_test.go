package mongostore

import (
	"context"
	"errors"
	"maps"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/eventcache"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestEventsWithOneDeltaAreOneStatement checks that equally many registrations in each of many
// events cost one statement, whatever state each event is in.
func TestEventsWithOneDeltaAreOneStatement(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	var batch []store.SeatRequest
	for i := range 40 {
		event := storetest.NewEvent(t, s, 100)
		if _, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 1+i%7)); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, storetest.NewRequests(event.ID, 1+i%2)...)
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

// TestEachEventIsHeldToItsOwnRevision checks that in a statement for several events each must have
// its own revision, and not that of another one; and that an event which was changed or is sold out
// keeps all of them unchanged.
func TestEachEventIsHeldToItsOwnRevision(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	one, two := storetest.NewEvent(t, s, 5), storetest.NewEvent(t, s, 5)
	if _, err := s.Apply(t.Context(), storetest.NewRequests(two.ID, 1)); err != nil {
		t.Fatal(err)
	}
	read, err := s.load(t.Context(), append(storetest.NewRequests(one.ID, 1), storetest.NewRequests(two.ID, 1)...))
	if err != nil {
		t.Fatal(err)
	}
	one, two = read.States[one.ID].Event, read.States[two.ID].Event
	for _, c := range []struct {
		name     string
		spoil    func(one, two *store.Event, fences map[store.ID]int64)
		k        int64
		accepted bool
	}{
		{"revisions exchanged", func(a, b *store.Event, _ map[store.ID]int64) { a.Revision, b.Revision = b.Revision, a.Revision }, 1, false},
		{"one revision too old", func(a, _ *store.Event, _ map[store.ID]int64) { a.Revision-- }, 1, false},
		{"one fence too old", func(_, b *store.Event, fences map[store.ID]int64) { fences[b.ID]-- }, 1, false},
		{"one grant too few", func(a, _ *store.Event, _ map[store.ID]int64) { a.LeasesGranted-- }, 1, false},
		{"no room in one", func(_, _ *store.Event, _ map[store.ID]int64) {}, 5, false},
		{"all as decided", func(_, _ *store.Event, _ map[store.ID]int64) {}, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := one, two
			fences := maps.Clone(read.Fences)
			c.spoil(&a, &b, fences)
			var changes []store.Change
			for _, before := range []store.Event{a, b} {
				after := before
				after.TicketsSold += c.k
				changes = append(changes, store.Change{Before: before, After: after})
			}
			at := attempt{store: s, Loaded: eventcache.Loaded{Fences: fences}, changes: changes}
			_, err := at.transact(t.Context(), decided)
			if got := err == nil; got != c.accepted || err != nil && !errors.Is(err, errConflict) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// decided is for an attempt that was decided before.
func decided(context.Context) error { return nil }

// TestAnEventWithoutItsCounterSellsNothing checks that a damaged document without its counter does
// not pass for an event without registrations.
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
		read, err := s.load(t.Context(), storetest.NewRequests(event.ID, 1))
		if err != nil {
			t.Fatal(err)
		}
		before := read.States[event.ID].Event
		after := before
		after.TicketsSold++
		at := attempt{store: s, Loaded: read, changes: []store.Change{{Before: before, After: after}}}
		_, err = at.transact(t.Context(), decided)
		if !errors.Is(err, errConflict) {
			t.Errorf("after %v: %v", spoil, err)
		}
	}
}

// TestAnOverbookedEventCanBeLeftAndEdited checks that people can cancel, and the organizer can
// raise the capacity, in an event that damage has overbooked; only nobody can register.
func TestAnOverbookedEventCanBeLeftAndEdited(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	event := storetest.NewEvent(t, s, 3)
	requests := storetest.NewRequests(event.ID, 3)
	if _, err := s.Apply(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	damage := bson.D{{Key: "$set", Value: bson.D{{Key: "capacity", Value: int64(1)}}}}
	if _, err := s.events.UpdateByID(t.Context(), event.ID, damage); err != nil {
		t.Fatal(err)
	}
	title, five := "Moved", int64(5)
	for _, step := range []struct {
		req  store.SeatRequest
		want store.Outcome
	}{
		{storetest.NewRequest(event.ID), store.SoldOut},
		{cancel(event.ID, requests[0].UserID), store.Cancelled},
		{storetest.NewRequest(event.ID), store.SoldOut},
		{edit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title}), store.Edited},
		{edit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &five}), store.Edited},
		{storetest.NewRequest(event.ID), store.Registered},
	} {
		wantOutcome(t, s, step.req, step.want)
	}
}
