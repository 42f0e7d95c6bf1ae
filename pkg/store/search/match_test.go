package search

import (
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func TestAvailableAtATime(t *testing.T) {
	noon := time.Date(2027, 5, 1, 12, 0, 0, 0, time.UTC)
	e := store.Event{Capacity: 1, StartsAt: noon.Add(6 * time.Hour), EndsAt: noon.Add(8 * time.Hour), OpensAt: noon}
	for name, test := range map[string]struct {
		query store.EventQuery
		want  bool
	}{
		"before the hours":         {store.EventQuery{Available: true, At: noon.Add(-time.Second)}, false},
		"in the hours":             {store.EventQuery{Available: true, At: noon}, true},
		"when it is over":          {store.EventQuery{Available: true, At: noon.Add(8 * time.Hour)}, false},
		"by places alone":          {store.EventQuery{Available: true}, true},
		"a time without Available": {store.EventQuery{At: noon.Add(-time.Second)}, true},
	} {
		if got := Matches(test.query, e); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhatAQuerySelects checks each condition of a query at its bound, alone.
func TestWhatAQuerySelects(t *testing.T) {
	noon := time.Date(2027, 5, 1, 12, 0, 0, 0, time.UTC)
	e := store.Event{Title: "Harbour", OrganizerID: store.ID{1}, Capacity: 1, StartsAt: noon, EndsAt: noon.Add(time.Hour)}
	for name, c := range map[string]struct {
		query store.EventQuery
		want  bool
	}{
		"no condition":             {store.EventQuery{}, true},
		"from its begin on":        {store.EventQuery{From: noon}, true},
		"from just behind":         {store.EventQuery{From: noon.Add(1)}, false},
		"up to its begin":          {store.EventQuery{To: noon}, false},
		"up to just behind":        {store.EventQuery{To: noon.Add(1)}, true},
		"what ends later":          {store.EventQuery{EndsAfter: e.EndsAt}, false},
		"what has just not ended":  {store.EventQuery{EndsAfter: e.EndsAt.Add(-1)}, true},
		"its organizer":            {store.EventQuery{OrganizerID: store.ID{1}}, true},
		"another organizer":        {store.EventQuery{OrganizerID: store.ID{2}}, false},
		"a free seat":              {store.EventQuery{Available: true}, true},
		"its word":                 {store.EventQuery{Words: Words("harb")}, true},
		"another word":             {store.EventQuery{Words: Words("arb")}, false},
		"no word":                  {store.EventQuery{Words: Words("")}, false},
		"a word and another owner": {store.EventQuery{Words: Words("harb"), OrganizerID: store.ID{2}}, false},
	} {
		if got := Matches(c.query, e); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	full := e
	full.TicketsSold = 1
	if Matches(store.EventQuery{Available: true}, full) || !Matches(store.EventQuery{}, full) {
		t.Error("a full event is selected by its places, or not without")
	}
}
