package contracttest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

const key = "Idempotency-Key"

// creations are the two routes that create under a key: the same request with another content.
var creations = map[string]struct{ path, body, other string }{
	"users":  {users, userBody("ada@example.org", "correct horse battery"), userBody("eve@example.org", "correct horse battery")},
	"events": {events, eventBody("Opening", "1", "2027-05-01T18:00:00Z"), eventBody("Closing", "1", "2027-05-01T18:00:00Z")},
}

// sameKeySpace returns a body that differs from body and is of the same owner of keys: those of
// sign-ups belong to the address.
func sameKeySpace(path, body, other string) string {
	if path == users {
		return strings.Replace(body, `"Ada"`, `"Eve"`, 1)
	}
	return other
}

func eachCreation(t *testing.T, o options, test func(t *testing.T, s *site, path, body, other string)) {
	forEachStore(t, o, func(t *testing.T, s *site) {
		for name, c := range creations {
			t.Run(name, func(t *testing.T) { s.t = t; test(t, s, c.path, c.body, c.other) })
		}
	})
}

func TestARepeatedCreationGetsItsFirstAnswer(t *testing.T) {
	eachCreation(t, options{}, func(t *testing.T, s *site, path, body, other string) {
		first := s.do(0, "POST", path, body, key, "k").want(t, 201)
		if first.header.Get("Idempotency-Replayed") != "" {
			t.Error("a first answer says that it is replayed")
		}
		spaced := strings.ReplaceAll(body, `,"`, ` , "`)
		for _, again := range []answer{
			s.do(0, "POST", path, body, key, "k"), s.do(1, "POST", path, body, key, "k"), s.do(1, "POST", path, spaced, key, "k"),
		} {
			again.want(t, 201)
			if withoutToken(again) != withoutToken(first) || again.header.Get("Location") != first.header.Get("Location") ||
				again.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("got %s %v, first was %s", again.body, again.header, first.body)
			}
		}
		s.do(1, "POST", path, sameKeySpace(path, body, other), key, "k").want(t, 422, "idempotency_key_reused")
		s.do(0, "POST", path, other, key, "another").want(t, 201)
	})
}

func TestErrorsAreNotRemembered(t *testing.T) {
	eachCreation(t, options{}, func(t *testing.T, s *site, path, body, other string) {
		s.do(0, "POST", path, "{}", key, "k").want(t, 400, "invalid")
		s.do(0, "POST", path, body, key, "k").want(t, 201)
		if path != users {
			return
		}
		s.do(0, "POST", path, body, key, "taken").want(t, 409, "email_taken")
		s.do(0, "POST", path, other, key, "taken").want(t, 201) // the key was free again
	})
}

func TestAUserIsReplayedOnlyToWhoKnowsThePassword(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		s.created(users, userBody("ada@example.org", "correct horse battery"), key, "k")
		s.do(1, "POST", users, userBody("ada@example.org", "wrong horse battery"), key, "k").want(t, 422, "idempotency_key_reused")
	})
}

func TestConcurrentCreationsWithOneKeyAreOne(t *testing.T) {
	// Each of the 20 hashes the password in its turn, which takes a busy machine long.
	eachCreation(t, options{timeout: time.Minute}, func(t *testing.T, s *site, path, body, _ string) {
		var mu sync.Mutex // guards locations
		locations := make(map[string]int)
		var crowd sync.WaitGroup
		for i := range 20 {
			crowd.Go(func() {
				a, err := s.send(i%2, "POST", path, body, key, "crowd")
				for err == nil && a.status == http.StatusConflict && strings.Contains(string(a.body), "request_in_progress") {
					a, err = s.send(i%2, "POST", path, body, key, "crowd")
				}
				if err != nil || a.status != http.StatusCreated {
					t.Errorf("got %d %s, %v", a.status, a.body, err)
				}
				mu.Lock()
				defer mu.Unlock()
				locations[a.header.Get("Location")]++
			})
		}
		crowd.Wait()
		if len(locations) != 1 {
			t.Fatalf("%d different things were created", len(locations))
		}
		if path == events {
			if list := decode[[]struct{}](t, s.get(events).body); len(list) != 1 {
				t.Fatalf("%d events are stored", len(list))
			}
		}
	})
}

