package e2e

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestALeaseOutlivesItsWorker: the worker that has granted the leases of an event is killed, or frozen, while a crowd is refused from memory.
// Another one, which does not know since when they last, frees a seat: from its answer until somebody came who got the seat nobody is
// refused, and the frozen one moves nothing when it thaws.
func TestALeaseOutlivesItsWorker(t *testing.T) {
	for name, end := range map[string]os.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t).with("EVENTIO_SOLD_OUT_LEASE=1s")
			workers := []operated{c.operate(t, "worker"), c.operate(t, "worker")}
			processes := []operated{c.operate(t, "api"), c.operate(t, "api")}
			apis := []*client.Client{newClient(t, processes[0].addr), newClient(t, processes[1].addr)}
			ready(t, processes[0].addr)
			ready(t, processes[1].addr)
			e := createEvent(t, apis[0], 1)
			holder := store.NewID()
			_, err := apis[0].Register(t.Context(), e.ID, holder)
			succeeds(t, err)
			r := startRush(t, e, 16, apis...)
			awaitMemory(t, processes...)
			granter, granted := workers[0], 0.0
			for _, w := range workers {
				if n := value(metrics(t, w.admin), "eventio_worker_leases_granted_total"); n > granted {
					granter, granted = w, n
				}
			}
			if granted == 0 {
				t.Fatal("nobody has granted a lease")
			}
			succeeds(t, granter.Signal(end))
			succeeds(t, apis[1].CancelRegistration(t.Context(), e.ID, holder))
			freed := time.Now()
			var next try
			select {
			case next = <-r.gotOne:
			case <-time.After(limit):
				t.Fatal("the seat is not sold")
			}
			t.Logf("the seat is sold %v after it was free", next.ended.Sub(freed))
			if end == syscall.SIGSTOP {
				succeeds(t, granter.Signal(syscall.SIGCONT))
				testenv.Eventually(t, limit, "be ready again", func() error {
					_, err := probed(granter.process, "/readyz", 200)
					return err
				})
			}
			awaitMemory(t, processes...)
			r.stop()
			for _, y := range r.tries {
				if errors.Is(y.err, client.CodeSoldOut) && y.begun.After(freed) && y.ended.Before(next.begun) {
					t.Fatalf("somebody is told sold out %v after the seat was free, before anybody came who got it", y.begun.Sub(freed))
				}
				if y.err == nil && y.user != next.user {
					t.Errorf("%s got a seat too", y.user.Hex())
				}
			}
			if users := roster(t, apis[0], e, ""); len(users) != 1 || users[0] != next.user {
				t.Errorf("%v hold the seat, %s was told so", users, next.user.Hex())
			}
		})
	}
}
