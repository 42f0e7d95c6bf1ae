package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// longest is the most that anybody may wait while one server is frozen. Half of the
	// default limit, 2.5 s, is what a request waits that was on its way through it.
	longest = 4 * time.Second
	// noticed is when a frozen server is known to be so, and prompt how long a request takes
	// at most that begins later.
	noticed = 2200 * time.Millisecond
	prompt  = 2 * time.Second
)

// TestFrozenNATSServer: one of three NATS servers is frozen, the one of an API process and
// of two workers of three. Everybody gets a definite answer in time, also through the API
// process beside it, and who comes later waits for nothing.
func TestFrozenNATSServer(t *testing.T) {
	c := newCluster(t)
	servers := testenv.StartNATSCluster(t, 3)
	at := func(server int, program string) *process {
		return c.with("NATS_URL="+servers.URL(server)).start(t, program)
	}
	workers := []*process{at(0, "worker"), at(0, "worker"), at(2, "worker")}
	// A client with as many connections as requests: none waits before it is sent.
	crowd := func(p *process) *client {
		c := newClient(t, p.addr)
		c.http.Transport.(*http.Transport).MaxConnsPerHost = 0
		return c
	}
	apis := []*client{crowd(at(0, "api")), crowd(at(1, "api"))}
	events, full := make([]event, 24), make([]event, 24)
	holders := make([]store.ID, len(full))
	for i := range events {
		events[i], full[i], holders[i] = apis[0].createEvent(t, "100000"), apis[0].createEvent(t, "1"), store.NewID()
		apis[0].want(t, http.StatusCreated, http.MethodPost, seats(full[i]), wish(holders[i]), nil)
	}
	testenv.Eventually(t, limit, "have events of their own", func() error {
		for _, e := range events {
			for _, api := range apis {
				api.want(t, http.StatusCreated, http.MethodPost, seats(e), wish(store.NewID()), nil)
			}
		}
		for i, w := range workers {
			if !w.log.has(`"message":"batch"`) {
				return fmt.Errorf("worker %d has had no batch", i)
			}
		}
		return nil
	})

	if err := servers.Signal(0, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	frozen := time.Now()
	var (
		mu     sync.Mutex
		waited []time.Duration // of those who came at once
		all    sync.WaitGroup
	)
	send := func(api *client, e event, status int) {
		all.Go(func() {
			started := time.Now()
			got, body := api.send(http.MethodPost, seats(e), wish(store.NewID()), "")
			took, since := time.Since(started), started.Sub(frozen)
			if got != status {
				t.Errorf("after %v: %d %s, want %d", since, got, body, status)
			}
			if took > longest {
				t.Errorf("after %v: %d after %v, want at most %v", since, got, took, longest)
			}
			if since > noticed && took > prompt {
				t.Errorf("after %v: %d after %v, want at most %v", since, got, took, prompt)
			}
			mu.Lock()
			defer mu.Unlock()
			if since < time.Second {
				waited = append(waited, took)
			}
		})
	}
	for _, e := range full {
		send(apis[0], e, http.StatusConflict)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(frozen) < 4*time.Second; i++ {
		<-tick.C
		for _, api := range apis {
			send(api, events[i%len(events)], http.StatusCreated)
		}
	}
	all.Wait()
	if worst := slices.Max(waited); worst < time.Second {
		t.Errorf("nobody waited for the frozen server, %v at most, so nothing is shown", worst)
	} else {
		t.Logf("who came in the first second waited %v at most", worst)
	}

	// What is still on its way through it moves no seat of those that become free now.
	for i, e := range full {
		apis[1].want(t, http.StatusNoContent, http.MethodDelete, seats(e)+"/"+holders[i].Hex(), "", nil)
	}
	if err := servers.Signal(0, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "be a cluster of three again", servers.Whole)
	for _, e := range full {
		var roster []store.ID
		if apis[0].want(t, http.StatusOK, http.MethodGet, seats(e), "", &roster); len(roster) > 0 {
			t.Errorf("somebody who was refused holds a seat: %v", roster)
		}
	}
}
