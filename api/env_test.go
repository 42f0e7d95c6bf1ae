package api_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
	"go.uber.org/goleak"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.M{M: m}) }

// awhile bounds what must come by itself, but not by when.
const awhile = 20 * time.Second

// password is in every password of the tests, so that one that gets out is noticed.
const password = "Canary-7Vq"

// setup says how an env differs from the usual one.
type setup struct {
	config   api.Config
	noWorker bool
	waits    bool                          // the test does little but wait, so its stores share the time
	front    func(store.Store) api.Store   // what the API sees of the store
	seats    func(store.Seats) store.Seats // what the worker sees of it
	mongo    func(testing.TB) (uri string) // a server of its own
	nats     func(*server.Options)         // changes the options of the NATS server
}

// env is a whole Event.io over one fresh store: NATS, a worker, the API.
type env struct {
	t      testing.TB
	parts  *system.System
	kind   string // sqlite or mongo
	path   string // of the database file, or the connection string
	store  store.Store
	seats  store.Seats // the worker's
	nats   *testenv.NATS
	api    *api.API
	server *httptest.Server
	client *http.Client
	log    logBuffer
	probe  *probe // nil where no time matters
}

var kinds = system.Kinds

// forEachStore runs a test over every store.
func forEachStore(t *testing.T, test func(*testing.T, *env)) {
	t.Helper()
	forEachStoreWith(t, setup{}, test)
}

// forEachStoreWith is forEachStore with a setup. When the test is done the store must keep
// its promises for every event.
func forEachStoreWith(t *testing.T, s setup, test func(*testing.T, *env)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			if s.waits {
				t.Parallel()
			}
			e := newEnv(t, kind, s)
			test(t, e)
			e.check(t)
		})
	}
}

func newEnv(t testing.TB, kind string, s setup) *env {
	t.Helper()
	e := &env{t: t}
	t.Cleanup(func() { // what was logged in the whole life of the parts below
		if e.parts == nil {
			return
		}
		if t.Failed() {
			t.Logf("faults in the log:\n%s", e.log.faults())
		}
		for _, private := range []string{password, "argon2", "@example.org", "eyJ"} {
			if line := e.log.find(private); line != "" {
				t.Errorf("the log tells %q: %s", private, line)
			}
		}
	})
	e.parts = system.New(t, kind, system.Config{Mongo: s.mongo, NATS: s.nats})
	e.kind, e.path, e.store, e.nats, e.log = kind, e.parts.Path, e.parts.Store, e.parts.NATS, logBuffer{e.parts.Log}
	e.seats = e.store
	if s.seats != nil {
		e.seats = s.seats(e.store)
	}
	if !s.noWorker {
		e.startWorker(t)
	}
	front := api.Store(e.store)
	if s.front != nil {
		front = s.front(e.store)
	}
	log := zerolog.New(e.log)
	requester, err := messages.NewRequester(e.parts.Link(e.connect(t, "api")))
	must(t, err)
	s.config.Access.APIKeys, err = identity.OpenAPIKeys(t.Context(), e.store.(apikeys.Store), identity.Config{Log: log})
	must(t, err)
	t.Cleanup(s.config.Access.APIKeys.Close)
	if s.config.Mail == nil {
		s.config.Mail = e.store.(outbox.Outbox)
	}
	handler := api.New(front, requester, s.config, log)
	e.api = handler
	t.Cleanup(handler.Wait)
	e.server = httptest.NewUnstartedServer(handler)
	e.server.Config.ErrorLog = stdlog.New(log, "", 0)
	e.server.Start()
	t.Cleanup(e.server.Close)
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	e.client = &http.Client{Transport: transport, Timeout: awhile}
	if s.config.RequestTimeout > 0 {
		e.probe = startProbe(t, e.server.URL)
	}
	return e
}

// connect opens a connection to NATS. A failure of the server is not one of the test.
func (e *env) connect(t testing.TB, name string) *nats.Conn {
	t.Helper()
	return e.parts.Connect(name)
}

// names are those under which the env's parts meet.
func (e *env) names() messages.Namespace { return e.parts.Link(nil).Namespace }

// startWorker starts a worker that takes requests when it returns.
func (e *env) startWorker(t testing.TB) (stop func()) {
	t.Helper()
	_, stop = e.parts.StartWorker(e.seats)
	return stop
}

// check proves the store's promises for all events.
func (e *env) check(t testing.TB) {
	t.Helper()
	for event, err := range search.All(t.Context(), e.store, store.EventQuery{}) {
		must(t, err)
		storetest.Check(t, e.store, event.ID)
	}
}

