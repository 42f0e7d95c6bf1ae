package e2e

import (
	"bytes"
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

// TestFrozenWorker: while one of two workers is frozen everybody gets a definite answer, and
// when it thaws, the requests that waited for it move no seat any more: their callers were
// refused meanwhile, and the places have become free since.
func TestFrozenWorker(t *testing.T) {
	c := newCluster(t)
	workers := []*process{c.start(t, "worker"), c.start(t, "worker")}
	api := newClient(t, c.start(t, "api").addr)
	events := make([]event, 24)
	holders, others := make([]store.ID, len(events)), make([]store.ID, len(events))
	for i := range events {
		events[i], holders[i], others[i] = api.createEvent(t, "1"), store.NewID(), store.NewID()
		api.want(t, http.StatusCreated, http.MethodPost, seats(events[i]), wish(holders[i]), nil)
	}
	frozen := workers[0]
	testenv.Eventually(t, limit, "have an event of its own", func() error {
		for i, e := range events {
			api.want(t, http.StatusBadRequest, http.MethodPost, seats(e), wish(holders[i]), nil)
		}
		if !frozen.log.has(`"message":"batch"`) {
			return fmt.Errorf("the worker has had no batch")
		}
		return nil
	})

	if err := frozen.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	slow := make([]bool, len(events))
	var crowd sync.WaitGroup
	for i, e := range events {
		crowd.Go(func() {
			started := time.Now()
			if status, body := api.send(http.MethodPost, seats(e), wish(others[i]), ""); status != http.StatusConflict {
				t.Errorf("a seat of a full event: %d %s", status, body)
			}
			slow[i] = time.Since(started) > time.Second
		})
	}
	crowd.Wait()
	for i, e := range events {
		api.want(t, http.StatusNoContent, http.MethodDelete, seats(e)+"/"+holders[i].Hex(), "", nil)
	}

	if err := frozen.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waited := 0
	for i := range events {
		if !slow[i] {
			continue
		}
		waited++
		testenv.Eventually(t, limit, "settle what has waited", func() error {
			if !frozen.log.has(others[i].Hex()) {
				return fmt.Errorf("the worker says nothing of user %s", others[i].Hex())
			}
			return nil
		})
	}
	if waited == 0 {
		t.Fatal("no request went to the frozen worker, so nothing is shown")
	}
	for _, e := range events {
		var roster []store.ID
		if api.want(t, http.StatusOK, http.MethodGet, seats(e), "", &roster); len(roster) > 0 {
			t.Errorf("somebody who was refused holds a seat: %v", roster)
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
	apis := make([]*client, 10)
	events := make([]event, len(apis))
	holders, others := make([]store.ID, len(apis)), make([]store.ID, len(apis))
	for i := range apis {
		apis[i] = newClient(t, c.start(t, "api").addr)
		events[i], holders[i], others[i] = api.createEvent(t, "1"), store.NewID(), store.NewID()
		api.want(t, http.StatusCreated, http.MethodPost, seats(events[i]), wish(holders[i]), nil)
	}
	if err := frozen.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waited := make([]bool, len(events))
	var crowd sync.WaitGroup
	for i, e := range events {
		crowd.Go(func() {
			started := time.Now()
			if status, body := apis[i].send(http.MethodPost, seats(e), wish(others[i]), ""); status != http.StatusConflict {
				t.Errorf("a seat of a full event: %d %s", status, body)
			}
			waited[i] = time.Since(started) > time.Second
		})
	}
	crowd.Wait()
	for i, e := range events { // so that a late message would find a free place
		api.want(t, http.StatusNoContent, http.MethodDelete, seats(e)+"/"+holders[i].Hex(), "", nil)
	}
	if err := frozen.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(waited, true) {
		t.Fatal("no request went to the frozen worker, so nothing is shown")
	}
	testenv.Eventually(t, limit, "be ready again", func() error { // what has waited comes before its own probe
		answer, err := http.Get("http://" + frozen.addr + "/readyz")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", answer.StatusCode)
		}
		return nil
	})
	// NATS may have cut it off before it thawed, and then nothing comes any more.
	t.Logf("requests have come after the thaw: %v", frozen.log.has("are refused: this worker was stopped"))
	for _, e := range events {
		var roster []store.ID
		if api.want(t, http.StatusOK, http.MethodGet, seats(e), "", &roster); len(roster) > 0 {
			t.Errorf("somebody who was refused holds a seat: %v", roster)
		}
	}
}

// has reports whether the log has that text.
func (l *logFile) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.buf.Bytes(), []byte(text))
}
