package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestAWorkerThatIsKilledInABatch: a worker is killed at each place of a transaction, the commit itself among
// them. Who waits for it is answered by the other worker in time, or told that nobody knows; their key gets one
// seat; the event sells again within 3.5 s, and other events do so all the time.
func TestAWorkerThatIsKilledInABatch(t *testing.T) {
	slow := slowness(t)
	mongo := testenv.StartMongo(t)
	proxy := testenv.StartMongoProxy(t, mongo)
	c := newCluster(t).with("MONGODB_URI=" + mongo.URI())
	c.start(t, "worker") // the other one
	api := newClient(t, c.start(t, "api").addr)
	for name, place := range map[string]struct {
		command string // the worker is killed when it sends this
		late    bool   // and the command arrives all the same, when the worker is dead
		applied bool   // or it is carried out before the worker is killed, who never knows
	}{
		"before_the_event_is_written":                     {command: "\x02update\x00"},
		"between_the_event_and_the_registrations":         {command: "\x02insert\x00"},
		"before_the_commit":                               {command: "commitTransaction"},
		"while_the_commit_is_on_its_way":                  {command: "commitTransaction", late: true},
		"between_the_commit_and_the_replies":              {command: "commitTransaction", applied: true},
		"while_the_registrations_are_on_their_way_and_on": {command: "\x02insert\x00", late: true},
	} {
		t.Run(name, func(t *testing.T) {
			worker := c.with("MONGODB_URI="+proxy.URI()).start(t, "worker")
			held := proxy.Hold(place.command)
			defer proxy.Release()
			hot, user, told := holdOne(t, api, held)
			if place.applied {
				succeeds(t, worker.Signal(syscall.SIGSTOP))
				proxy.Release()
				testenv.Eventually(t, limit, "carry out the commit", func() error {
					_, err := api.Registration(t.Context(), hot.ID, user)
					return err
				})
			}
			succeeds(t, worker.End(syscall.SIGKILL))
			killed := time.Now()
			if place.late {
				proxy.Release()
			}
			other := createEvent(t, api, 10)
			succeeds(t, register(t, api, other))
			if took, most := time.Since(killed), time.Duration(slow*float64(time.Second)); took > most {
				t.Errorf("another event took %v, at most %v on this machine", took, most)
			}
			testenv.Eventually(t, limit, "sell again", func() error { return register(t, api, hot) })
			took, most := time.Since(killed), time.Duration(slow*float64(3500*time.Millisecond)) // MongoDB ends what is older than 2 s, once a second
			t.Logf("the event sells again %v after the kill", took.Round(time.Millisecond))
			if took > most {
				t.Errorf("that is more than %v", most)
			}
			first := <-told
			if first != nil && !errors.Is(first, client.ErrUnknownOutcome) {
				t.Errorf("who waited was told %v", first)
			}
			t.Logf("who waited was told: %v", first)
			_, err := api.Register(t.Context(), hot.ID, user, client.Key(user.Hex()))
			succeeds(t, err) // whatever became of the first one, its key has the seat
			users := roster(t, api, hot, "")
			slices.SortFunc(users, func(a, b store.ID) int { return strings.Compare(a.Hex(), b.Hex()) })
			if len(slices.Compact(slices.Clone(users))) != len(users) || !slices.Contains(users, user) || len(users) < 2 {
				t.Errorf("%v hold a seat, want each once, %s among them", users, user.Hex())
			}
		})
	}
	c.verify(t)
}

// holdOne registers people for one new event after the other until one of them waits for a worker whose command is
// held, and returns that event and the user, and how it ends for them.
func holdOne(t *testing.T, api *client.Client, held <-chan struct{}) (client.Event, store.ID, <-chan error) {
	t.Helper()
	for len(held) > 0 { // of the place before
		<-held
	}
	for begun := time.Now(); time.Since(begun) < limit; { // the API has not heard of a worker that has just started
		e, user, told := createEvent(t, api, 10), store.NewID(), make(chan error, 1)
		go func() {
			_, err := api.Register(t.Context(), e.ID, user, client.Key(user.Hex()))
			told <- err
		}()
		select {
		case <-held:
			return e, user, told
		case err := <-told: // by the other worker
			succeeds(t, err)
		}
	}
	t.Fatal("no event has gone to the worker that is to be killed, so nothing is shown")
	return client.Event{}, store.ID{}, nil
}

// slowness is how much slower this machine is now than one that is idle and of the year 2020, at least 1: bounds of
// time are multiplied by it.
func slowness(t *testing.T) float64 {
	t.Helper()
	const idle = 60 * time.Millisecond
	data := make([]byte, 1<<20)
	started := time.Now()
	for i := range 32 {
		sum := sha256.Sum256(data)
		data[i] = sum[0]
	}
	factor := max(1, float64(time.Since(started))/float64(idle))
	t.Log("slowness", fmt.Sprintf("%.1f", factor))
	return factor
}
