package api_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// slowStore takes its time for some operations, and ends them with their context.
type slowStore struct {
	store.Store
	slow     atomic.Pointer[slowness]
	tidied   atomic.Int64 // Finish and Release that were begun
	untidied atomic.Int64 // and that have not ended
}

// slowness is how long operations take before they begin, by name.
type slowness map[string]time.Duration

// hangs is longer than any test.
const hangs = time.Hour

var errSlow = errors.New("the store does not answer")

func (s *slowStore) wait(ctx context.Context, op string) error {
	slow := s.slow.Load()
	if slow == nil || (*slow)[op] == 0 {
		return nil
	}
	select {
	case <-time.After((*slow)[op]):
		return nil
	case <-ctx.Done():
		return errSlow
	}
}

// read is a read that takes its time.
func read[T any](ctx context.Context, s *slowStore, op string, do func() (T, error)) (T, error) {
	if err := s.wait(ctx, op); err != nil {
		var none T
		return none, errors.Join(store.ErrUnavailable, err)
	}
	return do()
}

func (s *slowStore) Event(ctx context.Context, id store.ID) (store.Event, error) {
	return read(ctx, s, "Event", func() (store.Event, error) { return s.Store.Event(ctx, id) })
}

func (s *slowStore) User(ctx context.Context, id store.ID) (store.User, error) {
	return read(ctx, s, "User", func() (store.User, error) { return s.Store.User(ctx, id) })
}

func (s *slowStore) Registration(ctx context.Context, event, user store.ID) (store.Registration, error) {
	return read(ctx, s, "Registration", func() (store.Registration, error) { return s.Store.Registration(ctx, event, user) })
}

func (s *slowStore) Roster(ctx context.Context, event store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	return func(yield func(store.Registration, error) bool) {
		if err := s.wait(ctx, "Roster"); err != nil {
			yield(store.Registration{}, errors.Join(store.ErrUnavailable, err))
			return
		}
		s.Store.Roster(ctx, event, after, through, limit)(yield)
	}
}

func (s *slowStore) Attendees(ctx context.Context, q store.AttendeeQuery) iter.Seq2[store.Attendee, error] {
	return func(yield func(store.Attendee, error) bool) {
		if err := s.wait(ctx, "Roster"); err != nil {
			yield(store.Attendee{}, errors.Join(store.ErrUnavailable, err))
			return
		}
		s.Store.Attendees(ctx, q)(yield)
	}
}

func (s *slowStore) CreateUser(ctx context.Context, u store.User) error {
	if err := s.wait(ctx, "Create"); err != nil {
		return err
	}
	return s.Store.CreateUser(ctx, u)
}

func (s *slowStore) CreateEvent(ctx context.Context, e store.Event) error {
	if err := s.wait(ctx, "Create"); err != nil {
		return err
	}
	if err := s.Store.CreateEvent(ctx, e); err != nil {
		return err
	}
	return s.wait(ctx, "Created")
}

func (s *slowStore) Begin(ctx context.Context, c store.Claim, lease time.Duration) (claim store.Claim, done bool, err error) {
	if err := s.wait(ctx, "Begin"); err != nil {
		return claim, false, errors.Join(store.ErrUnavailable, err)
	}
	return s.Store.Begin(ctx, c, lease)
}

func (s *slowStore) Finish(ctx context.Context, c store.Claim) error {
	return s.tidy(ctx, func() error { return s.Store.Finish(ctx, c) })
}

func (s *slowStore) Release(ctx context.Context, c store.Claim) error {
	return s.tidy(ctx, func() error { return s.Store.Release(ctx, c) })
}

func (s *slowStore) tidy(ctx context.Context, do func() error) error {
	s.tidied.Add(1)
	s.untidied.Add(1)
	defer s.untidied.Add(-1)
	if err := s.wait(ctx, "Tidy"); err != nil {
		return err
	}
	return do()
}

func (s *slowStore) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	if err := s.wait(ctx, "Apply"); err != nil {
		return nil, err
	}
	return s.Store.Apply(ctx, batch)
}

// forEachSlowStore runs a test over each store, made slow for the API and for the worker.
func forEachSlowStore(t *testing.T, noWorker bool, test func(*testing.T, *env, *slowStore)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			slow := &slowStore{}
			e := newEnv(t, kind, setup{
				config: hasty, noWorker: noWorker,
				front: func(st store.Store) api.Store { slow.Store = st; return slow },
				seats: func(st store.Seats) store.Seats { slow.Store = st.(store.Store); return slow },
			})
			test(t, e, slow)
			slow.slow.Store(nil)
			e.check(t)
		})
	}
}

// each makes requests at once and checks that their answers come in time. A request is a
// method, a path, a body and its headers.
func (e *env) each(t *testing.T, requests ...[]string) {
	t.Helper()
	var all sync.WaitGroup
	for _, r := range requests {
		all.Go(func() {
			a, err := e.send(t.Context(), r[0], r[1], r[2], r[3:]...)
			if err != nil {
				t.Errorf("%s %s: %v", r[0], r[1], err)
				return
			}
			if t.Logf("%s %s: %d after %v", r[0], r[1], a.status, a.took); !slices.Contains([]int{201, 503, 504}, a.status) {
				t.Errorf("%s %s: %d %s", r[0], r[1], a.status, a.body)
			}
			a.inTime(t)
		})
	}
	all.Wait()
}

