package store

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRepair checks that after a recount the counters are what the registrations say, everybody who
// had a seat has it, and nobody waits while a seat is free.
func TestRepair(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		people := rapid.Int64Range(0, 8).Draw(rt, "people")
		capacity := rapid.Int64Range(1, 8).Draw(rt, "capacity")
		some := func(name string) int64 { return rapid.Int64Range(-3, 12).Draw(rt, name) }
		e := Event{
			ID: NewID(), Capacity: capacity, Version: 1, Revision: 1, TicketsSold: some("tickets_sold"),
			Waiting: some("waiting"), LastNumber: some("last_number"), ConfirmedThrough: some("confirmed_through"),
		}
		counts := Counts{LastNumber: people}
		var line []NumberedUser
		for n := int64(1); n <= people; n++ {
			if e.Confirmed(Registration{Number: n}) {
				counts.Confirmed++
			} else {
				counts.Waiting++
				line = append(line, NumberedUser{Number: n})
			}
		}
		batch := []SeatRequest{{Kind: Recount, EventID: e.ID, RequestID: "x"}}
		results, changes := Decide(map[ID]EventState{e.ID: {Event: e, Waiting: line, Counts: &counts}}, batch)
		if counts.Confirmed > capacity {
			if results[0].Outcome != Overbooked || len(changes) != 0 {
				rt.Fatalf("%+v, %+v", results, changes)
			}
			return
		}
		after := e
		if len(changes) == 1 {
			after = changes[0].After
		}
		holding := int64(0)
		for n := int64(1); n <= people; n++ {
			held, holds := e.Confirmed(Registration{Number: n}), after.Confirmed(Registration{Number: n})
			if held && !holds {
				rt.Fatalf("number %d lost its place", n)
			}
			if holds {
				holding++
			}
		}
		want := min(capacity, people)
		if results[0].Outcome != Recounted || holding != want || after.TicketsSold != want || after.Waiting != people-want ||
			after.LastNumber < people || after.ConfirmedThrough > after.LastNumber || after.Capacity != capacity {
			rt.Fatalf("%d of %d hold a place; the event was %+v and is %+v", holding, people, e, after)
		}
	})
}
