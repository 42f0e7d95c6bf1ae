package api_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// call is a request that needs the store.
type call struct {
	method, path, body string
	write              bool
	trace              string // what can be found in the store if the write took place
}

func calls(event string) []call {
	mark := newUser()
	return []call{
		{"GET", events, "", false, ""},
		{"GET", event, "", false, ""},
		{"GET", event + "/registrations", "", false, ""},
		{"GET", event + "/registrations?limit=1", "", false, ""},
		{"POST", login, loginBody("ada@example.org", password), false, ""},
		{"GET", "/readyz", "", true, ""},
		{"POST", users, userBody("email", quote(mark+"@example.org")), true, mark + "@example.org"},
		{"POST", events, eventBody("title", quote(mark)), true, mark},
		{"POST", event + "/registrations", registrationBody(mark), true, mark},
	}
}

// createEvent is only the call that does.
func createEvent(event string) []call {
	return slices.DeleteFunc(calls(event), func(c call) bool { return c.path != events || !c.write })
}

// took tells whether a write took place, once the store is back.
func (c call) took(t testing.TB, e *env, event string) bool {
	t.Helper()
	switch {
	case c.path == users:
		_, err := e.store.UserByEmail(t.Context(), c.trace)
		if !errors.Is(err, store.ErrUserNotFound) {
			must(t, err)
		}
		return err == nil
	case c.path == events:
		return strings.Contains(string(e.get(t, events).body), c.trace)
	}
	return c.trace != "" && slices.Contains(e.roster(t, event), c.trace)
}

// storeDown makes the calls at once and checks that those that cannot work are refused. It
// returns the writes that surely did not take place.
func (e *env) storeDown(t *testing.T, cs []call, readsToo bool) (surely []call) {
	t.Helper()
	answers := make([]answer, len(cs))
	var all sync.WaitGroup
	for i, c := range cs {
		all.Go(func() {
			var err error
			if answers[i], err = e.send(t.Context(), c.method, c.path, c.body); err != nil {
				t.Errorf("%s %s: %v", c.method, c.path, err)
			}
		})
	}
	all.Wait()
	for i, a := range answers {
		t.Logf("%s %s: %d after %v", cs[i].method, cs[i].path, a.status, a.took)
		switch {
		case cs[i].write:
			a.refused(t)
			if a.status == 503 {
				surely = append(surely, cs[i])
			}
		case readsToo:
			a.problem(t, 503, "overloaded") // a read changes nothing
			a.inTime(t)
		default:
			a.wantType(t, 200, jsonType)
		}
	}
	return surely
}

// wantNone checks, once the store is back, that what was told to have surely not taken
// place has not.
func (e *env) wantNone(t testing.TB, surely []call, event string) {
	t.Helper()
	for _, c := range surely {
		if c.took(t, e, event) {
			t.Errorf("%s %s was answered 503, and is stored", c.method, c.path)
		}
	}
}

func TestSQLiteLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "sqlite", setup{config: hasty})
	path := e.newEvent(t, 50)
	e.signUp(t, "ada@example.org")
	other, err := sql.Open("sqlite", e.path)
	must(t, err)
	defer other.Close()
	conn, err := other.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	// Log-in reads, but waits for the hash of the sign-up, and that takes its time.
	surely := e.storeDown(t, slices.DeleteFunc(calls(path), func(c call) bool { return c.path == login }), false)
	e.logIn(t, "ada@example.org")
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	must(t, err)
	e.recovers(t, path)
	e.wantNone(t, surely, path)
	e.check(t)
}

func TestSQLiteClosed(t *testing.T) {
	e := newEnv(t, "sqlite", setup{config: hasty})
	path := e.newEvent(t, 50)
	must(t, e.store.Close())
	e.storeDown(t, calls(path), true)
	e.get(t, "/livez").object(t, 200, []string{"status"})
}

func TestMongoDown(t *testing.T) {
	t.Parallel()
	var server *testenv.Mongo
	e := newEnv(t, "mongo", setup{config: hasty, mongo: func(t testing.TB) string {
		server = testenv.StartMongo(t)
		return server.URI()
	}})
	path := e.newEvent(t, 50)
	e.signUp(t, "ada@example.org")
	for name, fault := range map[string]struct{ begin, end func() error }{
		"killed": {server.Kill, server.Restart},
		"frozen": {
			func() error {
				if err := server.Signal(syscall.SIGSTOP); err != nil {
					return err
				}
				// A thread may still answer for a moment.
				testenv.Eventually(t, awhile, "silence", func() error {
					ctx, cancel := context.WithTimeout(t.Context(), grace)
					defer cancel()
					if e.store.Ping(ctx) == nil {
						return errors.New("it answers")
					}
					return nil
				})
				return nil
			},
			func() error { return server.Signal(syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, fault.begin())
			surely := e.storeDown(t, createEvent(path), true) // alone it has a connection and is sent
			surely = append(surely, e.storeDown(t, calls(path), true)...)
			e.get(t, "/livez").object(t, 200, []string{"status"})
			must(t, fault.end())
			e.recovers(t, path)
			e.wantNone(t, surely, path)
			e.check(t)
		})
	}
}

// gate holds back the batches of one user until it is opened.
type gate struct {
	store.Seats
	user    store.ID
	arrived chan struct{}
	open    chan struct{}
}

func (g *gate) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	if slices.ContainsFunc(batch, func(r store.SeatRequest) bool { return r.UserID == g.user }) {
		g.arrived <- struct{}{}
		select {
		case <-g.open:
		case <-ctx.Done():
		}
	}
	return g.Seats.Apply(ctx, batch)
}

func TestClientThatLeavesKeepsItsSeat(t *testing.T) {
	var g *gate // of the store whose turn it is
	s := setup{config: api.Config{RequestTimeout: awhile}, seats: func(seats store.Seats) store.Seats {
		g = &gate{Seats: seats, user: store.NewID(), arrived: make(chan struct{}, 10), open: make(chan struct{})}
		return g
	}}
	forEachStoreWith(t, s, func(t *testing.T, e *env) {
		path, other := e.newEvent(t, 1), e.newEvent(t, 1)
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := e.send(ctx, "POST", path+"/registrations", registrationBody(g.user.Hex()), key, "again")
			left <- err
		}()
		<-g.arrived
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Fatalf("the client ends with %v", err)
		}
		// Nobody waits for it.
		e.register(t, other, newUser()).object(t, 201, registrationFields)
		e.get(t, path).object(t, 200, eventFields)
		close(g.open)
		testenv.Eventually(t, awhile, "the seat", func() error {
			if got := e.roster(t, path); !slices.Equal(got, []string{g.user.Hex()}) {
				return fmt.Errorf("the roster is %v", got)
			}
			return nil
		})
		e.register(t, path, g.user.Hex(), key, "again").object(t, 201, registrationFields)
		e.register(t, path, newUser()).problem(t, 409, "sold_out")
		// The request of the client that left was answered too: with that of the other user and
		// the repeated one there are three.
		testenv.Eventually(t, awhile, "the log line", func() error {
			if n := e.log.count(`"method":"POST","route":"/api/events/{id}/registrations","status":201`); n != 3 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
	})
}
