package api_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	requestTimeout = time.Second
	grace          = 250 * time.Millisecond
)

// hasty is the setup of tests in which answers come only when the time is up.
var hasty = api.Config{RequestTimeout: requestTimeout}

// refused checks the answer of a service that has lost a part: in time, and it says whether
// something may have happened.
func (a answer) refused(t testing.TB) {
	t.Helper()
	switch a.status {
	case 503:
		a.problem(t, 503, "overloaded")
	case 504:
		a.problem(t, 504, "unknown_outcome")
	default:
		t.Errorf("status %d, want 503 or 504: %s", a.status, a.body)
	}
	a.inTime(t)
}

// inTime bounds the time of an answer. What a request that needs nothing waits on a busy
// machine is not the product's.
func (a answer) inTime(t testing.TB) {
	t.Helper()
	a.within(t, a.took)
}

func (a answer) within(t testing.TB, took time.Duration) {
	t.Helper()
	if limit := requestTimeout + grace + a.slow; took > limit {
		t.Errorf("a %d took %v, want at most %v, of which %v are the machine's", a.status, took, limit, a.slow)
	}
}

// recovers waits until registrations work again, which nobody helps with.
func (e *env) recovers(t testing.TB, path string) {
	t.Helper()
	testenv.Eventually(t, awhile, "recovery", func() error {
		for _, p := range []string{"/readyz", path, "/api/events", path + "/registrations"} {
			if a := e.get(t, p); a.status != 200 {
				return fmt.Errorf("%s: %d %s", p, a.status, a.body)
			}
		}
		if a := e.register(t, path, newUser()); a.status != 201 {
			return fmt.Errorf("register: %d %s", a.status, a.body)
		}
		return nil
	})
	email := newUser() + "@example.org"
	e.signUp(t, email)
	e.logIn(t, email)
	e.post(t, events, eventBody()).object(t, 201, eventFields)
	e.register(t, path, newUser()).object(t, 201, registrationFields)
}

// signUp signs up, and logIn logs in. Hashing takes long under the race detector; on a busy
// machine the time of a hasty env may not suffice for it, and then a refusal is right.

func (e *env) signUp(t testing.TB, email string) {
	t.Helper()
	e.repeat(t, users, userBody("email", quote(email)), 201, 409) // 409: stored by one that ended with 504
}

func (e *env) logIn(t testing.TB, email string) {
	t.Helper()
	e.repeat(t, login, loginBody(email, password), 200)
}

func (e *env) repeat(t testing.TB, path, body string, want ...int) {
	t.Helper()
	testenv.Eventually(t, awhile, "POST "+path, func() error {
		a := e.post(t, path, body)
		if slices.Contains(want, a.status) {
			return nil
		}
		a.refused(t)
		return fmt.Errorf("%d %s", a.status, a.body)
	})
}

func TestNATSStopped(t *testing.T) {
	forEachStoreWith(t, setup{config: hasty, waits: true}, func(t *testing.T, e *env) {
		path := e.newEvent(t, 50)
		unsure, refused := newUser(), newUser()
		e.nats.Stop()
		e.register(t, path, unsure).refused(t) // perhaps before the API has noticed
		testenv.Eventually(t, awhile, "unready", func() error {
			if a := e.get(t, "/readyz"); a.status != 503 {
				return fmt.Errorf("status %d", a.status)
			}
			return nil
		})
		e.get(t, "/readyz").problem(t, 503, "overloaded")
		a := e.register(t, path, refused)
		a.problem(t, 503, "overloaded")
		a.inTime(t)
		e.register(t, events+"/"+newUser(), newUser()).refused(t)
		t.Run("what_needs_no_queue_goes_on", func(t *testing.T) {
			e.get(t, "/livez").object(t, 200, []string{"status"})
			e.get(t, path).object(t, 200, eventFields)
			e.post(t, events, eventBody()).object(t, 201, eventFields)
			if got := e.roster(t, path); len(got) != 0 {
				t.Errorf("the roster is %v", got)
			}
		})
		must(t, e.nats.Restart())
		e.recovers(t, path)
		if slices.Contains(e.roster(t, path), refused) {
			t.Error("who was told that nothing happened holds a seat")
		}
		e.register(t, path, refused).object(t, 201, registrationFields)
	})
}

// impostor takes requests as a worker does, and answers with what reply makes, or not at all.
func (e *env) impostor(t testing.TB, reply func(messages.SeatRequest) []byte) (leave func()) {
	t.Helper()
	conn := e.connect(t, "impostor")
	sub, err := conn.QueueSubscribe(e.names().Seats(), messages.QueueWorkers, func(msg *nats.Msg) {
		all, err := messages.DecodeRequests(msg.Data)
		if err != nil || len(all) != 1 {
			t.Errorf("the API sends %q: %v", msg.Data, err)
			return
		}
		if data := reply(all[0]); data != nil {
			_ = msg.Respond(data)
		}
	})
	must(t, err)
	must(t, conn.FlushTimeout(awhile))
	return func() {
		_ = sub.Unsubscribe()
		if conn.IsConnected() { // else it will not subscribe again
			_ = conn.FlushTimeout(awhile)
		}
	}
}

