package reads

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	fails         string           // what cannot be read, with err
	err           error

	mu    sync.Mutex
	asked []string
}

func (f *fake) note(what string) error {
	f.mu.Lock()
	f.asked = append(f.asked, what)
	f.mu.Unlock()
	time.Sleep(time.Millisecond)
	if what == f.fails {
		return f.err
	}
	return nil
}

func (f *fake) Event(_ context.Context, id store.ID) (store.Event, error) {
	if err := f.note("event"); err != nil {
		return store.Event{}, err
	}
	if e, there := f.events[id]; there {
		return e, nil
	}
	return store.Event{}, store.ErrEventNotFound
}

func (f *fake) EventsByID(_ context.Context, ids []store.ID) (map[store.ID]store.Event, error) {
	if err := f.note("events"); err != nil {
		return nil, err
	}
	if len(ids) > len(f.events)+1 {
		return nil, errors.New("an event was asked for twice")
	}
	return f.events, nil
}

func (f *fake) Registration(_ context.Context, eventID, userID store.ID) (store.Registration, error) {
	if err := f.note("registration"); err != nil {
		return store.Registration{}, err
	}
	if r, there := f.registrations[store.RegistrationID{EventID: eventID, UserID: userID}]; there {
		return r, nil
	}
	return store.Registration{}, store.ErrRegistrationNotFound
}

func (f *fake) RegistrationsByID(_ context.Context, _ []store.RegistrationID) (map[store.RegistrationID]store.Registration, error) {
	if err := f.note("registrations"); err != nil {
		return nil, err
	}
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

// manyAsk has many ask at the same time, twice: the first do not share their reads, and who asks after them shares one with the others.
func manyAsk(crowd *sync.WaitGroup, other func(i int)) {
	for range 2 {
		for i := range 50 {
			crowd.Go(func() { other(i) })
		}
		synctest.Wait()
	}
}

// TestWhatCannotBeRead checks who is told of an error of the store, alone and among many: all when it is away, and otherwise who asked
// for what cannot be read.
func TestWhatCannotBeRead(t *testing.T) {
	broken, away, none := errors.New("broken"), store.ErrUnavailable, store.ErrEventNotFound
	for name, c := range map[string]struct {
		fails        string
		err          error
		event, entry [2]error // alone, and among many
	}{
		"nothing":                               {},
		"an event":                              {"event", broken, [2]error{broken, nil}, [2]error{broken, nil}},
		"an event, of a store that is away":     {"event", away, [2]error{away, nil}, [2]error{away, nil}},
		"an event that there is not":            {"", nil, [2]error{none, none}, [2]error{none, none}},
		"events":                                {"events", broken, [2]error{}, [2]error{}},
		"events, of a store that is away":       {"events", away, [2]error{nil, away}, [2]error{nil, away}},
		"a registration":                        {"registration", broken, [2]error{}, [2]error{broken, nil}},
		"registrations":                         {"registrations", broken, [2]error{}, [2]error{}},
		"registrations of a store that is away": {"registrations", away, [2]error{}, [2]error{nil, away}},
	} {
		for i, ask := range map[int]string{0: " alone", 1: " among many"} {
			t.Run(name+ask, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := &fake{fails: c.fails, err: c.err, events: make(map[store.ID]store.Event)}
					var ids []store.ID
					for range 50 {
						e := store.Event{ID: store.NewID(), Capacity: 7}
						f.events[e.ID] = e
						ids = append(ids, e.ID)
					}
					event := ids[0]
					if c.event[0] == none {
						delete(f.events, event)
					}
					r := New(f, Config{Timeout: time.Second})
					var crowd sync.WaitGroup
					defer crowd.Wait()
					if i == 1 {
						manyAsk(&crowd, func(i int) { _, _ = r.Event(t.Context(), ids[i]) })
					}
					if e, err := r.Event(t.Context(), event); !errors.Is(err, c.event[i]) || (e.ID == event && e.Capacity == 7) != (err == nil) {
						t.Errorf("the event %+v, %v", e, err)
					}
					crowd.Wait()
					if i == 1 {
						manyAsk(&crowd, func(i int) { _, _ = r.Event(t.Context(), ids[i]) })
					}
					answer, err := r.EventAnswer(t.Context(), event, func(e store.Event) (Answer, error) { return Answer{Tag: e.ID.Hex()}, nil })
					if !errors.Is(err, c.event[i]) || (answer.Tag == event.Hex()) != (err == nil) {
						t.Errorf("the answer %+v, %v", answer, err)
					}
					crowd.Wait()
					if i == 1 {
						manyAsk(&crowd, func(i int) { _, _ = r.Entry(t.Context(), ids[i], store.NewID()) })
					}
					if e, err := r.Entry(t.Context(), event, store.NewID()); !errors.Is(err, c.entry[i]) || (err == nil) != (e != nil) {
						t.Errorf("the entry %+v, %v", e, err)
					}
				})
			})
		}
	}
}

