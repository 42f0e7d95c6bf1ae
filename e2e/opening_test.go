//go:build gateways

package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

const (
	openingSeats  = 2000
	openingPeople = 2400 // proven in four ways, a quarter each
	openingPace   = 3 * time.Millisecond
	openingAtOnce = 24 // connections
	openingFamily = 3  // people who are proven in all four ways
	// openingHeld is how many come at this pace before everything has happened that happens in the meantime: a slow machine gets
	// the time for it.
	openingHeld = openingPeople / 2
)

// TestOpening: nginx, an OpenID Connect server, two API processes and three workers, and people who are proven in four ways at
// once. While they register the server's keys are rotated, an API process is restarted, and nginx reads its configuration anew.
// Nobody holds two seats, nobody is refused as long as there is one, every seat is taken, and each line of the logs of the API
// says whose request it was and how that was proven.
func TestOpening(t *testing.T) {
	o := newOpening(t)
	family := o.makeFamily(t)
	o.prepare(t)
	done := make(chan struct{})
	go func() { o.come(t, family); close(done) }()

	after := func(part float64) {
		t.Helper()
		for o.told.Load() < int64(part*openingPeople) {
			select {
			case <-done:
				t.Fatal("the opening was over too soon")
			case <-time.After(time.Millisecond):
			}
		}
	}
	after(0.1)
	o.issuer.rotate(t)
	after(0.2)
	succeeds(t, o.pair.apis[0].terminate())
	o.pair.back(t, 0)
	o.issuer.rotate(t)
	after(0.5)
	succeeds(t, o.front.Signal(syscall.SIGHUP))
	testenv.Eventually(t, limit, "nginx to have reloaded", func() error {
		if !o.front.Says("gracefully shutting down") {
			return fmt.Errorf("no worker of it ends")
		}
		return nil
	})
	after(0.6)
	o.issuer.rotate(t)
	close(o.happened)
	select {
	case <-done:
	case <-time.After(3 * limit):
		t.Fatal("the opening does not end")
	}
	o.checkSeats(t)
	o.checkLogs(t)
}

// wordToken is what the log says of a token of Event.io's own.
const wordToken store.Proof = "token"

// proof is how a person is proven: what it adds to a request, and the word for it in the log.
type proof struct {
	user store.ID
	word store.Proof
	add  func(*http.Request) error // just before the request is sent
}

// opening is a sale that many people wait for.
type opening struct {
	issuer    *oidcServer
	pair      *pair
	front     *front
	cluster   *cluster
	keys      identity.Keys
	organizer string // a token
	event     client.Event
	happened  chan struct{} // closed when all has that happens during the sale
	people    []proof
	told      atomic.Int64 // how many have a definite answer

	mu     sync.Mutex        // guards all below
	held   map[store.ID]int  // how often somebody was told that they have a seat
	out    map[store.ID]bool // who was told that there is none
	early  int               // how often somebody was told to come when it opens
	again  map[store.ID]int  // how often somebody was told that they have one already
	sent   map[string]proof  // of each request, by its id
	family map[store.ID]bool
	odd    []string // answers that must not happen
}

func newOpening(t *testing.T) *opening {
	t.Helper()
	secret := make([]byte, identity.MinSecret)
	_, _ = rand.Read(secret)
	signing := "opening:" + base64.RawURLEncoding.EncodeToString(secret)
	keys, err := identity.ParseKeys(signing)
	succeeds(t, err)
	o := &opening{
		issuer: startIssuer(t), keys: keys, happened: make(chan struct{}),
		held: make(map[store.ID]int), out: make(map[store.ID]bool), again: make(map[store.ID]int), family: make(map[store.ID]bool), sent: make(map[string]proof),
	}
	o.cluster = newCluster(t).with("EVENTIO_AUTH=token", "EVENTIO_AUTH_KEYS="+signing, "EVENTIO_TRUSTED_PROXIES=127.0.0.1",
		"EVENTIO_IDENTITY_HEADER=Eventio-User", "EVENTIO_OIDC_ISSUER="+o.issuer.url, "EVENTIO_OIDC_AUDIENCE="+issuerAudience)
	for range 3 {
		o.cluster.start(t, "worker")
	}
	o.pair = startPair(t, o.cluster)
	members := filepath.Join(t.TempDir(), "members")
	var names strings.Builder
	for n := range openingFamily {
		fmt.Fprintf(&names, "%s:{PLAIN}%s\n", childName(n), issuerPassword)
	}
	for n := range openingPeople {
		fmt.Fprintf(&names, "%s:{PLAIN}%s\n", memberName(n), issuerPassword)
	}
	succeeds(t, os.WriteFile(members, []byte(names.String()), 0o644))
	succeeds(t, os.Chmod(filepath.Dir(members), 0o755))
	o.front = startExample(t, "nginx", o.pair.addrs, `proxy_set_header Eventio-User "";`, "", "#members ", "", "/etc/nginx/members", members,
		"error_log stderr;", "error_log stderr notice;")
	testenv.Eventually(t, limit, "a way through nginx", func() error { return o.front.passes(t) })
	return o
}

