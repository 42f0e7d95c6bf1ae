package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestLiveStreams: two API processes and two workers. What one process is asked, who listens at the other
// is told within a second; and also when a worker is killed, NATS begins anew, and the API process of who
// listens ends, as long as another one takes its place.
func TestLiveStreams(t *testing.T) {
	nats := testenv.StartNATS(t)
	c := newCluster(t).with("NATS_URL="+nats.URL(), "EVENTIO_DRAIN_DELAY=0s")
	workers := []*process{c.start(t, "worker"), c.start(t, "worker")}
	asked, listened := c.start(t, "api"), c.start(t, "api")
	patient := client.Retry{Attempts: 100, MaxWait: 10 * time.Second}
	asking := newClient(t, asked.addr, patient)
	wish := newEvent(1)
	wish.Waitlist = true
	e, err := asking.CreateEvent(t.Context(), wish)
	succeeds(t, err)
	holder, waiting := store.NewID(), store.NewID()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var state atomic.Pointer[client.LiveEvent]
	type seen struct {
		change client.Change
		at     time.Time
	}
	changes, done := make(chan seen, 100), make(chan error, 2)
	opened := make(chan struct{}, 100)
	go func() {
		for s, err := range newClient(t, listened.addr, patient).LiveEvent(ctx, e.ID) {
			if err != nil {
				done <- err
				return
			}
			state.Store(&s)
		}
	}()
	go func() {
		for c, err := range newClient(t, listened.addr, patient).LiveUser(ctx, waiting, func() { opened <- struct{}{} }) {
			if err != nil {
				done <- err
				return
			}
			changes <- seen{c, time.Now()}
		}
	}()
	<-opened
	wants := func(kind string) time.Time {
		t.Helper()
		select {
		case s := <-changes:
			if s.change.Type != kind {
				t.Fatalf("told %s, want %s", s.change.Type, kind)
			}
			return s.at
		case <-time.After(limit):
			t.Fatalf("nobody tells of %s", kind)
		}
		return time.Time{}
	}
	stands := func(sold, waits int64) {
		t.Helper()
		testenv.Eventually(t, limit, "be told where the event stands", func() error {
			if s := state.Load(); s == nil || s.TicketsSold != sold || s.Waiting != waits {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
	}
	register := func(user store.ID) {
		t.Helper()
		_, _, err := asking.PutRegistration(t.Context(), e.ID, user)
		succeeds(t, err)
	}
	register(holder)
	register(waiting)
	stands(1, 1)
	wants("waitlisted")
	began := time.Now()
	succeeds(t, asking.CancelRegistration(t.Context(), e.ID, holder))
	if took := wants("promoted").Sub(began); took > time.Second {
		t.Errorf("a promotion is seen after %v", took)
	}
	stands(1, 0)

	succeeds(t, workers[0].Signal(syscall.SIGKILL))
	succeeds(t, nats.Restart())
	succeeds(t, asking.CancelRegistration(t.Context(), e.ID, waiting))
	wants("cancelled")
	stands(0, 0)

	// A process ends its streams in order, and soon.
	began = time.Now()
	succeeds(t, listened.terminate())
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a process with streams ends after %v", took)
	}
	cancel()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) && !isRefused(err) {
			t.Errorf("the streams end with %v", err)
		}
	}
}

// isRefused reports whether nobody listened at an address.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
