package soldout

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestWhoHasEntered checks who is known after several pieces were read, in whatever order and however often people come in them.
func TestWhoHasEntered(t *testing.T) {
	for name, c := range map[string]struct {
		pieces [][]byte // people, by the first byte of their id
		want   []byte
	}{
		"nobody":                       {nil, nil},
		"in order":                     {[][]byte{{1, 2, 3}}, []byte{1, 2, 3}},
		"in another order":             {[][]byte{{3, 1, 2}}, []byte{1, 2, 3}},
		"one twice":                    {[][]byte{{2, 1, 2}}, []byte{1, 2}},
		"one again in the next piece":  {[][]byte{{2, 4}, {5, 4, 1, 2}}, []byte{1, 2, 4, 5}},
		"all before those of before":   {[][]byte{{5, 4}, {2, 1}}, []byte{1, 2, 4, 5}},
		"all after those of before":    {[][]byte{{2, 1}, {5, 4}}, []byte{1, 2, 4, 5}},
		"one between those of before":  {[][]byte{{1, 5}, {3}}, []byte{1, 3, 5}},
		"nobody in the next piece":     {[][]byte{{2, 1}, {}}, []byte{1, 2}},
		"nobody in the piece before":   {[][]byte{{}, {2, 1}}, []byte{1, 2}},
		"one who was there from first": {[][]byte{{1}, {1}, {1}}, []byte{1}},
	} {
		var e entered
		for i, piece := range c.pieces {
			var users []store.ID
			for _, n := range piece {
				users = append(users, store.ID{n})
			}
			before, was := e, slices.Clone(e.users)
			if e = e.with(users, int64(i+1)); !slices.Equal(before.users, was) {
				t.Errorf("%s: piece %d changes those of before", name, i)
			}
		}
		if len(e.users) != len(c.want) || e.through != int64(len(c.pieces)) {
			t.Errorf("%s: %v up to %d", name, e.users, e.through)
		}
		for n := range byte(7) {
			if e.has(store.ID{n}) != slices.Contains(c.want, n) {
				t.Errorf("%s: person %d is among %v: %v", name, n, e.users, e.has(store.ID{n}))
			}
		}
	}
}
