//go:build gateways

package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestDeployedGateways runs the files of deploy/gateway, each before two API processes, with workers, NATS and MongoDB behind
// them.
func TestDeployedGateways(t *testing.T) {
	c := newCluster(t).with("EVENTIO_TRUSTED_PROXIES=127.0.0.1,"+outerAddress, "EVENTIO_HOSTS="+publicName, "EVENTIO_RATE_LIMITS=off")
	c.start(t, "worker")
	c.start(t, "worker")
	for _, name := range slices.Sorted(maps.Keys(exampleGateways)) {
		t.Run(name, func(t *testing.T) {
			t.Run("nobody says themself who they are", func(t *testing.T) { forgers(t, name, c) })
			p := startPair(t, c.with(exampleGateways[name].env...))
			f := startExample(t, name, p.addrs)
			testenv.Eventually(t, limit, "a way through "+name, func() error { return f.passes(t) })
			t.Run("keep-alive survives chunked requests", func(t *testing.T) { chunks(t, f, p) })
			t.Run("the client's address is right", func(t *testing.T) { addresses(t, f, p) })
			t.Run("live streams come at once", func(t *testing.T) { streams(t, f, p) })
			t.Run("an API process is restarted and nobody notices", func(t *testing.T) { rolling(t, f, p) })
			t.Run("an API process dies and nobody is repeated", func(t *testing.T) { dying(t, f, p) })
			t.Run("an API process freezes and nobody is repeated", func(t *testing.T) {
				freezing(t, startExample(t, name, p.addrs, impatient...), p)
			})
		})
	}
}

// TestDefaultRetries measures how often a bare POST comes twice through a gateway that is told nothing about retries, while the
// API processes behind it are killed: its person is told 400 already_registered then.
func TestDefaultRetries(t *testing.T) {
	c := newCluster(t).with("EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_HOSTS="+publicName, "EVENTIO_RATE_LIMITS=off")
	c.start(t, "worker")
	for _, name := range slices.Sorted(maps.Keys(exampleGateways)) {
		t.Run(name, func(t *testing.T) {
			p := startPair(t, c)
			f := startExample(t, name, p.addrs, exampleGateways[name].retries...)
			testenv.Eventually(t, limit, "a way through "+name, func() error { return f.passes(t) })
			people := &crowd{event: createEvent(t, newClient(t, p.addrs[0]), 1_000_000), told: make(map[string]int), bare: true}
			people.during(t, f, func() {
				for i := range 4 {
					succeeds(t, p.apis[i%2].Signal(syscall.SIGKILL))
					people.await(t, 100)
					p.back(t, i%2)
					people.await(t, 100)
				}
			})
			people.check(t, p)
			told := make(map[int]int)
			for _, status := range people.told {
				told[status]++
			}
			t.Logf("%s: %d bare POSTs, of which %d came twice; all answers: %v", name, len(people.told), told[http.StatusBadRequest], told)
		})
	}
}

// outerAddress is from where an outer gateway connects to an inner one: Envoy writes 127.0.0.1 down as the machine's own address.
const outerAddress = "127.0.0.9"

// passes asks for an API process that is ready.
func (f *front) passes(t *testing.T) error {
	res, err := f.transport(t, "127.0.0.1").RoundTrip(request(t, "GET", f.url+"/readyz", "", to(publicName)))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// from sends a request as a client at that address.
func (f *front) from(t *testing.T, address string, r *http.Request) answer {
	t.Helper()
	res, err := f.transport(t, address).RoundTrip(r)
	succeeds(t, err)
	return read(t, res)
}

// chunks sends requests in chunks, small ones and such as are refused before they are read, and wants that each gets its own
// answer and that those of usual size share a connection.
func chunks(t *testing.T, f *front, p *pair) {
	tr := f.transport(t, "127.0.0.1")
	send := func(size int, reused *bool) answer {
		t.Helper()
		user := store.NewID().Hex()
		body := `{"user_id":"` + user + `"` + strings.Repeat(" ", size) + `}`
		r := request(t, "POST", f.url+"/api/events/"+user+"/registrations", "", to(publicName), with("Content-Type", "application/json"))
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			GotConn: func(got httptrace.GotConnInfo) { *reused = got.Reused },
		}))
		res, err := tr.RoundTrip(r)
		succeeds(t, err)
		return read(t, res)
	}
	var reused bool
	for n := range 40 {
		if a := send(n*97, &reused); a.status != http.StatusNotFound || !strings.Contains(a.body, "event_not_found") {
			t.Fatalf("request %d: %d %s", n, a.status, a.body)
		}
		if n > 0 && !reused {
			t.Errorf("request %d comes on a connection of its own", n)
		}
	}
	if a := send(1<<20-200, &reused); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that is too large: %d %s", a.status, a.body)
	}
	for range 5 {
		if a := send(0, &reused); a.status != http.StatusNotFound {
			t.Errorf("after one that is too large: %d %s", a.status, a.body)
		}
	}
}

