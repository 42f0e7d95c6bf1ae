package identity

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
)

// slowPeople is a store that takes a millisecond for some people, however many they are, and fails once.
type slowPeople struct {
	calls  int
	failed []store.ID
	noted  map[store.ID]int
}

func (p *slowPeople) NotePeople(_ context.Context, people []store.User) error {
	time.Sleep(time.Millisecond)
	p.calls++
	for _, u := range people {
		if p.calls == 2 {
			p.failed = append(p.failed, u.ID)
			continue
		}
		p.noted[u.ID]++
	}
	if p.calls == 2 {
		return store.ErrUnavailable
	}
	return nil
}

// TestPeopleAreNotedTogether: who waits is noted at once with the others, once; and who was not, because the store failed, when
// they come again.
func TestPeopleAreNotedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people := &slowPeople{noted: make(map[store.ID]int)}
		n := NewNoter(people, zerolog.Nop())
		defer n.Close()
		var all []store.ID
		for range 1000 {
			all = append(all, store.NewID())
		}
		for range 2 {
			for _, id := range all {
				n.Note(id, Profile{Name: "Ada"})
			}
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		for _, id := range all {
			if people.noted[id] != 1 {
				t.Fatalf("somebody is noted %d times", people.noted[id])
			}
		}
		if most := 2 + len(all)/notedAtOnce + 2; people.calls > most || len(people.failed) == 0 {
			t.Errorf("%d calls, %d people in the one that failed, want at most %d calls", people.calls, len(people.failed), most)
		}
	})
}