// counts tells how many users, events and registrations are stored, past the product.
func (e *env) counts(t testing.TB) (n [3]int64) {
	t.Helper()
	tables := []string{"users", "events", "registrations"}
	if e.kind == "sqlite" {
		db, err := sql.Open("sqlite", e.path)
		must(t, err)
		defer db.Close()
		for i, table := range tables {
			must(t, db.QueryRow("SELECT count(*) FROM "+table).Scan(&n[i]))
		}
		return n
	}
	cs, err := connstring.ParseAndValidate(e.path)
	must(t, err)
	client, err := mongo.Connect(options.Client().ApplyURI(e.path))
	must(t, err)
	defer client.Disconnect(context.Background())
	for i, table := range tables {
		n[i], err = client.Database(cs.Database).Collection(table).CountDocuments(t.Context(), bson.D{})
		must(t, err)
	}
	return n
}

// answer is what the API says.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
	silent time.Duration // the longest time without a byte of the body
	slow   time.Duration // how late the machine was meanwhile
}

// tokens matches tokens.
var tokens = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// internals never reach a client.
var internals = []string{"goroutine", ".go:", "panic", "sqlite", "mongo", "bson", "nats:", "sql:", "select ", "eventio/",
	"/tmp", "argon2", "context deadline", strings.ToLower(password)}

// silence measures how long a reader gives nothing.
type silence struct {
	io.Reader
	last    time.Time
	longest time.Duration
}

func (s *silence) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.longest = max(s.longest, time.Since(s.last))
	s.last = time.Now()
	return n, err
}

// chunked, in place of the name of a header, sends the body without its length.
const chunked = "\x00chunked"

// send makes a request. headers come in pairs of name and value.
func (e *env) send(ctx context.Context, method, path, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, e.server.URL+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for pair := range slices.Chunk(headers, 2) {
		if pair[0] == chunked {
			req.Body, req.ContentLength = io.NopCloser(req.Body), -1
			continue
		}
		req.Header[pair[0]] = append(req.Header[pair[0]], pair[1])
	}
	started := time.Now()
	res, err := e.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	reader := &silence{Reader: res.Body, last: time.Now()}
	data, err := io.ReadAll(reader)
	if err == nil && res.Header.Get("Content-Encoding") == "" {
		data = api.WithoutLineEnd(e.t, method+" "+path, res.Header, data)
	}
	a := answer{res.StatusCode, res.Header, data, time.Since(started), reader.longest, e.probe.worst(started)}
	lower := strings.ToLower(tokens.ReplaceAllString(string(data), "")) // a token spells any word sooner or later
	for _, word := range internals {
		if strings.Contains(lower, word) {
			e.t.Errorf("%s %s tells internals, %q: %s", method, path, word, data)
		}
	}
	return a, err
}

func (e *env) do(t testing.TB, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := e.send(t.Context(), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

func (e *env) get(t testing.TB, path string) answer { t.Helper(); return e.do(t, "GET", path, "") }

func (e *env) post(t testing.TB, path, body string, headers ...string) answer {
	t.Helper()
	return e.do(t, "POST", path, body, headers...)
}

// newEvent creates an event over HTTP and returns its path.
func (e *env) newEvent(t testing.TB, capacity int, changes ...string) (path string) {
	t.Helper()
	changes = append([]string{"capacity", strconv.Itoa(capacity)}, changes...)
	return "/api/events/" + e.post(t, "/api/events", eventBody(changes...)).object(t, 201, eventFields).id(t, "id")
}

func newUser() string { return store.NewID().Hex() }

func registrationBody(user string) string { return fmt.Sprintf(`{"user_id":%q}`, user) }

// register asks for a seat of the event at path.
func (e *env) register(t testing.TB, path, user string, headers ...string) answer {
	t.Helper()
	return e.post(t, path+"/registrations", registrationBody(user), headers...)
}

// roster reads the whole roster of the event at path.
func (e *env) roster(t testing.TB, path string) []string {
	t.Helper()
	a := e.get(t, path+"/registrations")
	a.wantType(t, 200, "application/json")
	return decode[[]string](t, a.body)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logBuffer is the log of all parts.
type logBuffer struct{ *system.Log }

// find returns a line that contains s, or nothing.
func (b logBuffer) find(s string) string {
	if lines := b.With(s); len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// count tells how many lines contain s.
func (b logBuffer) count(s string) int { return len(b.With(s)) }

// faults returns the lines of what went wrong, the last 4 KB of them.
func (b logBuffer) faults() string {
	lines := strings.Join(b.With(`"level":"error"`), "")
	return lines[max(0, len(lines)-4096):]
}
