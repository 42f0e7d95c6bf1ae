package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestFrozenWorker: while one of two workers is frozen everybody gets a definite answer, and
// when it thaws, the requests that waited for it move no seat any more: their callers were
// refused meanwhile, and the places have become free since.
func TestFrozenWorker(t *testing.T) {
	c := newCluster(t)
	workers := []*process{c.start(t, "worker"), c.start(t, "worker")}
	api := newClient(t, c.start(t, "api").addr)
	events := make([]client.Event, 24)
	holders, others := make([]store.ID, len(events)), make([]store.ID, len(events))
	for i := range events {
		events[i], holders[i], others[i] = createEvent(t, api, 1), store.NewID(), store.NewID()
		_, err := api.Register(t.Context(), events[i].ID, holders[i])
		succeeds(t, err)
	}
	frozen := workers[0]
	testenv.Eventually(t, limit, "have an event of its own", func() error {
		for i, e := range events {
			_, err := api.Register(t.Context(), e.ID, holders[i])
			refuses(t, err, client.CodeAlreadyRegistered)
		}
		if !frozen.Says(`"message":"batch"`) {
			return fmt.Errorf("the worker has had no batch")
		}
		return nil
	})

	if err := frozen.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	slow := make([]bool, len(events))
	var crowd sync.WaitGroup
	for i, e := range events {
		crowd.Go(func() {
			started := time.Now()
			if _, err := api.Register(t.Context(), e.ID, others[i]); !errors.Is(err, client.CodeSoldOut) {
				t.Errorf("a seat of a full event: %v", err)
			}
			slow[i] = time.Since(started) > time.Second
		})
	}
	crowd.Wait()
	for i, e := range events {
		succeeds(t, api.CancelRegistration(t.Context(), e.ID, holders[i]))
	}

	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waited := 0
	for i := range events {
		if !slow[i] {
			continue
		}
		waited++
		testenv.Eventually(t, limit, "settle what has waited", func() error {
			if !frozen.Says(others[i].Hex()) {
				return fmt.Errorf("the worker says nothing of user %s", others[i].Hex())
			}
			return nil
		})
	}
	if waited == 0 {
		t.Fatal("no request went to the frozen worker, so nothing is shown")
	}
	for _, e := range events {
		if users := roster(t, api, e, ""); len(users) > 0 {
			t.Errorf("somebody who was refused holds a seat: %v", users)
		}
	}
	t.Logf("%d of %d requests waited for the frozen worker", waited, len(events))
}

// TestAWorkerThatIsFrozenBeforeItHearsOfAnAPI: a worker that has heard of no API process cannot
// compare the first messages of one with earlier ones. Those that waited for its thaw move no
// seat all the same.
func TestAWorkerThatIsFrozenBeforeItHearsOfAnAPI(t *testing.T) {
	c := newCluster(t)
	frozen := c.start(t, "worker")
	c.start(t, "worker")
	api := newClient(t, c.start(t, "api").addr)
	// The first message of an API process goes to any worker, and by the next one it knows who
	// is there. So it takes several to have one that waits.
	apis := make([]*client.Client, 10)
	events := make([]client.Event, len(apis))
	holders, others := make([]store.ID, len(apis)), make([]store.ID, len(apis))
	for i := range apis {
		apis[i] = newClient(t, c.start(t, "api").addr)
		events[i], holders[i], others[i] = createEvent(t, api, 1), store.NewID(), store.NewID()
		_, err := api.Register(t.Context(), events[i].ID, holders[i])
		succeeds(t, err)
	}
	if err := frozen.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waited := make([]bool, len(events))
	var crowd sync.WaitGroup
	for i, e := range events {
		crowd.Go(func() {
			started := time.Now()
			if _, err := apis[i].Register(t.Context(), e.ID, others[i]); !errors.Is(err, client.CodeSoldOut) {
				t.Errorf("a seat of a full event: %v", err)
			}
			waited[i] = time.Since(started) > time.Second
		})
	}
	crowd.Wait()
	for i, e := range events { // so that a late message would find a free place
		succeeds(t, api.CancelRegistration(t.Context(), e.ID, holders[i]))
	}
	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(waited, true) {
		t.Fatal("no request went to the frozen worker, so nothing is shown")
	}
	testenv.Eventually(t, limit, "be ready again", func() error { // what has waited comes before its own probe
		_, err := probed(frozen, "/readyz", http.StatusOK)
		return err
	})
	// NATS may have cut it off before it thawed, and then nothing comes any more.
	t.Logf("requests have come after the thaw: %v", frozen.Says("are refused: this worker was stopped"))
	for _, e := range events {
		if users := roster(t, api, e, ""); len(users) > 0 {
			t.Errorf("somebody who was refused holds a seat: %v", users)
		}
	}
}

// TestAFrozenAPITakesNobodyWhoHasLeft: people ask an API process that is frozen, give up and leave. When it thaws it finds
// their requests, and must not carry them out: they may have been refused by another process meanwhile.
func TestAFrozenAPITakesNobodyWhoHasLeft(t *testing.T) {
	c := newCluster(t)
	c.start(t, "worker")
	frozen := c.start(t, "api")
	spared := newClient(t, c.start(t, "api").addr)
	impatient := newClient(t, frozen.addr, client.Retry{Attempts: 1, Timeout: 1500 * time.Millisecond})
	e := createEvent(t, spared, 1000)
	_, _, err := impatient.PutRegistration(t.Context(), e.ID, store.NewID())
	succeeds(t, err)
	people := make([]store.ID, 200)
	for i := range people {
		people[i] = store.NewID()
	}
	if err := frozen.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "stand still", func() error {
		brief := http.Client{Timeout: 200 * time.Millisecond}
		res, err := brief.Get("http://" + frozen.addr + "/livez")
		if err != nil {
			return nil
		}
		return errors.Join(res.Body.Close(), errors.New("it answers"))
	})
	var crowd sync.WaitGroup
	for _, user := range people {
		crowd.Go(func() {
			if _, _, err := impatient.PutRegistration(t.Context(), e.ID, user); !errors.Is(err, client.ErrUnknownOutcome) {
				t.Errorf("a frozen process answers: %v", err)
			}
		})
	}
	crowd.Wait()
	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "look at what has waited", func() error {
		if n := bytes.Count(frozen.Output(), []byte(`"method":"PUT"`)); n != 1+len(people) {
			return fmt.Errorf("the process says something of %d requests", n)
		}
		return nil
	})
	if users := roster(t, spared, e, ""); len(users) != 1 {
		t.Errorf("%d who have left hold a seat", len(users)-1)
	}
}