// dying is a store whose API process dies, for all that anyone else can tell, over its
// first creation: before or after the write.
type dying struct {
	store.Store
	after  bool
	struck *atomic.Bool // shared by the processes: one of them dies
	dead   chan struct{}
	once   *sync.Once
}

var errDead = errors.New("the process is dead")

func (d dying) die(ctx context.Context, write func() error) error {
	if d.struck.Swap(true) {
		return write()
	}
	if d.after {
		if err := write(); err != nil {
			return err
		}
	}
	d.once.Do(func() { close(d.dead) })
	<-ctx.Done() // its client gives up long before
	return errDead
}

func (d dying) CreateUser(ctx context.Context, u store.User) error {
	return d.die(ctx, func() error { return d.Store.CreateUser(ctx, u) })
}

func (d dying) CreateEvent(ctx context.Context, e store.Event) error {
	return d.die(ctx, func() error { return d.Store.CreateEvent(ctx, e) })
}

// Finish notes nothing: after its death nothing is noted about the key and nothing is read any more.
func (d dying) Finish(ctx context.Context, c store.Claim) error  { return d.Store.Finish(ctx, c) }
func (d dying) Release(ctx context.Context, c store.Claim) error { return errDead }

// TestAnotherProcessTakesOverFromOneThatDied: the client asks another API process, is told
// that its request is in progress while the lease lasts, and then gets its 201, for one
// thing and not two, wherever the first process died.
func TestAnotherProcessTakesOverFromOneThatDied(t *testing.T) {
	// The lease lasts as long, and hashing a password on a busy machine eats into it.
	const timeout = 2 * time.Second
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the write %v", after), func(t *testing.T) {
			for name, c := range creations {
				var d dying
				front := func(st store.Store) api.Store {
					if d.struck == nil {
						d = dying{after: after, struck: &atomic.Bool{}, dead: make(chan struct{}), once: &sync.Once{}}
					}
					own := d
					own.Store = st
					return own
				}
				t.Run(name, func(t *testing.T) {
					forEachStore(t, options{timeout: timeout, front: func(st store.Store) api.Store { return front(st) }}, func(t *testing.T, s *site) {
						defer func() { d = dying{} }()
						gone := make(chan struct{})
						go func() {
							defer close(gone)
							ctx, cancel := context.WithCancel(t.Context())
							go func() { <-d.dead; cancel() }()
							req, err := http.NewRequestWithContext(ctx, "POST", s.apis[0].URL+c.path, strings.NewReader(c.body))
							if err != nil {
								t.Error(err)
								return
							}
							req.Header.Set(key, "k")
							if res, err := s.client.Do(req); err == nil {
								res.Body.Close()
								t.Error("a dead process answers")
							}
						}()
						<-d.dead
						s.do(1, "POST", c.path, c.body, key, "k").want(t, 409, "request_in_progress")
						s.do(1, "POST", c.path, sameKeySpace(c.path, c.body, c.other), key, "k").want(t, 422, "idempotency_key_reused")
						var first answer
						testenv.Eventually(t, awhile, "the 201", func() error {
							if first = s.do(1, "POST", c.path, c.body, key, "k"); first.status != 201 {
								return fmt.Errorf("%d %s", first.status, first.body)
							}
							return nil
						})
						<-gone
						again := s.do(1, "POST", c.path, c.body, key, "k").want(t, 201)
						if withoutToken(again) != withoutToken(first) {
							t.Errorf("got %s, then %s", first.body, again.body)
						}
						if c.path == events {
							if list := decode[[]struct{}](t, s.get(events).body); len(list) != 1 {
								t.Errorf("%d events are stored", len(list))
							}
						}
					})
				})
			}
		})
	}
}