// forgers sends the headers in which gateways say who is calling through one that says nothing.
func forgers(t *testing.T, name string, c *cluster) {
	p := startPair(t, c.with(append(exampleGateways[name].env, "EVENTIO_AUTH=token", "EVENTIO_IDENTITY_HEADER=Eventio-User",
		"EVENTIO_IDENTITY_EMAIL_HEADER=Eventio-Email", "EVENTIO_IDENTITY_NAME_HEADER=Eventio-Name")...))
	f := startExample(t, name, p.addrs)
	testenv.Eventually(t, limit, "a way through "+name, func() error { return f.passes(t) })
	for _, said := range []string{"Eventio-User", "eventio-user", "EVENTIO-USER"} {
		r := request(t, "GET", f.url+"/api/session", "", to(publicName))
		r.Header[said] = []string{"somebody"}
		if a := f.from(t, "127.0.0.2", r); a.status != http.StatusUnauthorized {
			t.Errorf("who says themself who they are, in %s: %d %s", said, a.status, a.body)
		}
	}
	// The same header counts where the gateway itself has set it.
	if a := said(t, request(t, "GET", "http://"+p.addrs[0]+"/api/session", "", with("Eventio-User", "somebody"))); a.status == http.StatusUnauthorized {
		t.Errorf("whom a proxy names: %d %s", a.status, a.body)
	}
}

// addresses looks into the logs for the address of a client, behind one gateway and behind two, whatever the client says.
func addresses(t *testing.T, f *front, p *pair) {
	forged := []func(*http.Request){
		to(publicName), with("X-Forwarded-For", "198.51.100.1"), with("Forwarded", "for=198.51.100.2;proto=http;host=evil.example"),
		with("X-Real-Ip", "198.51.100.3"), with("X-Forwarded-Prefix", "/evil"), with("X-Forwarded-Port", "81"),
		with("Eventio-User", "somebody"), with("Eventio-Email", "somebody@example.org"), with("Eventio-Name", "Somebody"),
	}
	logged := func(what, id, address string) {
		t.Helper()
		testenv.Eventually(t, limit, what, func() error {
			for _, api := range p.apis {
				for line := range strings.Lines(string(api.Output())) {
					if !strings.Contains(line, id) || !strings.Contains(line, `"message":"request"`) {
						continue
					}
					if !strings.Contains(line, `"client_address":"`+address+`"`) {
						t.Fatalf("%s: the log has %s", what, line)
					}
					return nil
				}
			}
			return fmt.Errorf("no log has a request with the id %s", id)
		})
	}
	for _, client := range []string{"127.0.0.2", "127.0.0.3"} {
		id := store.NewID().Hex()
		a := f.from(t, client, request(t, "GET", f.url+"/api/events", "", append(forged, with("X-Request-Id", id))...))
		if a.status != http.StatusOK || a.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("a list by https: %d %v", a.status, a.header)
		}
		logged("behind one", id, client)
	}
	outer, _ := startGateway(t, "nginx", strings.ReplaceAll(strings.ReplaceAll(gateways["nginx"].told, "http://BACKEND", f.url),
		"proxy_buffering off;", "proxy_buffering off; proxy_bind "+outerAddress+"; proxy_ssl_server_name on; proxy_ssl_name "+publicName+";"), nil)
	for _, client := range []string{"127.0.0.2", "127.0.0.3"} {
		id := store.NewID().Hex()
		// Of what a client says only X-Forwarded-For gets past the outer one.
		a := saidFrom(t, client, request(t, "GET", outer+"/api/events", "", to(publicName), with("X-Forwarded-For", "198.51.100.1"), with("X-Request-Id", id)))
		if a.status != http.StatusOK {
			t.Errorf("a list behind two: %d %s", a.status, a.body)
		}
		logged("behind two", id, client)
	}
}

// streams wants to be told at once of what happens.
func streams(t *testing.T, f *front, p *pair) {
	direct := newClient(t, p.addrs[0])
	e := createEvent(t, direct, 1)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r := request(t, "GET", f.url+"/api/events/"+e.ID.Hex()+"/live", "", to(publicName), with("Accept-Encoding", "gzip")).WithContext(ctx)
	res, err := f.transport(t, "127.0.0.1").RoundTrip(r)
	succeeds(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
	next := streamed(t, res.Body)
	next(`"tickets_sold":0`)
	began := time.Now()
	succeeds(t, register(t, direct, e))
	next(`"tickets_sold":1`)
	if took := time.Since(began); took > 5*time.Second { // a buffer would wait for the heartbeat, 15 s
		t.Errorf("it is told after %v", took)
	}
}

// A crowd of people registers through a gateway, each once: a third with a bare POST, a third with one that has a key, a third
// with PUT.
type crowd struct {
	event   client.Event
	bare    bool // all by a bare POST
	answers atomic.Int64

	mu   sync.Mutex // guards all below
	told map[string]int
	odd  []string // answers that are none of ours, or no success
}

// press lets people come until stop is closed, and returns when all have their answer.
func (c *crowd) press(t *testing.T, f *front, stop <-chan struct{}) {
	var people sync.WaitGroup
	for range 8 {
		tr := f.transport(t, "127.0.0.1")
		people.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond): // a crowd, not a measurement: the machine has other work
				}
				way := n % 3
				if c.bare {
					way = 0
				}
				c.come(t, tr, f.url, way)
			}
		})
	}
	people.Wait()
}

