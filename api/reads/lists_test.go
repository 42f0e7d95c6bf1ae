package reads

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/userlists"
)

func (f *fake) list(user store.ID) []store.UserRegistration {
	list := make([]store.UserRegistration, f.lists[user])
	for n := range list {
		list[n].Registration = store.Registration{UserID: user, Number: int64(n)}
	}
	return list
}

func (f *fake) UserRegistrations(_ context.Context, user, _ store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	return func(yield func(store.UserRegistration, error) bool) {
		_ = f.note("alone")
		for n, r := range f.list(user) {
			if n == limit || !yield(r, nil) {
				return
			}
		}
	}
}

func (f *fake) UserLists(_ context.Context, users []store.ID, most int) (lists store.UserLists, err error) {
	if err := f.note("lists"); err != nil {
		return lists, err
	}
	users = slices.SortedFunc(slices.Values(users), func(a, b store.ID) int { return bytes.Compare(b[:], a[:]) })
	var rows []store.UserRegistration
	for _, user := range users {
		rows = append(rows, f.list(user)...)
	}
	lists.Whole, lists.Cut, lists.Read = userlists.Part(users, rows[:min(len(rows), most+1)], func(r store.UserRegistration) store.ID { return r.Registration.UserID }, most)
	return lists, nil
}

// count is how often the store was asked for something.
func (f *fake) count(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, asked := range f.asked {
		if asked == what {
			n++
		}
	}
	return n
}

// TestUserRegistrations: each gets the beginning of their own list, alone and when many ask at the same time, whatever its length. Only long
// lists and pages that are not the first are read alone, and a list that was found to be long is not read with others again.
func TestUserRegistrations(t *testing.T) {
	for _, c := range []struct {
		name             string
		has, limit, want int
		before           store.ID
		alone            bool
	}{
		{"no registration", 0, 5, 0, store.ID{}, false},
		{"a short list", 3, 5, 3, store.ID{}, false},
		{"more than are wanted", 9, 5, 5, store.ID{}, false},
		{"all of them", 9, 0, 9, store.ID{}, false},
		{"a long list", 5000, 1001, 1001, store.ID{}, true},
		{"a list that leaves no room for others", 90_000, 20, 20, store.ID{}, true},
		{"a page that is not the first", 9, 5, 5, store.NewID(), true},
	} {
		for _, beside := range []int{0, 200} {
			t.Run(c.name+[]string{" alone", " among many"}[min(beside, 1)], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					others, someone := make([]store.ID, beside), store.NewID()
					f := &fake{lists: map[store.ID]int{someone: c.has}}
					for i := range others { // some come before someone in the order of ids, others behind
						if others[i] = store.NewID(); i%2 == 1 {
							others[i][0] = 0
						}
						f.lists[others[i]] = i % 3
					}
					r := New(f, Config{Timeout: time.Second})
					ask := func(user, before store.ID, limit, want int) {
						got := 0
						for r, err := range r.UserRegistrations(t.Context(), user, before, limit) {
							if err != nil || r.Registration.UserID != user || r.Registration.Number != int64(got) {
								t.Errorf("number %d: %+v, %v", got, r, err)
								return
							}
							got++
						}
						if got != want {
							t.Errorf("%d registrations, want %d", got, want)
						}
					}
					const rounds = 3
					for range rounds {
						var crowd sync.WaitGroup
						for i, other := range others {
							crowd.Go(func() { ask(other, store.ID{}, 5, i%3) })
						}
						ask(someone, c.before, c.limit, c.want)
						crowd.Wait()
					}
					wantAlone := 0
					if c.alone {
						wantAlone = rounds
					}
					if got := f.count("alone"); got != wantAlone {
						t.Errorf("%d reads alone, want %d", got, wantAlone)
					}
					most := rounds * (beside/10 + 1)
					if c.alone && beside == 0 {
						most = 1 // finds out that the list is long
					}
					if got := f.count("lists"); got > most {
						t.Errorf("%d reads of lists, want at most %d", got, most)
					}
				})
			})
		}
	}
}

// TestALongListThatFits: a list that is long and was read with others, because they had room for it, is told, and is read alone from then on. Who
// has heard enough of a list gets no more of it.
func TestALongListThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		users, someone := make([]store.ID, 50), store.NewID()
		for i := range users {
			users[i] = store.NewID()
		}
		f := &fake{lists: map[store.ID]int{someone: 5 * longList}}
		r := New(f, Config{Timeout: time.Second})
		got, err := r.lists.readShort(t.Context(), append(users, someone))
		if err != nil || len(got[someone]) != 5*longList || len(got) != len(users)+1 {
			t.Fatalf("%d lists, one of %d, %v", len(got), len(got[someone]), err)
		}
		for range r.UserRegistrations(t.Context(), someone, store.ID{}, 0) {
			break
		}
		if f.count("lists") != 1 || f.count("alone") != 1 {
			t.Errorf("it was read otherwise: %v", f.asked)
		}
		f.lists[users[0]] = 3
		for range r.UserRegistrations(t.Context(), users[0], store.ID{}, 0) {
			break
		}
	})
}

// TestLongListsAreBounded: it is kept of a bounded number of users that their lists are long.
func TestLongListsAreBounded(t *testing.T) {
	l := newLists(&fake{}, Config{}, nil)
	for range maxLong + 10 {
		user := store.NewID()
		if l.note(user); !l.isLong(user) {
			t.Fatal("a list that was just found to be long is forgotten")
		}
	}
	if len(l.long) != maxLong {
		t.Errorf("%d users are kept, want %d", len(l.long), maxLong)
	}
}