func TestNATSStopsWhileARequestIsUnderWay(t *testing.T) {
	forEachStoreWith(t, setup{config: hasty, waits: true, noWorker: true}, func(t *testing.T, e *env) {
		path, user := e.newEvent(t, 5), newUser()
		stopped := make(chan struct{})
		stop := sync.OnceFunc(func() { e.nats.Stop(); close(stopped) })
		leave := e.impostor(t, func(messages.SeatRequest) []byte { go stop(); return nil })
		a := e.register(t, path, user, key, "again")
		a.problem(t, 504, "unknown_outcome")
		a.inTime(t)
		leave()
		<-stopped
		must(t, e.nats.Restart())
		e.startWorker(t)
		e.recovers(t, path)
		e.register(t, path, user, key, "again").object(t, 201, registrationFields)
	})
}

func TestNoWorker(t *testing.T) {
	forEachStoreWith(t, setup{config: hasty, waits: true, noWorker: true}, func(t *testing.T, e *env) {
		path, user := e.newEvent(t, 5), newUser()
		a := e.register(t, path, user)
		a.problem(t, 503, "overloaded")
		a.inTime(t)
		e.get(t, path).object(t, 200, eventFields)
		stop := e.startWorker(t)
		e.recovers(t, path)
		if slices.Contains(e.roster(t, path), user) {
			t.Error("who was told that nothing happened holds a seat")
		}
		stop()
		e.register(t, path, user).problem(t, 503, "overloaded")
	})
}

func TestWorkerSilent(t *testing.T) {
	forEachStoreWith(t, setup{config: hasty, waits: true, noWorker: true}, func(t *testing.T, e *env) {
		path, user := e.newEvent(t, 5), newUser()
		heard := make(chan messages.SeatRequest, 100)
		leave := e.impostor(t, func(req messages.SeatRequest) []byte { heard <- req; return nil })
		a := e.register(t, path, user, key, "again")
		a.problem(t, 504, "unknown_outcome")
		a.inTime(t)
		next := func() (req messages.SeatRequest) {
			select {
			case req = <-heard:
			case <-time.After(awhile):
				t.Fatal("the API has sent the request too rarely")
			}
			return req
		}
		first, second := next(), next()
		if len(heard) > 0 || first.RequestID != "again" || second.RequestID != "again" || first.UserID.Hex() != user {
			t.Errorf("sent %+v, then %+v, then %d more", first, second, len(heard))
		}
		leave()
		e.startWorker(t)
		e.register(t, path, user, key, "again").object(t, 201, registrationFields)
		e.register(t, path, user, key, "again").object(t, 201, registrationFields)
		e.register(t, path, user).problem(t, 400, "already_registered")
	})
}

func TestAnswerLost(t *testing.T) {
	forEachStoreWith(t, setup{config: hasty, waits: true, noWorker: true}, func(t *testing.T, e *env) {
		path, user := e.newEvent(t, 1), newUser()
		leave := e.impostor(t, func(req messages.SeatRequest) []byte {
			_, err := e.store.Apply(context.Background(), []store.SeatRequest{
				{Kind: store.Register, EventID: req.EventID, UserID: req.UserID, RequestID: req.RequestID, At: time.Now()},
			})
			if err != nil {
				t.Error(err)
			}
			return nil
		})
		e.register(t, path, user, key, "again").problem(t, 504, "unknown_outcome")
		if got := e.roster(t, path); !slices.Equal(got, []string{user}) {
			t.Fatalf("the roster is %v", got)
		}
		leave()
		e.startWorker(t)
		e.register(t, path, user, key, "again").object(t, 201, registrationFields)
		e.register(t, path, newUser(), key, "again").problem(t, 409, "sold_out")
	})
}

func TestWorkersAnswers(t *testing.T) {
	forEachStoreWith(t, setup{config: hasty, waits: true, noWorker: true}, func(t *testing.T, e *env) {
		path := e.newEvent(t, 5)
		for name, want := range map[string]struct {
			replies []string // the last one again and again; "" is silence
			status  int
			code    string
		}{
			"already_registered": {[]string{`{"outcome":"already_registered"}`}, 400, "already_registered"},
			"sold_out":           {[]string{`{"outcome":"sold_out"}`}, 409, "sold_out"},
			"event_not_found":    {[]string{`{"outcome":"event_not_found"}`}, 404, "event_not_found"},
			"overloaded":         {[]string{`{"outcome":"overloaded"}`}, 503, "overloaded"},
			"unknown_outcome":    {[]string{`{"outcome":"unknown_outcome"}`}, 504, "unknown_outcome"},
			"invalid":            {[]string{`{"outcome":"invalid"}`}, 500, "internal"},
			"garbage":            {[]string{"garbage"}, 504, "unknown_outcome"},
			"unheard_of_outcome": {[]string{`{"outcome":"maybe"}`}, 504, "unknown_outcome"},
			// The silence may have been a seat: only a verdict can take that doubt away.
			"silence_then_overloaded": {[]string{"", `{"outcome":"overloaded"}`}, 504, "unknown_outcome"},
			"silence_then_sold_out":   {[]string{"", `{"outcome":"sold_out"}`}, 409, "sold_out"},
		} {
			t.Run(name, func(t *testing.T) {
				replies := want.replies
				leave := e.impostor(t, func(messages.SeatRequest) []byte {
					reply := replies[0]
					replies = replies[min(1, len(replies)-1):]
					if reply == "" {
						return nil
					}
					return []byte(reply)
				})
				defer leave()
				a := e.register(t, path, newUser())
				a.problem(t, want.status, want.code)
				a.inTime(t)
			})
		}
	})
}
