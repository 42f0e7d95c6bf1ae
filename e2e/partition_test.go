package e2e

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// lost is for how long one direction of a way is cut, and partitioned when everybody knows it.
	lost        = 5 * time.Second
	partitioned = 3 * time.Second
)

// directions has the ways in which a process and its NATS server can miss each other.
var directions = map[string]testenv.Direction{"hears nothing": testenv.ToClients, "is not heard": testenv.ToTarget}

// clusterAndWay returns a cluster with a NATS server of its own, and the same for processes that reach that server by the way only.
func clusterAndWay(t *testing.T) (c, beyond *cluster, way *testenv.Distance) {
	t.Helper()
	nats := testenv.StartNATS(t)
	way = testenv.StartDistance(t, strings.TrimPrefix(nats.URL(), "nats://"), 0)
	c = newCluster(t).with("NATS_URL=" + nats.URL())
	return c, c.with("NATS_URL=nats://" + way.Addr()), way
}

// crowdWhile has somebody ask for a seat every 20 ms while a direction of a way is lost, and returns when it was
// lost and what they were told.
func crowdWhile(way *testenv.Distance, direction testenv.Direction, register func(i int, user store.ID) error) (cut time.Time, told []try) {
	var (
		mu  sync.Mutex // guards told
		all sync.WaitGroup
	)
	way.Cut(direction)
	cut = time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(cut) < lost; i++ {
		<-tick.C
		all.Go(func() {
			y := ask(func(user store.ID) error { return register(i, user) })
			mu.Lock()
			defer mu.Unlock()
			told = append(told, y)
		})
	}
	all.Wait()
	way.Heal()
	return cut, told
}

// TestAWorkerOnAWayWithOneDirection: a worker and its NATS server lose what one of them says, and neither closes the connection. Who
// waited for the worker gets a definite answer from another one, who comes three seconds later waits for nothing, and when the way is
// whole the worker serves again.
func TestAWorkerOnAWayWithOneDirection(t *testing.T) {
	slow := slowness(t)
	for name, direction := range directions {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it is waiting, mostly
			c, beyond, way := clusterAndWay(t)
			far := beyond.start(t, "worker")
			c.start(t, "worker")
			api := newClient(t, c.start(t, "api").addr)
			events := make([]client.Event, 24)
			for i := range events {
				events[i] = createEvent(t, api, 100000)
			}
			seats := 0
			serves := func() error {
				before := bytes.Count(far.Output(), []byte(`"message":"batch"`))
				for _, e := range events {
					succeeds(t, register(t, api, e))
				}
				seats += len(events)
				if bytes.Count(far.Output(), []byte(`"message":"batch"`)) == before {
					return errors.New("it has had no batch")
				}
				return nil
			}
			testenv.Eventually(t, limit, "have events of its own", serves)

			cut, told := crowdWhile(way, direction, func(i int, user store.ID) error {
				_, err := api.Register(t.Context(), events[i%len(events)].ID, user)
				return err
			})
			var waited time.Duration
			for _, y := range told {
				since, took := y.begun.Sub(cut), y.took()
				waited = max(waited, took)
				most := longest
				if since > partitioned {
					most = time.Second
				}
				if most = time.Duration(slow * float64(most)); y.err != nil || took > most {
					t.Errorf("after %v: %v after %v, want a seat after at most %v", since, y.err, took, most)
				}
			}
			t.Logf("%d asked, and waited %v at most", len(told), waited)
			if waited < time.Second {
				t.Error("nobody waited for the worker, so nothing is shown")
			}

			testenv.Eventually(t, limit, "serve again", serves)
			held := 0
			for _, e := range events {
				held += len(roster(t, api, e, ""))
			}
			if want := seats + len(told); held != want {
				t.Errorf("%d seats are held, %d were told that they have one", held, want)
			}
		})
	}
}

// TestAnAPIOnAWayWithOneDirection: an API process and its NATS server lose what one of them says. Who asks is told within the
// limit that it is not known, and three seconds later at once that nothing has happened, which is so. When the way is whole it is back by itself.
func TestAnAPIOnAWayWithOneDirection(t *testing.T) {
	slow := slowness(t)
	for name, direction := range directions {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it is waiting, mostly
			c, beyond, way := clusterAndWay(t)
			c.start(t, "worker")
			near := newClient(t, c.start(t, "api").addr)
			far := newClient(t, beyond.start(t, "api").addr)
			e := createEvent(t, near, 100000)
			put := func(user store.ID) error {
				_, _, err := far.PutRegistration(t.Context(), e.ID, user)
				return err
			}
			testenv.Eventually(t, limit, "register", func() error { return put(store.NewID()) })

			cut, told := crowdWhile(way, direction, func(_ int, user store.ID) error { return put(user) })
			healed := time.Now()
			testenv.Eventually(t, limit, "register again", func() error { return put(store.NewID()) })
			if took, most := time.Since(healed), time.Duration(slow*float64(3*time.Second)); took > most {
				t.Errorf("it is back %v after the way is whole, want %v at most", took, most)
			}
			held := roster(t, near, e, "")
			unknown := 0
			for _, y := range told {
				since, took := y.begun.Sub(cut), y.took()
				most := 5500 * time.Millisecond
				if since > partitioned {
					most = time.Second
				}
				var p *client.Problem
				said := errors.As(y.err, &p)
				doubt := errors.Is(y.err, client.ErrUnknownOutcome)
				switch most = time.Duration(slow * float64(most)); {
				case took > most:
					t.Errorf("after %v: %v after %v, want at most %v", since, y.err, took, most)
				case doubt && since > partitioned:
					t.Errorf("after %v: %v, want a definite answer", since, y.err)
				case doubt:
					unknown++
					if err := put(y.user); err != nil {
						t.Errorf("who does not know whether they have a seat, and asks again: %v", err)
					}
				case !said || p.Status != http.StatusServiceUnavailable:
					t.Errorf("after %v: %v, want 503", since, y.err)
				case slices.Contains(held, y.user):
					t.Errorf("after %v: %v, and a seat is held", since, y.err)
				}
			}
			t.Logf("of %d who asked %d did not know", len(told), unknown)
			if unknown == 0 || unknown == len(told) {
				t.Error("all were told the same, so nothing is shown")
			}
		})
	}
}
