package e2e

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

const (
	burstPlaces = 2000
	burstUsers  = 3000
)

// TestBurst: two API and three worker processes. More users than places, all at once;
// meanwhile a worker is added, one is told to stop and one is killed.
func TestBurst(t *testing.T) {
	c := newCluster(t)
	workers := []*process{c.start(t, "worker"), c.start(t, "worker"), c.start(t, "worker")}
	apis := []*client{newClient(t, c.start(t, "api").addr), newClient(t, c.start(t, "api").addr)}
	t.Run("contract", func(t *testing.T) { contract(t, apis[0], apis[1]) })

	e := apis[0].createEvent(t, strconv.Itoa(burstPlaces))
	b := burst{apis: apis, event: e, told: make(map[store.ID]int), doubt: make(map[store.ID]bool)}
	done := make(chan struct{})
	go func() { b.run(); close(done) }()

	b.await(t, done, burstUsers/10)
	c.start(t, "worker")
	b.await(t, done, burstUsers/4)
	if err := workers[0].terminate(); err != nil {
		t.Errorf("a worker that is told to stop: %v", err)
	}
	b.await(t, done, burstUsers/3)
	if err := workers[1].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(2 * limit):
		t.Fatal("the burst does not end")
	}
	b.check(t)
}

// burst is a crowd that wants one event's places.
type burst struct {
	apis  []*client
	event event

	answered atomic.Int64 // users with a definite answer

	mu      sync.Mutex        // guards all below
	told    map[store.ID]int  // users told 201, and how often
	doubt   map[store.ID]bool // users whose last word was that nobody knows
	strange []string          // answers that must not happen
	refused int               // users told 409
	retries int
}

// run lets every user try, from 128 connections, until the answer is definite.
func (b *burst) run() {
	users := make(chan store.ID)
	var crowd sync.WaitGroup
	for i := range 128 {
		crowd.Go(func() {
			for user := range users {
				b.try(b.apis[i%2], user)
			}
		})
	}
	for range burstUsers {
		users <- store.NewID()
	}
	close(users)
	crowd.Wait()
}

func (b *burst) try(api *client, user store.ID) {
	status, body := 0, []byte(nil)
	retries := -1
	for retries < 10 && (status == 0 || status >= 500) {
		status, body = api.send(http.MethodPost, seats(b.event), wish(user), "key-"+user.Hex())
		retries++
	}
	b.answered.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries += retries
	switch status {
	case http.StatusCreated:
		b.told[user]++
	case http.StatusConflict:
		b.refused++
	case 0, http.StatusGatewayTimeout:
		b.doubt[user] = true
	default:
		b.strange = append(b.strange, strconv.Itoa(status)+" "+string(body))
	}
}

// await returns when n users have their answer, and fails when the burst is over by then:
// what follows must happen in its middle.
func (b *burst) await(t *testing.T, done <-chan struct{}, n int64) {
	t.Helper()
	for b.answered.Load() < n {
		select {
		case <-done:
			t.Fatal("the burst was over too soon")
		case <-time.After(time.Millisecond):
		}
	}
}

// check proves that what everybody was told is what is stored.
func (b *burst) check(t *testing.T) {
	t.Helper()
	t.Logf("%d told 201, %d told 409, %d in doubt, %d retries", len(b.told), b.refused, len(b.doubt), b.retries)
	for _, s := range b.strange {
		t.Errorf("a user was told %s", s)
	}
	var e event
	var roster []store.ID
	b.apis[1].want(t, http.StatusOK, http.MethodGet, "/api/events/"+b.event.ID.Hex(), "", &e)
	b.apis[1].want(t, http.StatusOK, http.MethodGet, seats(b.event), "", &roster)
	if e.TicketsSold != int64(len(roster)) || len(roster) != burstPlaces {
		t.Errorf("tickets_sold is %d, the roster has %d, there are %d places", e.TicketsSold, len(roster), burstPlaces)
	}
	if got := len(b.told); got > burstPlaces || got+len(b.doubt) < burstPlaces {
		t.Errorf("%d were told 201 and %d are in doubt; there are %d places", got, len(b.doubt), burstPlaces)
	}
	held := make(map[store.ID]bool)
	for _, user := range roster {
		if held[user] {
			t.Errorf("user %s holds two seats", user.Hex())
		}
		held[user] = true
		if b.told[user] == 0 && !b.doubt[user] {
			t.Errorf("user %s holds a seat and was refused", user.Hex())
		}
	}
	for user := range b.told {
		if !held[user] {
			t.Errorf("user %s was told 201 and holds no seat", user.Hex())
		}
	}
}

// contract goes through the routes, writing at one API and reading at the other.
func contract(t *testing.T, a, b *client) {
	var user struct{ ID store.ID }
	a.want(t, http.StatusCreated, http.MethodPost, "/api/users", `{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`, &user)
	b.want(t, http.StatusConflict, http.MethodPost, "/api/users", `{"name":"Ada","email":"ADA@example.org","password":"correct horse battery"}`, nil)
	b.want(t, http.StatusOK, http.MethodPost, "/api/login", `{"email":"ada@example.org","password":"correct horse battery"}`, nil)
	b.want(t, http.StatusUnauthorized, http.MethodPost, "/api/login", `{"email":"ada@example.org","password":"wrong horse battery"}`, nil)
	e := a.createEvent(t, "1")
	var read event
	if b.want(t, http.StatusOK, http.MethodGet, "/api/events/"+e.ID.Hex(), "", &read); read != e {
		t.Errorf("written %+v, read %+v", e, read)
	}
	a.want(t, http.StatusCreated, http.MethodPost, seats(e), wish(user.ID), nil)
	b.want(t, http.StatusBadRequest, http.MethodPost, seats(e), wish(user.ID), nil)
	b.want(t, http.StatusConflict, http.MethodPost, seats(e), wish(store.NewID()), nil)
	unknown := event{ID: store.NewID()}
	a.want(t, http.StatusNotFound, http.MethodPost, seats(unknown), wish(user.ID), nil)
	a.want(t, http.StatusNotFound, http.MethodGet, seats(unknown), "", nil)
	var roster []store.ID
	if b.want(t, http.StatusOK, http.MethodGet, seats(e), "", &roster); len(roster) != 1 || roster[0] != user.ID {
		t.Errorf("roster is %v", roster)
	}
}

// TestWithoutWorkers: the API says so at once, and serves again when one comes.
func TestWithoutWorkers(t *testing.T) {
	c := newCluster(t)
	api := newClient(t, c.start(t, "api").addr)
	e := api.createEvent(t, "5")
	api.want(t, http.StatusServiceUnavailable, http.MethodPost, seats(e), wish(store.NewID()), nil)
	w := c.start(t, "worker")
	api.want(t, http.StatusCreated, http.MethodPost, seats(e), wish(store.NewID()), nil)
	if err := w.terminate(); err != nil {
		t.Fatal(err)
	}
	api.want(t, http.StatusServiceUnavailable, http.MethodPost, seats(e), wish(store.NewID()), nil)
	c.start(t, "worker")
	testenv.Eventually(t, limit, "a registration after a worker's return", func() error {
		status, body := api.send(http.MethodPost, seats(e), wish(store.NewID()), "")
		if status != http.StatusCreated {
			return statusError{status, string(body)}
		}
		return nil
	})
}

type statusError struct {
	status int
	body   string
}

func (e statusError) Error() string { return strconv.Itoa(e.status) + " " + e.body }
