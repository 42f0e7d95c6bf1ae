package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// rush is a crowd of new people who want seats of an event, by several API processes.
type rush struct {
	stop func()

	mu     sync.Mutex // guards tries
	tries  []try
	gotOne chan try
}

// startRush has so many people at a time ask each API process, until stop is called.
func startRush(t *testing.T, e client.Event, people int, apis ...*client.Client) *rush {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &rush{gotOne: make(chan try, 100)}
	var crowd sync.WaitGroup
	for i := range people * len(apis) {
		crowd.Go(func() {
			for ctx.Err() == nil {
				y := ask(func(user store.ID) error {
					_, err := apis[i%len(apis)].Register(context.WithoutCancel(ctx), e.ID, user)
					return err
				})
				r.mu.Lock()
				r.tries = append(r.tries, y)
				r.mu.Unlock()
				if y.err == nil {
					r.gotOne <- y
				}
			}
		})
	}
	r.stop = sync.OnceFunc(func() { cancel(); crowd.Wait() })
	t.Cleanup(r.stop)
	return r
}

// soldOutAnswers counts how often an API process has said that an event is sold out.
func soldOutAnswers(t *testing.T, api operated, by string) float64 {
	t.Helper()
	return value(metrics(t, api.admin), "eventio_sold_out_answers_total", "by", by)
}

// awaitMemory waits until all API processes refuse from memory.
func awaitMemory(t *testing.T, apis ...operated) {
	t.Helper()
	for _, api := range apis {
		before := soldOutAnswers(t, api, "memory")
		testenv.Eventually(t, limit, "refuse from memory", func() error {
			if soldOutAnswers(t, api, "memory") == before {
				return fmt.Errorf("workers answer")
			}
			return nil
		})
	}
}

// TestAFreedSeatIsSoldSoonInARush: while a crowd is refused from memory, seats become free by people who leave and by a larger
// capacity. Each is sold within a second, and from the answer to that change until somebody came who got the seat nobody is
// refused. When the event is cancelled all are told so at once.
func TestAFreedSeatIsSoldSoonInARush(t *testing.T) {
	const lease = 500 * time.Millisecond
	setting := "EVENTIO_SOLD_OUT_LEASE=" + lease.String()
	t.Run("two API processes and two workers", func(t *testing.T) {
		c := newCluster(t).with(setting)
		c.start(t, "worker")
		c.start(t, "worker")
		freeSeatsInARush(t, lease, c.operate(t, "api"), c.operate(t, "api"))
	})
	t.Run("all in one process", func(t *testing.T) {
		p := serve(t, "EVENTIO_ADMIN_ADDR=127.0.0.1:0", "EVENTIO_AUTH=trusted", setting)
		one := operated{&process{p.Program, strings.TrimPrefix(p.url, "http://")}, adminOf(t, p.Program)}
		freeSeatsInARush(t, lease, one, one)
	})
}

