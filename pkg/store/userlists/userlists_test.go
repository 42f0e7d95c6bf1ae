package userlists

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestPart: who asked has their own rows, in the order in which they came, and nobody has a part of a list.
func TestPart(t *testing.T) {
	users := []store.ID{store.NewID(), store.NewID(), store.NewID()}
	slices.SortFunc(users, func(a, b store.ID) int { return bytes.Compare(b[:], a[:]) })
	first, second, third := users[0], users[1], users[2]
	type row struct {
		of store.ID
		n  int
	}
	for _, c := range []struct {
		name string
		rows []row
		most int
		want map[store.ID]int // how many rows
		cut  store.ID
		read int // rows of cut
	}{
		{"nobody has a row", nil, 0, map[store.ID]int{first: 0, second: 0, third: 0}, store.ID{}, 0},
		{"there is room for all", []row{{first, 1}, {third, 2}, {third, 3}}, 3, map[store.ID]int{first: 1, second: 0, third: 2}, store.ID{}, 0},
		{"the last list is cut", []row{{first, 1}, {third, 2}, {third, 3}}, 2, map[store.ID]int{first: 1, second: 0}, third, 2},
		{"a list in the middle is cut, so the last one was not read", []row{{first, 1}, {second, 2}}, 1, map[store.ID]int{first: 1}, second, 1},
		{"the first one is cut", []row{{first, 1}}, 0, map[store.ID]int{}, first, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, cut, read := Part(users, c.rows, func(r row) store.ID { return r.of }, c.most)
			lengths := make(map[store.ID]int)
			for user, list := range got {
				lengths[user] = len(list)
				if slices.ContainsFunc(list, func(r row) bool { return r.of != user }) || !slices.IsSortedFunc(list, func(a, b row) int { return a.n - b.n }) {
					t.Errorf("user %s has %v", user.Hex(), list)
				}
			}
			if !maps.Equal(lengths, c.want) || cut != c.cut || read != c.read {
				t.Errorf("got %v and %d of %s, want %v and %d of %s", lengths, read, cut.Hex(), c.want, c.read, c.cut.Hex())
			}
		})
	}
}
