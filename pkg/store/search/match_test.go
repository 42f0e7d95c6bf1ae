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
