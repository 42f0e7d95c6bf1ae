package e2e

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// usualHerd is how many people come to an opening, each on a connection of their own.
const usualHerd = 1500

// one is somebody of a herd, and what they were told.
type one struct {
	try
	api *client.Client
}

// TestAHerdAtTheOpening: people look at an event, wait until registration opens, and all ask for a seat in that moment. There
// are half as many seats as people. As many as there are seats get one, and everybody else is told that it is sold out.
//
// EVENTIO_HERD is how many they are; this process needs an open file for each. `make chaos` has 15,000.
func TestAHerdAtTheOpening(t *testing.T) {
	herd, err := strconv.Atoi(os.Getenv("EVENTIO_HERD"))
	if err != nil {
		herd = usualHerd
	}
	c := newCluster(t)
	for range 3 {
		c.start(t, "worker")
	}
	apis := []string{c.start(t, "api").addr, c.start(t, "api").addr}
	organizer := newClient(t, apis[0])
	opening := newEvent(int64(herd / 2))
	opening.OpensAt = time.Now().Add(time.Hour)
	e, err := organizer.CreateEvent(t.Context(), opening)
	succeeds(t, err)

	people := make([]one, herd)
	all(people, func(i int, p *one) {
		transport := &http.Transport{MaxConnsPerHost: 1}
		t.Cleanup(transport.CloseIdleConnections)
		p.api, p.err = client.New("http://"+apis[i%len(apis)], client.Config{
			HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: -1, Wait: 50 * time.Millisecond, MaxWait: 5 * time.Second},
		})
		if p.err == nil {
			_, p.err = p.api.Event(t.Context(), e.ID)
		}
	})
	for _, p := range people {
		succeeds(t, p.err)
	}
	opens := time.Now().Add(3 * time.Second)
	_, err = organizer.EditEvent(t.Context(), e.ID, e.ETag, client.EventEdit{OpensAt: &opens})
	succeeds(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 4*limit)
	defer cancel()
	all(people, func(_ int, p *one) {
		<-time.After(time.Until(opens))
		p.try = ask(func(user store.ID) error {
			_, _, err := p.api.PutRegistration(ctx, e.ID, user)
			return err
		})
	})
	told := make(map[store.ID]bool)
	refused := 0
	var latest time.Duration
	for _, p := range people {
		took := p.ended.Sub(opens)
		latest = max(latest, took)
		switch {
		case p.err == nil:
			told[p.user] = true
		case errors.Is(p.err, client.CodeSoldOut):
			refused++
		default:
			t.Errorf("after %v: %v", took, p.err)
		}
	}
	t.Logf("%d people: %d have a seat, %d were told that it is sold out, the last one %v after the opening", herd, len(told), refused, latest.Round(time.Millisecond))
	if len(told) != herd/2 {
		t.Errorf("%d were told that they have one of %d seats", len(told), herd/2)
	}
	users := roster(t, organizer, e, "")
	if len(users) != len(told) {
		t.Errorf("%d hold a seat, %d were told so", len(users), len(told))
	}
	for _, user := range users {
		if !told[user] {
			t.Errorf("%s holds a seat and was told otherwise", user.Hex())
		}
	}
	testenv.Eventually(t, limit, "be counted", func() error {
		read, err := organizer.Event(t.Context(), e.ID)
		if err == nil && read.TicketsSold != e.Capacity {
			err = errors.New("tickets_sold is not the capacity")
		}
		return err
	})
}

// all does something for everybody at once, and returns when it is done.
func all[T any](people []T, do func(int, *T)) {
	var crowd sync.WaitGroup
	for i := range people {
		crowd.Go(func() { do(i, &people[i]) })
	}
	crowd.Wait()
}
