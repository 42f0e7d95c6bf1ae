package e2e

import (
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
