package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/outbox"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// goodPassword is one that nobody refuses.
const goodPassword = "correct horse battery"

// site is one store with NATS and a worker, for any number of API instances.
type site struct {
	parts *system.System
	st    store.Store
	nats  *testenv.NATS
	log   sharedLog // of everything
	// liveStreams is serve.Config.LiveStreams of instances that are started from now on.
	liveStreams int
}

// eachStore runs a test over every store, at the same time: most tests wait most of the time.
func eachStore(t *testing.T, test func(*testing.T, *site)) {
	t.Helper()
	var all sync.WaitGroup
	for _, kind := range system.Kinds {
		all.Go(func() {
			t.Run(kind, func(t *testing.T) { test(t, newSite(t, kind)) })
		})
	}
	all.Wait()
}

func newSite(t testing.TB, kind string) *site {
	t.Helper()
	s := newSiteWithoutWorker(t, kind)
	s.parts.StartWorker(s.st)
	return s
}

func newSiteWithoutWorker(t testing.TB, kind string) *site {
	t.Helper()
	parts := system.New(t, kind, system.Config{})
	t.Cleanup(func() { // whatever a test lets be logged
		for _, private := range []string{"@example.org", "eyJ", "argon2id$", goodPassword} {
			for _, line := range parts.Log.With(private) {
				t.Errorf("the log tells %q: %s", private, line)
			}
		}
	})
	return &site{parts: parts, st: parts.Store, nats: parts.NATS, log: sharedLog{parts.Log}}
}

func (s *site) connect(t testing.TB) *nats.Conn {
	t.Helper()
	return s.parts.Connect("test")
}

// link is conn with the names of the site's database.
func (s *site) link(conn *nats.Conn) messages.Link { return s.parts.Link(conn) }

// testSecret is a key's secret, and testKeys a list of keys with it.
func testSecret(id string) []byte {
	return []byte((id + strings.Repeat("-a secret of the tests", 3))[:40])
}

func testKeys(t testing.TB, ids ...string) identity.Keys {
	t.Helper()
	var list []string
	for _, id := range ids {
		list = append(list, id+":"+base64.RawURLEncoding.EncodeToString(testSecret(id)))
	}
	keys, err := identity.ParseKeys(strings.Join(list, ","))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// instance is one API process.
type instance struct {
	*API
	guard *identity.Guard
}

// start starts an API in token mode, to which NATS listens when it returns. change may
// alter what it is told; keys may be empty.
func (s *site) start(t testing.TB, keys identity.Keys, change ...func(*gate.Config)) *instance {
	t.Helper()
	i, conn := s.open(t, keys, change...)
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	return i
}

// startAnyway is start where NATS may be down.
func (s *site) startAnyway(t testing.TB) *instance {
	t.Helper()
	i, _ := s.open(t, identity.Keys{})
	return i
}

func (s *site) open(t testing.TB, keys identity.Keys, change ...func(*gate.Config)) (*instance, *nats.Conn) {
	t.Helper()
	conn := s.connect(t)
	log := zerolog.New(s.log)
	guard, err := identity.Open(t.Context(), s.st, s.link(conn), identity.Config{Keys: keys, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.Close)
	access := gate.Config{Mode: gate.Token, Guard: guard}
	for _, c := range change {
		c(&access)
	}
	if access.APIKeys == nil {
		if access.APIKeys, err = identity.OpenAPIKeys(t.Context(), s.st.(apikeys.Store), identity.Config{Log: log}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(access.APIKeys.Close)
	}
	requester, err := messages.NewRequester(s.link(conn))
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{New(s.st, requester, serve.Config{Access: access, Mail: s.st.(outbox.Outbox), LiveStreams: s.liveStreams}, log), guard}
	t.Cleanup(i.Wait)
	return i, conn
}

func trusted(a *gate.Config)     { a.Mode = gate.Trusted }
func rateLimited(a *gate.Config) { a.RateLimits = true }

// reply is what the API says.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask makes a request; options change it before it is sent.
func (i *instance) ask(t testing.TB, method, path, body string, options ...func(*http.Request)) reply {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body == "" {
		r = httptest.NewRequest(method, path, nil)
	}
	r.Header.Set("X-Request-Id", "test") // so that equal answers are equal to the byte
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(r)
	}
	w := httptest.NewRecorder()
	if method == http.MethodGet && strings.HasSuffix(path, "/live") { // which ends only when the client leaves
		ctx, cancel := context.WithTimeout(r.Context(), time.Second/2)
		defer cancel()
		r = r.WithContext(ctx)
	}
	i.ServeHTTP(w, r)
	sent := w.Result().Header
	text := w.Body.Bytes()
	if sent.Get("Content-Encoding") == "" {
		text = WithoutLineEnd(t, method+" "+path, sent, text)
	}
	return reply{w.Code, sent, string(text)}
}

// WithoutLineEnd returns the body of an answer without its last line end, which every JSON has: what
// a terminal shows next begins a new line.
func WithoutLineEnd(t testing.TB, of string, header http.Header, body []byte) []byte {
	t.Helper()
	if len(body) == 0 || !strings.Contains(header.Get("Content-Type"), "json") {
		return body
	}
	text, ended := bytes.CutSuffix(body, []byte("\n"))
	if !ended || bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("%s: the answer does not end with one line end: %q", of, body[max(0, len(body)-20):])
	}
	return text
}

func bearer(token string) func(*http.Request) { return with("Authorization", "Bearer "+token) }

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func cookie(name, token string) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: name, Value: token}) }
}

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

