package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// told lists what the items of a row tell.
func told(r ChangeRecord) string {
	var all []string
	for i, item := range r.Items() {
		if item.Index != i+1 {
			return fmt.Sprintf("item %d has the index %d", i+1, item.Index)
		}
		text := fmt.Sprintf("%s %d", item.Type, item.Number)
		if item.Waited {
			text += " waited"
		}
		if item.Cause != 0 {
			text += fmt.Sprintf(" by %d", item.Cause)
		}
		if p := item.Promoted; p.Count > 0 {
			text += fmt.Sprintf(" (%d to %d: %d)", p.After, p.Through, p.Count)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func TestItems(t *testing.T) {
	a, b := NewID(), NewID()
	two := Promotion{After: 4, Through: 6, Count: 2, Users: []NumberedUser{{5, a}, {6, b}}}
	many := Promotion{After: 4, Through: 20_004, Count: 20_000}
	for _, c := range []struct {
		name string
		row  ChangeRecord
		want string
	}{
		{"nothing that anybody sees", ChangeRecord{}, "remembered 0"},
		{"an import with a roster", ChangeRecord{Start: StartImport, Roster: []NumberedUser{{1, a}, {2, b}}}, "imported 0, registered 1, registered 2"},
		{"an import of a long roster", ChangeRecord{Start: StartImport}, "imported 0"},
		{"a record that begins late", ChangeRecord{Start: StartTakeover}, "record_started 0"},
		{"people come", ChangeRecord{Actions: []Action{{Kind: Register, Number: 1, UserID: a}, {Kind: Register, Number: 2, UserID: b, Waiting: true}}}, "registered 1, waitlisted 2"},
		{"one leaves the waiting list", ChangeRecord{Actions: []Action{{Kind: Cancel, Number: 2, Waiting: true}}}, "cancelled 2 waited"},
		{"a seat is freed", ChangeRecord{Actions: []Action{{Kind: Register, Number: 7}, {Kind: Cancel, Number: 2, Promoted: two}, {Kind: Cancel, Number: 3}}},
			"registered 7, cancelled 2, promoted 5 by 2, promoted 6 by 2, cancelled 3"},
		{"room for more than are named", ChangeRecord{Actions: []Action{{Kind: EditEvent, Edited: []string{"capacity"}, Promoted: many}}},
			"edited 0, promoted 0 by 1 (4 to 20004: 20000)"},
		{"an edit", ChangeRecord{Actions: []Action{{Kind: EditEvent, Edited: []string{"title"}}}}, "edited 0"},
		{"the event is cancelled", ChangeRecord{Actions: []Action{{Kind: EditEvent, CancelsEvent: true}}}, "event_cancelled 0"},
		{"a recount", ChangeRecord{Actions: []Action{{Kind: Recount, Promoted: two}}}, "recounted 0, promoted 5 by 1, promoted 6 by 1"},
	} {
		if got := told(c.row); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestForget(t *testing.T) {
	a, b := NewID(), NewID()
	r := ChangeRecord{At: time.UnixMilli(1).UTC(), Actions: []Action{
		{Kind: Register, UserID: a, RequestID: "1", Actor: Actor{ActorPerson, a}},
		{Kind: Register, UserID: b, RequestID: "2", Actor: Actor{ActorPerson, b}},
		{Kind: Cancel, UserID: b, RequestID: "3", Actor: Actor{ActorOrganizer, a}},
	}}
	got, changed := r.Forget(a)
	ids := got.Actions[0].RequestID + got.Actions[1].RequestID + got.Actions[2].RequestID
	if !changed || ids != "erased2erased" || r.Actions[0].RequestID != "1" {
		t.Errorf("%s, %v; before it %+v", ids, changed, r)
	}
	if _, changed := got.Forget(a); changed {
		t.Error("twice is not once")
	}
}
