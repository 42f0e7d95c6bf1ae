// Package contracttest tests the HTTP contract over every store, with two API processes on
// one database. Every answer that its tests get is held against the served OpenAPI document.
package contracttest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.M{M: m}) }

const awhile = 20 * time.Second

// site is two API processes over one store, and workers.
type site struct {
	t *testing.T
	*system.System
	store    store.Store
	apis     []*httptest.Server
	handlers []*api.API // of the same
	client   *http.Client
	doc      *openapi.Document
	log      logBuffer
	worker   *nats.Conn // the first worker's
}

// options say how a site differs from the usual one.
type options struct {
	timeout  time.Duration                 // of requests
	front    func(store.Store) api.Store   // what the API sees of the store
	behind   func(store.Store) store.Seats // what the worker sees of it
	noWorker bool
}

func forEachStore(t *testing.T, o options, test func(*testing.T, *site)) {
	t.Helper()
	for _, kind := range system.Kinds {
		t.Run(kind, func(t *testing.T) { test(t, newSite(t, kind, o)) })
	}
}

func newSite(t *testing.T, kind string, o options) *site {
	t.Helper()
	parts := system.New(t, kind, system.Config{})
	s := &site{t: t, System: parts, store: parts.Store, log: logBuffer{parts.Log}}
	if !o.noWorker {
		s.worker = s.startWorker(o)
	}
	for range 2 {
		front := api.Store(s.Open())
		if o.front != nil {
			front = o.front(s.Open())
		}
		requester, err := messages.NewRequester(s.Link(s.Connect("api")))
		if err != nil {
			t.Fatal(err)
		}
		a := api.New(front, requester, api.Config{RequestTimeout: o.timeout}, zerolog.New(s.log))
		t.Cleanup(a.Wait)
		server := httptest.NewServer(a)
		t.Cleanup(server.Close)
		s.apis, s.handlers = append(s.apis, server), append(s.handlers, a)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: conforming{s, transport}, Timeout: awhile}
	s.doc = &openapi.Document{}
	res, err := (&http.Client{Transport: transport}).Get(s.apis[0].URL + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.UnmarshalRead(res.Body, s.doc); err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitWaits waits until so many clients wait for changes.
func (s *site) awaitWaits(t *testing.T, want int) {
	t.Helper()
	testenv.Eventually(t, awhile, "wait for changes", func() error {
		n := 0
		for _, a := range s.handlers {
			n += a.Waiting()
		}
		if n != want {
			return fmt.Errorf("%d clients wait, want %d", n, want)
		}
		return nil
	})
}

// startWorker starts a worker that takes requests when it returns. Closing its connection
// is its death, as far as anybody can tell.
func (s *site) startWorker(o options) *nats.Conn {
	seats := store.Seats(s.Open())
	if o.behind != nil {
		seats = o.behind(s.Open())
	}
	conn, _ := s.StartWorker(seats)
	return conn
}

// conforming holds every answer that passes against the document.
type conforming struct {
	site *site
	next http.RoundTripper
}

// RoundTrip returns the answer with its body read.
func (c conforming) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(data))
	c.site.conforms(r.Method, r.URL.EscapedPath(), answer{res.StatusCode, res.Header, data})
	return res, nil
}

// people is a client of the API process, for tests whose subject is not the bytes.
func (s *site) people(process int) *client.Client {
	s.t.Helper()
	c, err := client.New(s.apis[process].URL, client.Config{HTTP: s.client, Retry: client.Retry{Attempts: 1}})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// answer is what an API process says.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send makes a request of the API process, whose answer is held against the document.
// headers come in pairs of name and value.
func (s *site) send(process int, method, path, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.apis[process].URL+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header[pair[0]] = append(req.Header[pair[0]], pair[1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{res.StatusCode, res.Header, data}, nil
}

func (s *site) do(process int, method, path, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.send(process, method, path, body, headers...)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (s *site) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do(0, http.MethodGet, path, "", headers...)
}

// want checks the status, and the code of a problem or the fields in error when given.
func (a answer) want(t *testing.T, status int, about ...string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if len(about) == 0 {
		return a
	}
	p := a.problem(t)
	if p.Code != about[0] {
		t.Fatalf("code %s, want %s: %s", p.Code, about[0], a.body)
	}
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	slices.Sort(fields)
	if want := slices.Sorted(slices.Values(about[1:])); len(want) > 0 && !slices.Equal(fields, want) {
		t.Fatalf("fields in error are %q, want %q: %s", fields, want, a.body)
	}
	return a
}

type problem struct {
	Code   string `json:"code"`
	Errors []struct {
		Field  string `json:"field"`
		Reason string `json:"reason"`
	} `json:"errors"`
}

func (a answer) problem(t *testing.T) problem {
	t.Helper()
	return decode[problem](t, a.body)
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// next is the path in the Link of a page, "" when there is none.
func (a answer) next(t *testing.T) string {
	t.Helper()
	link := a.header.Get("Link")
	if link == "" {
		return ""
	}
	path, ok := strings.CutSuffix(link, `>; rel="next"`)
	if !ok || path[0] != '<' {
		t.Fatalf("Link is %s", link)
	}
	return path[1:]
}

// created makes something that must be created, and returns its id and path.
func (s *site) created(path, body string, headers ...string) (id, location string) {
	s.t.Helper()
	a := s.do(0, http.MethodPost, path, body, headers...).want(s.t, http.StatusCreated)
	return decode[struct {
		ID string `json:"id"`
	}](s.t, a.body).ID, a.header.Get("Location")
}

const (
	events = "/api/events"
	users  = "/api/users"
)

func eventBody(title, capacity, starts string) string {
	return `{"organizer_id":"6b056f1db8a8b20890367b25","title":` + quote(title) + `,"description":"","capacity":` + capacity +
		`,"starts_at":"` + starts + `","ends_at":"2030-01-01T00:00:00Z"}`
}

func quote(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func userBody(email, password string) string {
	return `{"name":"Ada","email":` + quote(email) + `,"password":` + quote(password) + `}`
}

func registrationBody(user string) string { return `{"user_id":"` + user + `"}` }

// newEvent creates an event and returns the path of its registrations.
func (s *site) newEvent(capacity string) (roster string) {
	s.t.Helper()
	_, location := s.created(events, eventBody("Opening", capacity, "2027-05-01T18:00:00Z"))
	return location + "/registrations"
}

// logBuffer is the log of all parts.
type logBuffer struct{ *system.Log }

// lines are the entries whose request_id it is.
func (l logBuffer) lines(t *testing.T, requestID string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for _, line := range l.With(requestID) {
		if entry := decode[map[string]any](t, []byte(line)); entry["request_id"] == requestID {
			found = append(found, entry)
		}
	}
	return found
}
