package store_test

import (
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func TestEventsAreOrderedByTimeThenID(t *testing.T) {
	early, late := time.UnixMilli(1), time.UnixMilli(2)
	order := []store.EventCursor{{StartsAt: early, ID: store.ID{1}}, {StartsAt: early, ID: store.ID{2}}, {StartsAt: late, ID: store.ID{0}}, {StartsAt: late, ID: store.ID{1}}}
	for i, a := range order {
		for j, b := range order {
			if n := a.Compare(b); (n < 0) != (i < j) || (n > 0) != (i > j) {
				t.Errorf("%v to %v: %d", a, b, n)
			}
		}
	}
}
