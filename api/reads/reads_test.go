package reads

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// fake is a store in which each read takes a while, and notes what it was asked for.
type fake struct {
	events        map[store.ID]store.Event
	registrations map[store.RegistrationID]store.Registration
	lists         map[store.ID]int // how many registrations a user has

	mu    sync.Mutex
	asked []string
}

func (f *fake) note(what string) {
	f.mu.Lock()
	f.asked = append(f.asked, what)
	f.mu.Unlock()
	time.Sleep(time.Millisecond)
}

func (f *fake) Event(_ context.Context, id store.ID) (store.Event, error) {
	f.note("event")
	if e, there := f.events[id]; there {
		return e, nil
	}
	return store.Event{}, store.ErrEventNotFound
}

func (f *fake) EventsByID(_ context.Context, ids []store.ID) (map[store.ID]store.Event, error) {
	f.note("events")
	if len(ids) > len(f.events)+1 {
		return nil, errors.New("an event was asked for twice")
	}
	return f.events, nil
}

func (f *fake) Registration(_ context.Context, eventID, userID store.ID) (store.Registration, error) {
	f.note("registration")
	if r, there := f.registrations[store.RegistrationID{EventID: eventID, UserID: userID}]; there {
		return r, nil
	}
	return store.Registration{}, store.ErrRegistrationNotFound
}

func (f *fake) RegistrationsByID(_ context.Context, _ []store.RegistrationID) (map[store.RegistrationID]store.Registration, error) {
	f.note("registrations")
	return f.registrations, nil
}

func (f *fake) UserRegistrations(_ context.Context, user, _ store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	return func(yield func(store.UserRegistration, error) bool) {
		f.note("alone")
		f.list(user, limit)(yield)
	}
}

func (f *fake) list(user store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	return func(yield func(store.UserRegistration, error) bool) {
		for n := range min(f.lists[user], limit) {
			if !yield(store.UserRegistration{Registration: store.Registration{UserID: user, Number: int64(n)}}, nil) {
				return
			}
		}
	}
}

func (f *fake) UserLists(_ context.Context, users []store.ID, most int) (map[store.ID][]store.UserRegistration, error) {
	f.note("lists")
	found := make(map[store.ID][]store.UserRegistration)
	for _, user := range users {
		if f.lists[user] > most {
			continue
		}
		found[user] = nil
		for r := range f.list(user, most) {
			found[user] = append(found[user], r)
		}
	}
	return found, nil
}

// TestUserRegistrations: each gets the beginning of their own list, alone and when many ask at the same time, whatever its length.
func TestUserRegistrations(t *testing.T) {
	someone := store.NewID()
	for _, c := range []struct {
		name             string
		has, limit, want int
		before           store.ID
	}{
		{name: "no registration", limit: 5},
		{name: "a short list", has: 3, limit: 5, want: 3},
		{name: "more than are wanted", has: 9, limit: 5, want: 5},
		{name: "a long list", has: 5000, limit: 1001, want: 1001},
		{name: "a page that is not the first", has: 9, limit: 5, want: 5, before: store.NewID()},
	} {
		for _, beside := range []int{0, 50} {
			t.Run(c.name+[]string{" alone", " among many"}[min(beside, 1)], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{lists: map[store.ID]int{someone: c.has}}
					r := New(f, Config{Timeout: time.Second})
					var crowd sync.WaitGroup
					for range beside {
						other := store.NewID()
						crowd.Go(func() {
							for r, err := range r.UserRegistrations(t.Context(), other, store.ID{}, 5) {
								t.Errorf("who has none is told %+v, %v", r, err)
							}
						})
					}
					got := 0
					for r, err := range r.UserRegistrations(t.Context(), someone, c.before, c.limit) {
						if err != nil || r.Registration.UserID != someone || r.Registration.Number != int64(got) {
							t.Fatalf("number %d: %+v, %v", got, r, err)
						}
						got++
					}
					crowd.Wait()
					if got != c.want {
						t.Errorf("%d registrations, want %d", got, c.want)
					}
					if beside > 0 && len(f.asked) > beside/2 {
						t.Errorf("%d people have made %d reads", beside, len(f.asked))
					}
				})
			})
		}
	}
}

// TestEntry: each is told of their own event and registration, alone and when many ask at the same time, for several events;
// and the registration is read after the event, which says who is confirmed.
func TestEntry(t *testing.T) {
	known, other, unknown, registered, stranger := store.NewID(), store.NewID(), store.NewID(), store.NewID(), store.NewID()
	for _, c := range []struct {
		name        string
		event, user store.ID
		number      int64 // 0: not registered
		err         error
	}{
		{"who is registered", known, registered, 7, nil},
		{"who is registered for another event, too", other, registered, 9, nil},
		{"who is not registered", known, stranger, 0, nil},
		{"for an event that there is not", unknown, registered, 0, store.ErrEventNotFound},
	} {
		for _, beside := range []int{0, 50} {
			t.Run(c.name+[]string{" alone", " among many"}[min(beside, 1)], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{
						events: map[store.ID]store.Event{known: {ID: known}, other: {ID: other}},
						registrations: map[store.RegistrationID]store.Registration{
							{EventID: known, UserID: registered}: {EventID: known, UserID: registered, Number: 7},
							{EventID: other, UserID: registered}: {EventID: other, UserID: registered, Number: 9},
						},
					}
					r := New(f, Config{Timeout: time.Second})
					var crowd sync.WaitGroup
					for i := range beside {
						crowd.Go(func() { _, _ = r.Entry(t.Context(), []store.ID{known, other}[i%2], store.NewID()) })
					}
					got, err := r.Entry(t.Context(), c.event, c.user)
					crowd.Wait()
					if !errors.Is(err, c.err) {
						t.Fatalf("%v, want %v", err, c.err)
					}
					if err == nil && (got.Event.ID != c.event || got.Registered != (c.number > 0) || got.Registration.Number != c.number) {
						t.Errorf("%+v, want event %s, number %d", got, c.event.Hex(), c.number)
					}
					for i, what := range f.asked {
						if what == "registrations" && !slices.Contains(f.asked[:i], "events") || what == "registration" && !slices.Contains(f.asked[:i], "event") {
							t.Errorf("the registration was read before its event: %s", strings.Join(f.asked, ", "))
						}
					}
					if beside > 0 && !slices.Contains(f.asked, "registrations") {
						t.Errorf("nobody has shared a read: %s", strings.Join(f.asked, ", "))
					}
				})
			})
		}
	}
}
