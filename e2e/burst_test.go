package e2e

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
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
	insisting := client.Retry{Attempts: 11, Wait: time.Millisecond}
	apis := []*client.Client{newClient(t, c.start(t, "api").addr, insisting), newClient(t, c.start(t, "api").addr, insisting)}
	t.Run("contract", func(t *testing.T) { contract(t, apis[0], apis[1]) })

	e := createEvent(t, apis[0], burstPlaces)
	b := burst{t: t, apis: apis, event: e, told: make(map[store.ID]int), unknown: make(map[store.ID]bool)}
	done := make(chan struct{})
	go func() { b.run(); close(done) }()

	b.await(t, done, burstUsers/10)
	c.start(t, "worker")
	b.await(t, done, burstUsers/4)
	if err := workers[0].terminate(); err != nil {
		t.Errorf("a worker that is told to stop: %v", err)
	}
	b.await(t, done, burstUsers/3)
	if err := workers[1].Signal(syscall.SIGKILL); err != nil {
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
	t     *testing.T
	apis  []*client.Client
	event client.Event

	answered atomic.Int64 // users with a definite answer

	mu      sync.Mutex        // guards all below
	told    map[store.ID]int  // users told 201, and how often
	unknown map[store.ID]bool // users whose outcome stayed unknown
	strange []error           // answers that must not happen
	refused int               // users told 409
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

func (b *burst) try(api *client.Client, user store.ID) {
	_, err := api.Register(b.t.Context(), b.event.ID, user)
	b.answered.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.told[user]++
	case errors.Is(err, client.ErrUnknownOutcome):
		b.unknown[user] = true
	case errors.Is(err, client.CodeSoldOut):
		b.refused++
	default:
		b.strange = append(b.strange, err)
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
	t.Logf("%d told 201, %d told 409, %d with an unknown outcome", len(b.told), b.refused, len(b.unknown))
	for _, err := range b.strange {
		t.Errorf("a user was told %v", err)
	}
	e, err := b.apis[1].Event(t.Context(), b.event.ID)
	succeeds(t, err)
	users := roster(t, b.apis[1], b.event, "")
	if e.TicketsSold != int64(len(users)) || len(users) != burstPlaces {
		t.Errorf("tickets_sold is %d, the roster has %d, there are %d places", e.TicketsSold, len(users), burstPlaces)
	}
	if got := len(b.told); got > burstPlaces || got+len(b.unknown) < burstPlaces {
		t.Errorf("%d were told 201 and %d have an unknown outcome; there are %d places", got, len(b.unknown), burstPlaces)
	}
	held := make(map[store.ID]bool)
	for _, user := range users {
		if held[user] {
			t.Errorf("user %s holds two seats", user.Hex())
		}
		held[user] = true
		if b.told[user] == 0 && !b.unknown[user] {
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
func contract(t *testing.T, a, b *client.Client) {
	ctx := t.Context()
	ada := client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"}
	user, err := a.SignUp(ctx, ada)
	succeeds(t, err)
	_, err = b.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ADA@example.org", Password: ada.Password})
	refuses(t, err, client.CodeEmailTaken)
	_, err = b.LogIn(ctx, ada.Email, ada.Password)
	succeeds(t, err)
	_, err = b.LogIn(ctx, ada.Email, "wrong horse battery")
	refuses(t, err, client.CodeUnauthenticated)
	e := createEvent(t, a, 1)
	read, err := b.Event(ctx, e.ID)
	if succeeds(t, err); read != e {
		t.Errorf("written %+v, read %+v", e, read)
	}
	_, err = a.Register(ctx, e.ID, user.ID)
	succeeds(t, err)
	_, err = b.Register(ctx, e.ID, user.ID)
	refuses(t, err, client.CodeAlreadyRegistered)
	refuses(t, register(t, b, e), client.CodeSoldOut)
	unknown := client.Event{ID: store.NewID()}
	refuses(t, register(t, a, unknown), client.CodeEventNotFound)
	_, err = a.RosterPage(ctx, unknown.ID, client.RosterQuery{})
	refuses(t, err, client.CodeEventNotFound)
	if users := roster(t, b, e, ""); len(users) != 1 || users[0] != user.ID {
		t.Errorf("roster is %v", users)
	}
}

// TestWithoutWorkers: the API says so at once, and serves again when one comes.
func TestWithoutWorkers(t *testing.T) {
	c := newCluster(t)
	api := newClient(t, c.start(t, "api").addr)
	e := createEvent(t, api, 5)
	refuses(t, register(t, api, e), client.CodeOverloaded)
	w := c.start(t, "worker")
	succeeds(t, register(t, api, e))
	succeeds(t, w.terminate())
	refuses(t, register(t, api, e), client.CodeOverloaded)
	c.start(t, "worker")
	testenv.Eventually(t, limit, "a registration after a worker's return", func() error { return register(t, api, e) })
}
