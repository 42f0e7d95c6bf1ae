package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/worker"
)

// service is a whole Event.io in this process, in token mode, with the embedded store.
type service struct {
	*httptest.Server
	mails  outbox.Outbox
	faults *faults
	close  []func() error // last first
}

// startService starts one, which the caller ends with stop.
func startService() (_ *service, err error) {
	s := &service{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	dir, err := os.MkdirTemp("", "eventio-client-")
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error { return os.RemoveAll(dir) })
	st, err := sqlitestore.Open(context.Background(), filepath.Join(dir, "eventio.db"))
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, st.Close)
	s.mails = st
	nats, err := testenv.NewNATS()
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error { nats.Stop(); return nil })
	link := messages.Link{Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: st.DatabaseID()}}
	if link.Conn, err = messages.Connect(nats.URL(), "test", zerolog.Nop()); err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error { link.Conn.Close(); return nil })
	w := worker.New(link.Conn, st, worker.Config{}, zerolog.Nop())
	if err := w.Start(); err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return w.Stop(ctx)
	})
	requester, err := messages.NewRequester(link)
	if err != nil {
		return nil, err
	}
	keys, err := identity.OpenAPIKeys(context.Background(), st, identity.Config{Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error { keys.Close(); return nil })
	a := api.New(st, requester, api.Config{
		Access: gate.Config{Mode: gate.Token, APIKeys: keys}, Mail: st, Webhooks: api.Webhooks{CheckURL: func(string) error { return nil }},
	}, zerolog.Nop())
	s.faults = &faults{api: a}
	s.Server = httptest.NewUnstartedServer(s.faults)
	s.Config.ErrorLog = discard
	s.Start()
	s.close = append(s.close, func() error { s.Server.Close(); a.Wait(); return nil })
	return s, nil
}

func (s *service) stop() (err error) {
	for _, end := range slices.Backward(s.close) {
		err = errors.Join(err, end())
	}
	return err
}

// newService starts one for a test, with a client of it that acts for nobody and does not
// wait long. Each request has a connection of its own, because net/http repeats by itself what
// breaks on one that was used before.
func newService(t *testing.T) (*service, *client.Client) {
	t.Helper()
	s, err := startService()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s, newClient(t, s.URL, client.Retry{Wait: time.Millisecond})
}

func newClient(t *testing.T, url string, retry client.Retry) *client.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(url, client.Config{HTTP: &http.Client{Transport: transport}, Retry: retry})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// person is somebody who has signed up, and their client.
type person struct {
	*client.Client
	client.Session
}

const password = "correct horse battery"

func signUp(t *testing.T, c *client.Client, name string) person {
	t.Helper()
	s, err := c.SignUp(t.Context(), client.NewUser{Name: name, Email: name + "@example.org", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return person{c.As(s.Token), s}
}

func opening(capacity int64) client.NewEvent {
	starts := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
	return client.NewEvent{Title: "Opening night", Capacity: capacity, StartsAt: starts, EndsAt: starts.Add(2 * time.Hour)}
}

func (p person) newEvent(t *testing.T, e client.NewEvent) client.Event {
	t.Helper()
	made, err := p.CreateEvent(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A fault is what happens to a request. The API has not got it yet; carry has it answered.
type fault func(w http.ResponseWriter, carry func() *httptest.ResponseRecorder)

// faults is an API whose requests meet faults, each the next one in plan, as long as there are.
type faults struct {
	api http.Handler

	mu   sync.Mutex // guards all below
	plan []fault
	seen []*http.Request
}

// next makes the next requests meet these faults, and forgets what it has seen.
func (f *faults) next(plan ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.seen = plan, nil
}

// requests are those since the last call of next.
func (f *faults) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r)
	meets := fault(nil)
	if len(f.plan) > 0 {
		meets, f.plan = f.plan[0], f.plan[1:]
	}
	f.mu.Unlock()
	if meets == nil {
		f.api.ServeHTTP(w, r)
		return
	}
	meets(w, func() *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		f.api.ServeHTTP(recorder, r)
		return recorder
	})
}

// lostRequest breaks the connection before anybody has seen the request.
func lostRequest(http.ResponseWriter, func() *httptest.ResponseRecorder) {
	panic(http.ErrAbortHandler)
}

// lostAnswer carries the request out and breaks the connection.
func lostAnswer(_ http.ResponseWriter, carry func() *httptest.ResponseRecorder) {
	carry()
	panic(http.ErrAbortHandler)
}

// cutAnswer carries the request out and breaks the connection in the middle of the answer.
func cutAnswer(w http.ResponseWriter, carry func() *httptest.ResponseRecorder) {
	answer := carry()
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// says answers with a problem in place of the API.
func says(status int, code client.Code) fault {
	return func(w http.ResponseWriter, _ func() *httptest.ResponseRecorder) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = w.Write(bytes.Join([][]byte{[]byte(`{"code":"`), []byte(code), []byte(`"}`)}, nil))
	}
}

// carriesOutAndSays carries the request out and answers with a problem.
func carriesOutAndSays(status int, code client.Code) fault {
	return func(w http.ResponseWriter, carry func() *httptest.ResponseRecorder) {
		carry()
		says(status, code)(w, nil)
	}
}

// proxySays answers as a proxy does.
func proxySays(status int) fault {
	return func(w http.ResponseWriter, _ func() *httptest.ResponseRecorder) {
		http.Error(w, "<html>", status)
	}
}

// discard is the log of servers whose complaints are expected.
var discard = log.New(io.Discard, "", 0)
