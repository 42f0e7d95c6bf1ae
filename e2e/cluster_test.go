package e2e

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// longest is the most that anybody may wait while one server is lost. Half of the
	// default limit, 2.5 s, is what a request waits that was on its way through it.
	longest = 4 * time.Second
	// noticed is when a lost server is known to be so, and prompt how long a request takes
	// at most that begins later.
	noticed = 2200 * time.Millisecond
	prompt  = 2 * time.Second
)

// lostServer is a way to lose a NATS server of a cluster, and to have it back. Whether somebody waits for it shows that it was lost.
type lostServer struct {
	lose, back func(*testenv.NATSCluster) error
	waits      bool
}

// TestALostNATSServer: one of three NATS servers is frozen or killed, the one of an API process and
// of two workers of three. Everybody gets a definite answer in time, also through the API
// process beside it, and who comes later waits for nothing.
func TestALostNATSServer(t *testing.T) {
	for name, fault := range map[string]lostServer{
		"frozen": {
			func(c *testenv.NATSCluster) error { return c.Signal(0, syscall.SIGSTOP) },
			func(c *testenv.NATSCluster) error { return c.Signal(0, syscall.SIGCONT) }, true,
		},
		"killed": {
			func(c *testenv.NATSCluster) error { return c.Kill(0) },
			func(c *testenv.NATSCluster) error { return c.Restart(0) }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it is waiting, mostly
			loseOneOfThree(t, testenv.StartNATSCluster(t, 3), fault)
		})
	}
}

// loseOneOfThree loses the first of three servers under a crowd.
func loseOneOfThree(t *testing.T, servers *testenv.NATSCluster, fault lostServer) {
	c := newCluster(t)
	at := func(server int, program string) *process {
		return c.with("NATS_URL="+servers.URL(server)).start(t, program)
	}
	workers := []*process{at(0, "worker"), at(0, "worker"), at(2, "worker")}
	apis := []*client.Client{newClient(t, at(0, "api").addr), newClient(t, at(1, "api").addr)}
	events, full := make([]client.Event, 24), make([]client.Event, 24)
	holders := make([]store.ID, len(full))
	for i := range events {
		events[i], full[i], holders[i] = createEvent(t, apis[0], 100000), createEvent(t, apis[0], 1), store.NewID()
		_, err := apis[0].Register(t.Context(), full[i].ID, holders[i])
		succeeds(t, err)
	}
	testenv.Eventually(t, limit, "have events of their own", func() error {
		for _, e := range events {
			for _, api := range apis {
				succeeds(t, register(t, api, e))
			}
		}
		for i, w := range workers {
			if !w.Says(`"message":"batch"`) {
				return fmt.Errorf("worker %d has had no batch", i)
			}
		}
		return nil
	})

	succeeds(t, fault.lose(servers))
	gone := time.Now()
	var (
		mu     sync.Mutex
		waited []time.Duration // of those who came at once
		all    sync.WaitGroup
	)
	send := func(api *client.Client, e client.Event, want error) {
		all.Go(func() {
			started := time.Now()
			err := register(t, api, e)
			took, since := time.Since(started), started.Sub(gone)
			if !errors.Is(err, want) {
				t.Errorf("after %v: %v, want %v", since, err, want)
			}
			if took > longest {
				t.Errorf("after %v: %v after %v, want at most %v", since, err, took, longest)
			}
			if since > noticed && took > prompt {
				t.Errorf("after %v: %v after %v, want at most %v", since, err, took, prompt)
			}
			mu.Lock()
			defer mu.Unlock()
			if since < time.Second {
				waited = append(waited, took)
			}
		})
	}
	for _, e := range full {
		send(apis[0], e, client.CodeSoldOut)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(gone) < 4*time.Second; i++ {
		<-tick.C
		for _, api := range apis {
			send(api, events[i%len(events)], nil)
		}
	}
	all.Wait()
	worst := slices.Max(waited)
	t.Logf("who came in the first second waited %v at most", worst)
	if fault.waits && worst < time.Second {
		t.Error("nobody waited for the server, so nothing is shown")
	}

	// What is still on its way through it moves no seat of those that become free now.
	for i, e := range full {
		succeeds(t, apis[1].CancelRegistration(t.Context(), e.ID, holders[i]))
	}
	succeeds(t, fault.back(servers))
	testenv.Eventually(t, limit, "be a cluster of three again", servers.Whole)
	for _, e := range full {
		if users := roster(t, apis[0], e, ""); len(users) > 0 {
			t.Errorf("somebody who was refused holds a seat: %v", users)
		}
	}
}
