package e2e

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// newClient returns a client of one API process. By default it sends each call once.
func newClient(t testing.TB, addr string, retry ...client.Retry) *client.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	t.Cleanup(transport.CloseIdleConnections)
	config := client.Config{HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: 1}}
	if len(retry) > 0 {
		config.Retry = retry[0]
	}
	c, err := client.New("http://"+addr, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newEvent is an event that nobody is registered for, of somebody whom nobody knows.
func newEvent(capacity int64) client.NewEvent {
	starts := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
	return client.NewEvent{
		OrganizerID: store.NewID(), Title: "Opening", Capacity: capacity, StartsAt: starts, EndsAt: starts.Add(2 * time.Hour),
	}
}

func createEvent(t testing.TB, c *client.Client, capacity int64) client.Event {
	t.Helper()
	e, err := c.CreateEvent(t.Context(), newEvent(capacity))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// try is a request of somebody in a crowd, and what came of it.
type try struct {
	begun, ended time.Time
	user         store.ID
	err          error
}

// took is how long they waited.
func (y try) took() time.Duration { return y.ended.Sub(y.begun) }

// ask has somebody new ask for a seat.
func ask(register func(user store.ID) error) try {
	y := try{begun: time.Now(), user: store.NewID()}
	y.err = register(y.user)
	y.ended = time.Now()
	return y
}

// outcome is what somebody was told.
func (y try) outcome() client.Code {
	if y.err == nil {
		return "registered"
	}
	if p, ok := errors.AsType[*client.Problem](y.err); ok {
		return p.Code
	}
	return client.Code(y.err.Error())
}

// register registers a new user.
func register(t *testing.T, c *client.Client, e client.Event) error {
	_, err := c.Register(t.Context(), e.ID, store.NewID())
	return err
}

// roster reads who is registered, or waits.
func roster(t *testing.T, c *client.Client, e client.Event, status client.Status) (users []store.ID) {
	t.Helper()
	for user, err := range c.Roster(t.Context(), e.ID, status) {
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, user)
	}
	return users
}

func succeeds(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refuses fails the test unless a call was refused with the code.
func refuses(t *testing.T, err error, code client.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Fatalf("the answer is %v, want %s", err, code)
	}
}
