package changes

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// told lists what the items of a row tell.
func told(r store.ChangeRecord) string {
	var all []string
	for i, item := range Items(r) {
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
	a, b := store.NewID(), store.NewID()
	two := store.Promotion{After: 4, Through: 6, Count: 2, Users: []store.NumberedUser{{Number: 5, UserID: a}, {Number: 6, UserID: b}}}
	many := store.Promotion{After: 4, Through: 20_004, Count: 20_000}
	for _, c := range []struct {
		name string
		row  store.ChangeRecord
		want string
	}{
		{"nothing that anybody sees", store.ChangeRecord{}, "remembered 0"},
		{"an import with a roster", store.ChangeRecord{Start: store.StartImport, Roster: []store.NumberedUser{{Number: 1, UserID: a}, {Number: 2, UserID: b}}}, "imported 0, registered 1, registered 2"},
		{"an import of a long roster", store.ChangeRecord{Start: store.StartImport}, "imported 0"},
		{"a record that begins late", store.ChangeRecord{Start: store.StartTakeover}, "record_started 0"},
		{"people come", store.ChangeRecord{Actions: []store.Action{{Kind: store.Register, Number: 1, UserID: a}, {Kind: store.Register, Number: 2, UserID: b, Waiting: true}}}, "registered 1, waitlisted 2"},
		{"one leaves the waiting list", store.ChangeRecord{Actions: []store.Action{{Kind: store.Cancel, Number: 2, Waiting: true}}}, "cancelled 2 waited"},
		{"a seat is freed", store.ChangeRecord{Actions: []store.Action{{Kind: store.Register, Number: 7}, {Kind: store.Cancel, Number: 2, Promoted: two}, {Kind: store.Cancel, Number: 3}}},
			"registered 7, cancelled 2, promoted 5 by 2, promoted 6 by 2, cancelled 3"},
		{"room for more than are named", store.ChangeRecord{Actions: []store.Action{{Kind: store.EditEvent, Edited: []string{"capacity"}, Promoted: many}}},
			"edited 0, promoted 0 by 1 (4 to 20004: 20000)"},
		{"an edit", store.ChangeRecord{Actions: []store.Action{{Kind: store.EditEvent, Edited: []string{"title"}}}}, "edited 0"},
		{"the event is cancelled", store.ChangeRecord{Actions: []store.Action{{Kind: store.EditEvent, CancelsEvent: true}}}, "event_cancelled 0"},
		{"a recount", store.ChangeRecord{Actions: []store.Action{{Kind: store.Recount, Promoted: two}}}, "recounted 0, promoted 5 by 1, promoted 6 by 1"},
	} {
		if got := told(c.row); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestForget(t *testing.T) {
	a, b := store.NewID(), store.NewID()
	r := store.ChangeRecord{At: time.UnixMilli(1).UTC(), Actions: []store.Action{
		{Kind: store.Register, UserID: a, RequestID: "1", Actor: store.Actor{Kind: store.ActorPerson, ID: a}},
		{Kind: store.Register, UserID: b, RequestID: "2", Actor: store.Actor{Kind: store.ActorPerson, ID: b}},
		{Kind: store.Cancel, UserID: b, RequestID: "3", Actor: store.Actor{Kind: store.ActorOrganizer, ID: a}},
		{Kind: store.Cancel, UserID: a, RequestID: "4", Actor: store.Actor{Kind: store.ActorOrganizer, ID: b}},
	}}
	got, changed := Forget(r, a)
	var ids []string
	for _, action := range got.Actions {
		ids = append(ids, action.RequestID)
	}
	if !changed || !slices.Equal(ids, []string{"erased", "2", "erased", "erased"}) || r.Actions[0].RequestID != "1" {
		t.Errorf("%s, %v; before it %+v", ids, changed, r)
	}
	if _, changed := Forget(got, a); changed {
		t.Error("twice is not once")
	}
}