func (c *crowd) come(t *testing.T, tr *http.Transport, url string, way int) {
	user, path := store.NewID().Hex(), url+"/api/events/"+c.event.ID.Hex()+"/registrations"
	r := request(t, "POST", path, `{"user_id":"`+user+`"}`, to(publicName))
	switch way {
	case 1:
		r.Header.Set("Idempotency-Key", user)
	case 2:
		r = request(t, "PUT", path+"/"+user, "", to(publicName))
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var status int
	var what string
	if res, err := tr.RoundTrip(r.WithContext(ctx)); err != nil {
		what = err.Error()
	} else {
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		status, what = res.StatusCode, fmt.Sprintf("%d %s %v", res.StatusCode, body, err)
	}
	c.answers.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told[user] = status; status != http.StatusCreated && status != http.StatusOK {
		c.odd = append(c.odd, fmt.Sprintf("%s (way %d): %s", user, way, what))
	}
}

// await returns when as many more have their answer.
func (c *crowd) await(t *testing.T, more int64) {
	t.Helper()
	want := c.answers.Load() + more
	testenv.Eventually(t, 2*limit, "answers", func() error {
		if got := c.answers.Load(); got < want {
			return fmt.Errorf("%d of %d have an answer", got, want)
		}
		return nil
	})
}

// during lets the crowd come while something happens.
func (c *crowd) during(t *testing.T, f *front, happens func()) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { c.press(t, f, stop); close(done) }()
	defer func() { close(stop); <-done }()
	c.await(t, 50)
	happens()
}

// check wants that who was told so holds a seat, and nobody two.
func (c *crowd) check(t *testing.T, p *pair) {
	t.Helper()
	api := newClient(t, p.addrs[0])
	e, err := api.Event(t.Context(), c.event.ID)
	succeeds(t, err)
	users := roster(t, api, c.event, "")
	held := make(map[string]bool)
	for _, user := range users {
		if held[user.Hex()] {
			t.Errorf("%s holds two seats", user.Hex())
		}
		held[user.Hex()] = true
	}
	if e.TicketsSold != int64(len(users)) {
		t.Errorf("tickets_sold is %d, the roster has %d", e.TicketsSold, len(users))
	}
	for user, status := range c.told {
		if (status == http.StatusCreated || status == http.StatusOK || status == http.StatusBadRequest) && !held[user] {
			t.Errorf("%s was told %d and holds no seat", user, status)
		}
	}
	t.Logf("%d came, %d hold a seat, %d were told something else", len(c.told), len(users), len(c.odd))
}

// during lets a crowd come while something happens, and checks that who was told so holds a seat, nobody two, and that no
// gateway has come again with somebody's request. It returns what else people were told.
func during(t *testing.T, f *front, p *pair, happens func(c *crowd)) (odd []string) {
	t.Helper()
	c := &crowd{event: createEvent(t, newClient(t, p.addrs[0]), 1_000_000), told: make(map[string]int)}
	c.during(t, f, func() { happens(c) })
	c.check(t, p)
	for user, status := range c.told {
		if status == http.StatusBadRequest {
			t.Errorf("%s came once and is told 400: the gateway has come again", user)
		}
	}
	return c.odd
}

// rolling restarts both API processes, one after the other, under load: everybody gets the answer of an API.
func rolling(t *testing.T, f *front, p *pair) {
	odd := during(t, f, p, func(c *crowd) {
		for i := range p.apis {
			succeeds(t, p.apis[i].terminate())
			c.await(t, 100)
			p.back(t, i)
			c.await(t, 100)
		}
	})
	for _, what := range odd {
		t.Errorf("told %s", what)
	}
}

// dying kills an API process under load. Who was there may get no answer; nobody is sent twice.
func dying(t *testing.T, f *front, p *pair) {
	for i := range p.apis {
		odd := during(t, f, p, func(c *crowd) {
			succeeds(t, p.apis[i].Signal(syscall.SIGKILL))
			c.await(t, 200)
			p.back(t, i)
			c.await(t, 100)
		})
		if len(odd) > 16 { // as many as come at a time, and some more who are sent before it is known
			t.Errorf("%d were told something else: %s", len(odd), odd[len(odd)-1])
		}
	}
}

// freezing stops an API process under load for longer than a gateway waits. What it had goes on when it thaws.
func freezing(t *testing.T, f *front, p *pair) {
	testenv.Eventually(t, limit, "a way through", func() error { return f.passes(t) })
	during(t, f, p, func(c *crowd) {
		succeeds(t, p.apis[1].Signal(syscall.SIGSTOP))
		c.await(t, 200)
		time.Sleep(3 * time.Second) // of silence, not of waiting for something
		succeeds(t, p.apis[1].Signal(syscall.SIGCONT))
		c.await(t, 100)
	})
}