// losing is a store whose worker dies after its first batch is stored and before anything
// is answered.
type losing struct {
	store.Seats
	struck *atomic.Bool
	stored chan struct{}
}

func (l losing) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	results, err := l.Seats.Apply(ctx, batch)
	if err == nil && !l.struck.Swap(true) {
		close(l.stored)
		<-ctx.Done() // it never answers in time
		return nil, errDead
	}
	return results, err
}

// TestASeatIsToldAgain: a client that lost its 201 gets it again under its key, from the
// other API process too, and also when the worker that took the seat died; at once, one
// key is one seat; another user's equal key is independent.
func TestASeatIsToldAgain(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("2")
		ada, bob := store.NewID().Hex(), store.NewID().Hex()
		first := s.do(0, "POST", roster, registrationBody(ada), key, "k").want(t, 201)
		again := s.do(1, "POST", roster, registrationBody(ada), key, "k").want(t, 201)
		if string(first.body) != string(again.body) || again.header.Get("Location") != roster+"/"+ada {
			t.Errorf("got %s, then %s", first.body, again.body)
		}
		s.do(1, "POST", roster, registrationBody(ada), key, "another").want(t, 400, "already_registered")
		s.do(1, "POST", roster, registrationBody(ada)).want(t, 400, "already_registered")
		var crowd sync.WaitGroup
		for i := range 20 {
			crowd.Go(func() {
				if a, err := s.send(i%2, "POST", roster, registrationBody(bob), key, "k"); err != nil || a.status != 201 {
					t.Errorf("got %d %s, %v", a.status, a.body, err)
				}
			})
		}
		crowd.Wait()
		s.do(0, "POST", roster, registrationBody(store.NewID().Hex()), key, "k").want(t, 409, "sold_out")
		if list := decode[[]string](t, s.get(roster).body); len(list) != 2 {
			t.Errorf("roster is %v", list)
		}
	})
}

func TestASeatIsToldAgainWhenItsWorkerDied(t *testing.T) {
	var l losing
	behind := func(st store.Store) store.Seats {
		l = losing{st, &atomic.Bool{}, make(chan struct{})}
		return l
	}
	forEachStore(t, options{timeout: 2 * time.Second, behind: behind}, func(t *testing.T, s *site) {
		roster, user := s.newEvent("1"), store.NewID().Hex()
		lost := make(chan answer, 1)
		go func() { a, _ := s.send(0, "POST", roster, registrationBody(user), key, "k"); lost <- a }()
		<-l.stored
		s.worker.Close()
		s.startWorker(options{})
		s.do(1, "POST", roster, registrationBody(user), key, "k").want(t, 201)
		(<-lost).want(t, 201) // the API asked again by itself
		if list := decode[[]string](t, s.get(roster).body); len(list) != 1 {
			t.Errorf("roster is %v", list)
		}
	})
}

func TestWrongKeys(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("1")
		for path, body := range map[string]string{
			users: userBody("ada@example.org", "correct horse battery"), events: eventBody("x", "1", "2027-05-01T18:00:00Z"), roster: registrationBody(store.NewID().Hex()),
		} {
			for name, headers := range map[string][]string{
				"empty": {key, ""}, "256 bytes": {key, strings.Repeat("k", 256)}, "not ASCII": {key, "schlüssel"}, "two": {key, "a", key, "b"},
				"a tab": {key, "a\tb"},
			} {
				t.Run(path+" "+name, func(t *testing.T) {
					s.do(0, "POST", path, body, headers...).want(t, 400, "invalid", key)
				})
			}
			s.do(0, "POST", path, body, key, strings.Repeat("k", 255)).want(t, 201)
		}
	})
}

// token is what differs between an answer and its repetition: it is signed anew.
var token = regexp.MustCompile(`,"token":.*`)

func withoutToken(a answer) string { return token.ReplaceAllString(string(a.body), "") }