// TestAnAnswerIsMadeOnce checks what those who share a read are told when their answer is made, cannot be made, and when making it panics.
func TestAnAnswerIsMadeOnce(t *testing.T) {
	wrong := errors.New("wrong")
	for name, c := range map[string]struct {
		encode func() (Answer, error)
		err    error // of all, but for the one for whom it panicked
		panics int
	}{
		"made":           {func() (Answer, error) { return Answer{Tag: "a"}, nil }, nil, 0},
		"cannot be made": {func() (Answer, error) { return Answer{}, wrong }, wrong, 0},
		"panics":         {func() (Answer, error) { panic("a") }, errEncoding, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				id := store.NewID()
				r := New(&fake{events: map[store.ID]store.Event{id: {ID: id}}}, Config{Timeout: time.Second})
				const callers = 10
				var made, panics, told atomic.Int64
				var crowd sync.WaitGroup
				crowd.Go(func() { _, _ = r.Event(t.Context(), id) })
				synctest.Wait() // whoever asks now shares the next read
				for range callers {
					crowd.Go(func() {
						defer func() {
							if recover() != nil {
								panics.Add(1)
							}
						}()
						answer, err := r.EventAnswer(t.Context(), id, func(store.Event) (Answer, error) { made.Add(1); return c.encode() })
						if errors.Is(err, c.err) && (answer.Tag == "a") == (err == nil) {
							told.Add(1)
						}
					})
				}
				crowd.Wait()
				if made.Load() != 1 || panics.Load() != int64(c.panics) || told.Load() != int64(callers-c.panics) {
					t.Errorf("made %d times, %d panics, and %d were told what they should be", made.Load(), panics.Load(), told.Load())
				}
			})
		})
	}
}

// TestWhoseTimeIsOver checks which errors become ErrUnavailable: those of a caller whose context has ended, unless they say so.
func TestWhoseTimeIsOver(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	other := errors.New("other")
	said := fmt.Errorf("%w: %w", store.ErrUnavailable, context.Canceled)
	for name, c := range map[string]struct {
		ctx       context.Context
		err, want error
	}{
		"no error":                      {t.Context(), nil, nil},
		"no error, although it is over": {over, nil, nil},
		"another error":                 {t.Context(), other, other},
		"another one, after the end":    {over, other, other},
		"an end that is not the own":    {t.Context(), context.Canceled, context.Canceled},
		"it is said":                    {over, said, said},
	} {
		if got := ended(c.ctx, c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	r := New(&fake{}, Config{Timeout: time.Second})
	_, event := r.Event(over, store.NewID())
	_, answer := r.EventAnswer(over, store.NewID(), nil)
	_, entry := r.Entry(over, store.NewID(), store.NewID())
	for _, err := range []error{event, answer, entry} {
		if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("a caller whose time is over is told %v", err)
		}
	}
}