func memberName(n int) string { return fmt.Sprintf("member-%d", n) }
func childName(n int) string  { return fmt.Sprintf("child-%d", n) }

// mint returns a token of Event.io's own for a user.
func (o *opening) mint(user store.ID) (string, error) {
	now := time.Now()
	token, _, err := o.keys.Mint(identity.Person{ID: user, LoginAt: now}, now, time.Hour)
	return token, err
}

// newKey makes an API key of a user, through nginx.
func (o *opening) newKey(ctx context.Context, tr http.RoundTripper, user store.ID) (string, error) {
	token, err := o.mint(user)
	if err != nil {
		return "", err
	}
	own := proof{user, wordToken, bearerOf(token)}
	status, body, err := o.send(ctx, tr, own, "POST", "/api/keys", `{"name":"shop","scopes":["register"]}`, "")
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("%d %s", status, body)
	}
	var key struct{ Key string }
	if err == nil {
		err = json.Unmarshal(body, &key)
	}
	return key.Key, err
}

func bearerOf(token string) func(*http.Request) error {
	return func(r *http.Request) error { r.Header.Set("Authorization", "Bearer "+token); return nil }
}

// The ways in which somebody is proven. A token of the issuer is got just before it is sent, as clients do.
func (o *opening) byIssuer(name string) proof {
	return proof{foreign.ID(o.issuer.url, name), store.ProofOIDC, func(r *http.Request) error {
		get := o.issuer.ofProgram
		if len(name)%2 == 0 {
			get = o.issuer.ofPerson
		}
		token, err := get(r.Context(), name)
		if err != nil {
			return err
		}
		return bearerOf(token)(r)
	}}
}

func (o *opening) byGateway(name string) proof {
	return proof{foreign.ID(foreign.Gateway, name), store.ProofHeader, func(r *http.Request) error {
		r.SetBasicAuth(name, issuerPassword)
		return nil
	}}
}

func (o *opening) byKey(user store.ID, key string) proof {
	return proof{user, store.ProofKey, bearerOf(key)}
}

func (o *opening) byToken(user store.ID) (proof, error) {
	token, err := o.mint(user)
	return proof{user, wordToken, bearerOf(token)}, err
}

// transport speaks HTTP/2: a gateway that reloads tells such clients which of their requests it has not seen.
func (o *opening) transport(t *testing.T, n int) *http.Transport {
	tr := o.front.transport(t, fmt.Sprintf("127.0.1.%d", n+1))
	tr.ForceAttemptHTTP2 = true
	tr.TLSClientConfig = &tls.Config{RootCAs: tr.TLSClientConfig.RootCAs, ServerName: publicName, NextProtos: []string{"h2"}}
	return tr
}