// TestNoAnswerIsLaterThanItsLimit: whatever hangs, and wherever a request is when it does.
func TestNoAnswerIsLaterThanItsLimit(t *testing.T) {
	const most = requestTimeout * 7 / 10
	cases := map[string]slowness{
		"the_claim":              {"Begin": hangs},
		"the_write":              {"Create": hangs, "Apply": hangs},
		"the_write_and_the_read": {"Create": hangs, "Apply": hangs, "Event": hangs, "User": hangs},
		"the_tidying":            {"Create": most, "Tidy": hangs},
		"all_after_the_claim":    {"Begin": most, "Create": hangs, "Apply": hangs, "Event": hangs, "User": hangs, "Tidy": hangs},
		"all":                    {"Begin": hangs, "Create": hangs, "Apply": hangs, "Event": hangs, "User": hangs, "Tidy": hangs},
	}
	forEachSlowStore(t, false, func(t *testing.T, e *env, slow *slowStore) {
		path := e.newEvent(t, 50)
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			t.Run(name, func(t *testing.T) {
				how := cases[name]
				slow.slow.Store(&how)
				var requests [][]string
				for i, headers := range [][]string{nil, {key, newUser()}} {
					// One sign-up at a time: the second would wait for the hash of the first.
					if i == 1 {
						requests = append(requests, append([]string{"POST", users, userBody("email", quote(newUser()+"@example.org"))}, headers...))
					}
					requests = append(requests,
						append([]string{"POST", events, eventBody()}, headers...),
						append([]string{"POST", path + "/registrations", registrationBody(newUser())}, headers...),
						append([]string{"PUT", path + "/registrations/" + newUser(), ""}, headers...))
				}
				e.each(t, requests...)
			})
		}
	})
}

// TestThereIsTimeToFindOutWhatWasStored: a write that is stored and never acknowledged takes
// only so much of a request's time that what became of it can still be read.
func TestThereIsTimeToFindOutWhatWasStored(t *testing.T) {
	forEachSlowStore(t, false, func(t *testing.T, e *env, slow *slowStore) {
		slow.slow.Store(&slowness{"Created": hangs})
		a := e.post(t, events, eventBody(), key, "lost")
		a.object(t, 201, eventFields)
		a.inTime(t)
		e.post(t, events, eventBody()).problem(t, 504, "unknown_outcome") // without a key it cannot be found
	})
}

// TestReadsBeforeAChangeCountToo: what is read first does not give the rest more time.
func TestReadsBeforeAChangeCountToo(t *testing.T) {
	forEachSlowStore(t, true, func(t *testing.T, e *env, slow *slowStore) {
		// A worker that never answers.
		_, err := e.connect(t, "silent").QueueSubscribe(e.names().Seats(), messages.QueueWorkers, func(*nats.Msg) {})
		must(t, err)
		organizer := decode[struct{ Token string }](t, e.post(t, users, userBody("email", quote(newUser()+"@example.org"))).body)
		mine := []string{"Authorization", "Bearer " + organizer.Token}
		path := events + "/" + e.post(t, events, eventBody("organizer_id", "null"), mine...).object(t, 201, eventFields).id(t, "id")
		seat := path + "/registrations/" + newUser()
		how := slowness{"Event": requestTimeout * 7 / 10, "Registration": hangs, "Roster": hangs}
		slow.slow.Store(&how)
		e.each(t,
			append([]string{"PATCH", path, `{"capacity":9}`, "If-Match", "*"}, mine...),
			append([]string{"POST", path + "/cancel", ""}, mine...),
			append([]string{"DELETE", seat, ""}, mine...),
			append([]string{"GET", seat, ""}, mine...),
			append([]string{"GET", path + "/registrations", ""}, mine...),
			append([]string{"GET", path + "/registrations?limit=5", ""}, mine...),
			append([]string{"GET", path + "/attendees", ""}, mine...),
			append([]string{"GET", path + "/attendees?limit=5&sort=name", ""}, mine...))
	})
}

// TestWhatIsTidiedBehindAnAnswerIsAwaited: it ends by itself, and Wait returns then.
func TestWhatIsTidiedBehindAnAnswerIsAwaited(t *testing.T) {
	forEachSlowStore(t, false, func(t *testing.T, e *env, slow *slowStore) {
		how := slowness{"Create": requestTimeout / 2, "Tidy": requestTimeout * 7 / 10}
		slow.slow.Store(&how)
		a := e.post(t, events, eventBody(), key, "tidied late")
		a.object(t, 201, eventFields)
		a.inTime(t)
		if slow.tidied.Load() != 1 || slow.untidied.Load() != 1 {
			t.Fatalf("%d were tidied and %d go on, want 1 and 1", slow.tidied.Load(), slow.untidied.Load())
		}
		e.api.Wait()
		if n := slow.untidied.Load(); n != 0 {
			t.Fatalf("%d go on after Wait", n)
		}
		slow.slow.Store(nil)
		again := e.post(t, events, eventBody(), key, "tidied late")
		if again.status != 201 || string(again.body) != string(a.body) || !strings.Contains(again.header.Get("Idempotency-Replayed"), "true") {
			t.Errorf("repeated it is %d %s, was %s", again.status, again.body, a.body)
		}
	})
}
