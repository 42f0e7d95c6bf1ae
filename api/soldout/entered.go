package soldout

import (
	"bytes"
	"slices"

	"github.com/eventio/eventio/pkg/store"
)

// entered has the people with a row in an event, cancelled or not, and nobody is missing whose row has a number up to
// through. Rows that are gone since may still be there. It never changes: with returns another one.
type entered struct {
	through int64
	users   []store.ID // in order, each once: 12 bytes a person, where a map would take 40
}

// has reports whether a person is among them.
func (e entered) has(user store.ID) bool {
	_, found := slices.BinarySearchFunc(e.users, user, compare)
	return found
}

// with returns e with more users, whose order does not matter and which it takes over, and nobody is missing up to
// through then.
func (e entered) with(more []store.ID, through int64) entered {
	if len(more) == 0 {
		return entered{through, e.users}
	}
	slices.SortFunc(more, compare)
	all := make([]store.ID, 0, len(e.users)+len(more))
	add := func(user store.ID) {
		if len(all) == 0 || all[len(all)-1] != user {
			all = append(all, user)
		}
	}
	old := e.users
	for _, user := range more {
		for len(old) > 0 && compare(old[0], user) < 0 {
			add(old[0])
			old = old[1:]
		}
		add(user)
	}
	for _, user := range old {
		add(user)
	}
	return entered{through, all}
}

func compare(a, b store.ID) int { return bytes.Compare(a[:], b[:]) }