// prepare makes the event, which opens in a moment, and the people.
func (o *opening) prepare(t *testing.T) {
	t.Helper()
	organizer := store.NewID()
	var err error
	o.organizer, err = o.mint(organizer)
	succeeds(t, err)
	o.people = make([]proof, openingPeople)
	var making sync.WaitGroup
	for w := range openingAtOnce {
		tr := o.transport(t, w)
		making.Go(func() {
			for n := w; n < openingPeople; n += openingAtOnce {
				var err error
				switch user := store.NewID(); n % 4 {
				case 0:
					o.people[n], err = o.byToken(user)
				case 1:
					var key string
					key, err = o.newKey(t.Context(), tr, user)
					o.people[n] = o.byKey(user, key)
				case 2:
					o.people[n] = o.byIssuer(fmt.Sprintf("person-%d", n))
				case 3:
					o.people[n] = o.byGateway(memberName(n))
				}
				if err != nil {
					t.Errorf("make person %d: %v", n, err)
					return
				}
			}
		})
	}
	making.Wait()
	api := newClient(t, o.pair.addrs[0]).As(o.organizer)
	e := newEvent(openingSeats)
	e.OrganizerID, e.OpensAt = client.ID{}, time.Now().Add(time.Second).Truncate(time.Millisecond)
	o.event, err = api.CreateEvent(t.Context(), e)
	succeeds(t, err)
}

// makeFamily makes accounts, each of which an operator links with somebody of the issuer and of the gateway. It returns all four
// proofs of each, when the API processes know the links.
func (o *opening) makeFamily(t *testing.T) (all [][]proof) {
	t.Helper()
	tr := o.transport(t, 100)
	for n := range openingFamily {
		name := childName(n)
		account, err := newClient(t, o.pair.addrs[1]).SignUp(t.Context(), client.NewUser{Name: name, Email: name + "@example.org", Password: "correct horse battery"})
		succeeds(t, err)
		for _, who := range [][]string{{"--issuer", o.issuer.url, "--subject", name}, {"--header", name}} {
			cmd := exec.Command(filepath.Join(programs, "eventio"), append([]string{"user", "link", name + "@example.org"}, who...)...)
			cmd.Env = o.cluster.env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("link: %v\n%s", err, out)
			}
		}
		key, err := o.newKey(t.Context(), tr, account.ID)
		succeeds(t, err)
		own := proof{account.ID, wordToken, bearerOf(account.Token)}
		ways := []proof{own, o.byKey(account.ID, key), o.byIssuer(name), o.byGateway(name)}
		for i := range ways {
			ways[i].user = account.ID
		}
		all = append(all, ways)
		o.family[account.ID] = true
		for _, addr := range o.pair.addrs {
			testenv.Eventually(t, limit, "a process to know a link", func() error {
				a := said(t, request(t, "GET", "http://"+addr+"/api/session", "", with("Eventio-User", name)))
				if !strings.Contains(a.body, account.ID.Hex()) {
					return fmt.Errorf("%d %s", a.status, a.body)
				}
				return nil
			})
		}
	}
	return all
}

// come lets everybody come, and returns when all have their answer. Each of the family comes in all their ways at once.
func (o *opening) come(t *testing.T, family [][]proof) {
	var crowd sync.WaitGroup
	defer crowd.Wait()
	for i, ways := range family {
		for n, way := range ways {
			tr := o.transport(t, 100+n)
			crowd.Go(func() { o.want(t, tr, way, 3*i) }) // a bare POST
		}
	}
	turns := make(chan int)
	for n := range openingAtOnce {
		tr := o.transport(t, n)
		crowd.Go(func() {
			for turn := range turns {
				o.want(t, tr, o.people[turn], turn)
			}
		})
	}
	defer close(turns)
	pace := time.NewTicker(openingPace)
	defer pace.Stop()
	for turn := range openingPeople {
		<-pace.C
		if turn > openingHeld {
			select {
			case <-o.happened:
			case <-time.After(20 * openingPace):
			}
		}
		turns <- turn
	}
}

// want lets somebody ask for a seat, in one of the three ways in turn, until registration is open.
func (o *opening) want(t *testing.T, tr http.RoundTripper, who proof, turn int) {
	path, key := "/api/events/"+o.event.ID.Hex()+"/registrations", ""
	method, body := "POST", "{}"
	switch turn % 3 {
	case 1:
		key = who.user.Hex()
	case 2:
		method, path, body = "PUT", path+"/"+who.user.Hex(), ""
	}
	for {
		status, answer, err := o.send(t.Context(), tr, who, method, path, body, key)
		var said struct{ Code client.Code }
		_ = json.Unmarshal(answer, &said) // of a success
		early := said.Code == client.CodeRegistrationNotOpen
		o.note(who, status, said.Code, fmt.Sprintf("%s %s: %d %s %v", who.word, method, status, answer, err))
		if !early || err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond) // less than Retry-After says, as impatient people do
	}
}

