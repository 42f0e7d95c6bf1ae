package worker

import (
	"slices"
	"testing"
	"time"
)

// TestSplitLate: every request is either in time or late, in the order of arrival.
func TestSplitLate(t *testing.T) {
	batch := func(left ...time.Duration) (all []request) {
		for i, d := range left {
			all = append(all, request{item: i, deadline: time.Now().Add(d)})
		}
		return all
	}
	items := func(all []request) (items []int) {
		for _, r := range all {
			items = append(items, r.item)
		}
		return items
	}
	for name, c := range map[string]struct {
		batch      []request
		rest, late []int
	}{
		"nobody":     {nil, nil, nil},
		"all":        {batch(time.Hour, time.Minute), []int{0, 1}, nil},
		"none":       {batch(minApplyTime/2, -time.Hour), nil, []int{0, 1}},
		"some":       {batch(time.Hour, minApplyTime/2, time.Minute, 0), []int{0, 2}, []int{1, 3}},
		"the first":  {batch(0, time.Hour), []int{1}, []int{0}},
		"long ahead": {batch(3 * minApplyTime), []int{0}, nil},
	} {
		rest, late := splitLate(c.batch)
		if !slices.Equal(items(rest), c.rest) || !slices.Equal(items(late), c.late) {
			t.Errorf("%s: in time %v, late %v", name, items(rest), items(late))
		}
	}
}
