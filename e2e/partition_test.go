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

// attempt is what somebody was told who asked for a seat while a direction was lost.
type attempt struct {
	user        store.ID
	since, took time.Duration
	err         error
}

// crowdWhile has somebody ask for a seat every 20 ms while a direction of a way is lost, and returns what they were told.
func crowdWhile(way *testenv.Distance, direction testenv.Direction, ask func(i int, user store.ID) error) []attempt {
	var (
		mu   sync.Mutex
		told []attempt
		all  sync.WaitGroup
	)
	way.Cut(direction)
	cut := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(cut) < lost; i++ {
		<-tick.C
		all.Go(func() {
			a := attempt{user: store.NewID(), since: time.Since(cut)}
			a.err = ask(i, a.user)
			a.took = time.Since(cut) - a.since
			mu.Lock()
			defer mu.Unlock()
			told = append(told, a)
		})
	}
	all.Wait()
	way.Heal()
	return told
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

			told := crowdWhile(way, direction, func(i int, user store.ID) error {
				_, err := api.Register(t.Context(), events[i%len(events)].ID, user)
				return err
			})
			var waited time.Duration
			for _, a := range told {
				waited = max(waited, a.took)
				most := longest
				if a.since > partitioned {
					most = time.Second
				}
				if most = time.Duration(slow * float64(most)); a.err != nil || a.took > most {
					t.Errorf("after %v: %v after %v, want a seat after at most %v", a.since, a.err, a.took, most)
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

			told := crowdWhile(way, direction, func(_ int, user store.ID) error { return put(user) })
			healed := time.Now()
			testenv.Eventually(t, limit, "register again", func() error { return put(store.NewID()) })
			if took, most := time.Since(healed), time.Duration(slow*float64(3*time.Second)); took > most {
				t.Errorf("it is back %v after the way is whole, want %v at most", took, most)
			}
			held := roster(t, near, e, "")
			unknown := 0
			for _, a := range told {
				most := 5500 * time.Millisecond
				if a.since > partitioned {
					most = time.Second
				}
				var p *client.Problem
				said := errors.As(a.err, &p)
				doubt := errors.Is(a.err, client.ErrUnknownOutcome)
				switch most = time.Duration(slow * float64(most)); {
				case a.took > most:
					t.Errorf("after %v: %v after %v, want at most %v", a.since, a.err, a.took, most)
				case doubt && a.since > partitioned:
					t.Errorf("after %v: %v, want a definite answer", a.since, a.err)
				case doubt:
					unknown++
					if err := put(a.user); err != nil {
						t.Errorf("who does not know whether they have a seat, and asks again: %v", err)
					}
				case !said || p.Status != http.StatusServiceUnavailable:
					t.Errorf("after %v: %v, want 503", a.since, a.err)
				case slices.Contains(held, a.user):
					t.Errorf("after %v: %v, and a seat is held", a.since, a.err)
				}
			}
			t.Logf("of %d who asked %d did not know", len(told), unknown)
			if unknown == 0 || unknown == len(told) {
				t.Error("all were told the same, so nothing is shown")
			}
		})
	}
}