// want checks status and, for a problem, code.
func (r reply) want(t testing.TB, status int, code problem.Code) reply {
	t.Helper()
	if r.status != status || code != "" && !strings.Contains(r.body, `"code":"`+string(code)+`"`) {
		t.Fatalf("answer is %d %s, want %d %s", r.status, r.body, status, code)
	}
	return r
}

func (r reply) field(t testing.TB, name string) string {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(r.body), &o); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	s, ok := o[name].(string)
	if !ok {
		t.Fatalf("no %s in %s", name, r.body)
	}
	return s
}

// cookie is the cookie with a token that an answer sets.
func (r reply) cookie(t testing.TB) *http.Cookie {
	t.Helper()
	all := slices.DeleteFunc((&http.Response{Header: r.header}).Cookies(), func(c *http.Cookie) bool {
		return !strings.HasSuffix(c.Name, "eventio_token")
	})
	if len(all) != 1 {
		t.Fatalf("%d cookies in %v", len(all), r.header)
	}
	return all[0]
}

// member is somebody who has signed up.
type member struct{ id, email, password, token string }

func (i *instance) signUp(t testing.TB, email, password string) member {
	t.Helper()
	r := i.ask(t, "POST", "/api/users", signUpBody(email, password)).want(t, 201, "")
	return member{r.field(t, "id"), email, password, r.field(t, "token")}
}

func (i *instance) newMember(t testing.TB) member {
	t.Helper()
	return i.signUp(t, store.NewID().Hex()+"@example.org", goodPassword)
}

// stranger is a token of somebody who is not stored: nothing asks the store.
func (i *instance) stranger(t testing.TB) member {
	t.Helper()
	id := store.NewID()
	token, _, err := i.guard.Sign(identity.Person{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return member{id: id.Hex(), token: token}
}

func jsonText(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func signUpBody(email, password string) string {
	return `{"name":"Ada","email":` + jsonText(email) + `,"password":` + jsonText(password) + `}`
}

func logInBody(email, password string) string {
	return `{"email":` + jsonText(email) + `,"password":` + jsonText(password) + `}`
}

func changeBody(before, after string) string {
	return `{"old_password":` + jsonText(before) + `,"new_password":` + jsonText(after) + `}`
}

// eventWith is the body of an event with more fields before the usual ones.
func eventWith(more string) string {
	return `{` + more + `"title":"Opening","capacity":5,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`
}

// organized creates an event and returns its path.
func (i *instance) organized(t testing.TB, by member) string {
	t.Helper()
	return "/api/events/" + i.ask(t, "POST", "/api/events", eventWith(""), bearer(by.token)).want(t, 201, "").field(t, "id")
}

// sharedLog is the log of all parts.
type sharedLog struct{ *system.Log }

func (l sharedLog) text() string { return l.String() }

// revive starts NATS again, so that the worker can stop in peace.
func (s *site) revive(t testing.TB) {
	t.Helper()
	if err := s.nats.Restart(); err != nil {
		t.Fatal(err)
	}
}