// freeSeatsInARush is TestAFreedSeatIsSoldSoonInARush at two API processes.
func freeSeatsInARush(t *testing.T, lease time.Duration, processes ...operated) {
	t.Helper()
	apis := []*client.Client{newClient(t, processes[0].addr), newClient(t, processes[1].addr)}
	ready(t, processes[0].addr)
	ready(t, processes[1].addr)
	e := createEvent(t, apis[0], 6)
	var holders []store.ID
	for range 6 {
		holders = append(holders, store.NewID())
		_, err := apis[0].Register(t.Context(), e.ID, holders[len(holders)-1])
		succeeds(t, err)
	}
	soon := time.Duration(slowness(t) * float64(time.Second))
	r := startRush(t, e, 16, apis...)
	type gap struct{ from, to time.Time }
	var free []gap
	for i := range 8 {
		awaitMemory(t, processes...)
		begun := time.Now()
		if i < 6 {
			succeeds(t, apis[i%2].CancelRegistration(t.Context(), e.ID, holders[i]))
		} else {
			_, err := apis[i%2].EditEvent(t.Context(), e.ID, "*", client.EventEdit{Capacity: new(int64(i + 1))})
			succeeds(t, err)
		}
		freed := time.Now()
		if took := freed.Sub(begun); took > lease+soon {
			t.Errorf("a change waits for %v", took)
		}
		select {
		case y := <-r.gotOne:
			if took := y.ended.Sub(freed); took > soon {
				t.Errorf("a seat is sold %v after it was free", took)
			}
			free = append(free, gap{freed, y.begun})
		case <-time.After(limit):
			t.Fatal("a seat is not sold")
		}
	}
	awaitMemory(t, processes...)
	_, err := apis[0].CancelEvent(t.Context(), e.ID)
	succeeds(t, err)
	cancelled := time.Now()
	testenv.Eventually(t, limit, "go on", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if last := r.tries[len(r.tries)-1]; last.begun.Before(cancelled.Add(2 * lease)) {
			return fmt.Errorf("the last came %v after the event was cancelled", last.begun.Sub(cancelled))
		}
		return nil
	})
	r.stop()

	told := make(map[client.Code]int)
	for _, y := range r.tries {
		told[y.outcome()]++
		if y.outcome() != client.CodeSoldOut {
			continue
		}
		if y.begun.After(cancelled) {
			t.Fatalf("%v after the event was cancelled somebody is told that it is sold out", y.begun.Sub(cancelled))
		}
		for _, g := range free {
			if y.begun.After(g.from) && y.ended.Before(g.to) {
				t.Fatalf("somebody is told sold out %v after a seat was free, before anybody came who got it", y.begun.Sub(g.from))
			}
		}
	}
	if told["registered"] != 8 || told[client.CodeSoldOut]+told[client.CodeEventCancelled]+8 != len(r.tries) {
		t.Errorf("the crowd is told %v", told)
	}
	memory, workers := 0.0, 0.0
	for _, p := range processes {
		memory, workers = memory+soldOutAnswers(t, p, "memory"), workers+soldOutAnswers(t, p, "worker")
	}
	if memory < 5*workers {
		t.Errorf("%v are refused from memory, and %v by workers", memory, workers)
	}
	t.Logf("%v; %v from memory, %v by workers", told, memory, workers)
}

// TestAFrozenAPIForgetsItsLease: an API process is frozen while it has a lease. Somebody leaves by another one, and who asks
// the frozen process then gets the seat when it thaws.
func TestAFrozenAPIForgetsItsLease(t *testing.T) {
	c := newCluster(t).with("EVENTIO_SOLD_OUT_LEASE=1s")
	c.start(t, "worker")
	frozen := c.operate(t, "api")
	api, other := newClient(t, frozen.addr), newClient(t, c.start(t, "api").addr)
	e := createEvent(t, other, 1)
	holder := store.NewID()
	for range 3 {
		_, err := other.Register(t.Context(), e.ID, holder)
		succeeds(t, err)
		r := startRush(t, e, 4, api)
		awaitMemory(t, frozen)
		r.stop()
		succeeds(t, frozen.Signal(syscall.SIGSTOP))
		succeeds(t, other.CancelRegistration(t.Context(), e.ID, holder))
		next, got := store.NewID(), make(chan error)
		go func() {
			_, err := api.Register(t.Context(), e.ID, next)
			got <- err
		}()
		succeeds(t, frozen.Signal(syscall.SIGCONT))
		if err := <-got; err != nil {
			t.Fatalf("the seat is free for a while, and who comes is told %v", err)
		}
		if users := roster(t, other, e, ""); !slices.Equal(users, []store.ID{next}) {
			t.Fatalf("%v have seats", users)
		}
		succeeds(t, other.CancelRegistration(t.Context(), e.ID, next)) // the next round is with the first holder anew
	}
}