func (o *opening) note(who proof, status int, code client.Code, said string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case status == http.StatusCreated || status == http.StatusOK:
		o.held[who.user]++
	case code == client.CodeSoldOut:
		o.out[who.user] = true
	case code == client.CodeRegistrationNotOpen:
		o.early++
		return
	case code == client.CodeAlreadyRegistered:
		o.again[who.user]++
	default:
		o.odd = append(o.odd, said)
	}
	o.told.Add(1)
}

// send sends a request once, as somebody, and notes whose it is.
func (o *opening) send(ctx context.Context, tr http.RoundTripper, who proof, method, path, body, key string) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, o.front.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	id := store.NewID().Hex()
	r.Host = publicName
	r.Header.Set("X-Request-Id", id)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	if err := who.add(r); err != nil {
		return 0, nil, err
	}
	o.mu.Lock()
	o.sent[id] = who
	o.mu.Unlock()
	res, err := tr.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// checkSeats compares what people were told with who holds a seat.
func (o *opening) checkSeats(t *testing.T) {
	t.Helper()
	for i, what := range o.odd {
		if t.Errorf("told %s", what); i == 10 {
			t.Fatalf("and %d more", len(o.odd)-i-1)
		}
	}
	api := newClient(t, o.pair.addrs[1]).As(o.organizer)
	e, err := api.Event(t.Context(), o.event.ID)
	succeeds(t, err)
	users := roster(t, api, o.event, "")
	if e.TicketsSold != openingSeats || len(users) != openingSeats {
		t.Errorf("tickets_sold is %d, the roster has %d, there are %d seats", e.TicketsSold, len(users), openingSeats)
	}
	holds := make(map[store.ID]bool)
	for _, user := range users {
		if holds[user] {
			t.Errorf("%s holds two seats", user.Hex())
		}
		if holds[user] = true; o.held[user] != 1 {
			t.Errorf("%s holds a seat, and was told so %d times", user.Hex(), o.held[user])
		}
	}
	for user := range o.held {
		if !holds[user] {
			t.Errorf("%s was told of a seat and has none", user.Hex())
		}
	}
	for user, times := range o.again {
		if !o.family[user] || times != 3 {
			t.Errorf("%s is told %d times that they are registered already", user.Hex(), times)
		}
	}
	if len(o.again) != len(o.family) {
		t.Errorf("%d of %d were told in three ways that they are registered in the fourth", len(o.again), len(o.family))
	}
	t.Logf("%d were told of a seat, %d that there is none; %d times somebody was too early", len(o.held), len(o.out), o.early)
	if o.early == 0 || len(o.out) == 0 {
		t.Error("nobody came too early or too late, so that is not shown")
	}
}

// checkLogs looks for the sender of each request in the logs of all API processes, also of the one that has ended.
func (o *opening) checkLogs(t *testing.T) {
	t.Helper()
	lines := make(map[store.Proof]int)
	wrong := 0
	for _, api := range o.pair.all {
		for text := range strings.Lines(string(api.Output())) {
			var line struct {
				Message, Method, Route string
				RequestID              string      `json:"request_id"`
				Actor                  string      `json:"actor_id"`
				Proof                  store.Proof `json:"actor_proof"`
			}
			if json.Unmarshal([]byte(text), &line) != nil || line.Message != "request" {
				continue
			}
			who, ours := o.sent[line.RequestID]
			// What everybody may read is answered without a look at who asks, and who signs up is nobody yet.
			nobody := line.Method == "GET" && (line.Route == "/readyz" || line.Route == "/api/events/{id}") ||
				line.Method == "POST" && line.Route == "/api/users"
			switch {
			case ours && (line.Actor != who.user.Hex() || line.Proof != who.word), !nobody && (line.Actor == "" || line.Proof == ""):
				if wrong++; wrong < 10 {
					t.Errorf("the log does not say that %s sent it, by %s: %s", who.user.Hex(), who.word, text)
				}
			case ours:
				lines[line.Proof]++
				delete(o.sent, line.RequestID)
			}
		}
	}
	t.Logf("lines: %v", lines)
	if wrong == 0 && len(o.sent) > 0 {
		t.Errorf("%d requests are in no log", len(o.sent))
	}
}
