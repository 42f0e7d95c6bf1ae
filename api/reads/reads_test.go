package reads

import (
	"context"
	"errors"
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
