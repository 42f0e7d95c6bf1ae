package soldout

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestWhoComesDuringARenewal has a stranger come a moment after another one who asks for a lease.
func TestWhoComesDuringARenewal(t *testing.T) {
	const ms = time.Millisecond
	over := func(w *world) { w.rush(); time.Sleep(w.grants) }
	for name, c := range map[string]struct {
		before func(*world)
		after  time.Duration // of who asks
		waits  time.Duration
		worker bool // answers
	}{
		"waits for the lease":                     {func(w *world) { over(w); w.takes = 30 * ms }, 10 * ms, 20 * ms, false},
		"does not wait while the old lease holds": {func(w *world) { w.rush(); time.Sleep(w.grants * 7 / 10); w.takes = 30 * ms }, 10 * ms, 0, false},
		"waits until it is denied":                {func(w *world) { over(w); w.takes, w.grants = 30*ms, 0 }, 10 * ms, 20 * ms, true},
		"does not wait for long":                  {func(w *world) { over(w); w.takes = time.Second }, 10 * ms, hold - 10*ms, true},
		"does not wait when others have":          {func(w *world) { over(w); w.takes = time.Second }, hold, 0, true},
		"does not wait for a first lease":         {func(w *world) { w.strangers(refused); w.takes = 30 * ms }, 10 * ms, 0, true},
		"does not wait where the last was denied": {func(w *world) { over(w); w.grants = 0; w.strangers(1); w.takes, w.grants = 30*ms, time.Second }, 10 * ms, 0, true},
		"waits for a read of few":                 {func(w *world) { w.strangers(refused); w.slow = 30 * ms }, 10 * ms, 20 * ms, false},
		"waits for a read of as many as are few":  {func(w *world) { w.last = fewMore; w.strangers(refused); w.slow = 30 * ms }, 10 * ms, 20 * ms, false},
		"waits for a read of few after many": {func(w *world) {
			w.last = 2 * fewMore
			over(w)
			w.grants = 0
			w.strangers(1) // so that nobody waits for the lease itself
			w.enter(store.NewID())
			w.slow, w.grants = 30*ms, time.Second
		}, 10 * ms, 20 * ms, false},
		"waits for a lease and a read":           {func(w *world) { over(w); w.enter(store.NewID()); w.takes, w.slow = 30*ms, 30*ms }, 10 * ms, 50 * ms, false},
		"does not wait for both for long":        {func(w *world) { over(w); w.enter(store.NewID()); w.takes, w.slow = 80*ms, 80*ms }, 10 * ms, hold - 10*ms, true},
		"does not wait for a read of many":       {func(w *world) { w.last += fewMore; w.strangers(refused); w.slow = 30 * ms }, 10 * ms, 0, true},
		"does not wait for a lease that is over": {func(w *world) { over(w); w.takes, w.grants = 60*ms, 50*ms }, 10 * ms, 50 * ms, true},
		"waits for who panics":                   {func(w *world) { over(w); w.takes, w.outcome = 30*ms, "" }, 10 * ms, 20 * ms, true},
		"waits until a read fails":               {func(w *world) { over(w); w.enter(store.NewID()); w.slow, w.fails = 30*ms, -1 }, 10 * ms, 20 * ms, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(50)
				c.before(w)
				w.apart = true
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { _ = recover() }()
					w.Answer(w.event, store.NewID(), func(lease bool) messages.Answer {
						answer := w.reply(lease)
						if answer.Reply.Outcome == "" {
							panic("a fault")
						}
						return answer
					})
				}()
				synctest.Wait()
				time.Sleep(c.after)
				begun, worker := time.Now(), false
				var waited time.Duration
				w.Answer(w.event, store.NewID(), func(lease bool) messages.Answer {
					waited, worker = time.Since(begun), true
					return w.reply(lease)
				})
				if !worker {
					waited = time.Since(begun)
				}
				if worker != c.worker || waited != c.waits {
					t.Errorf("waited for %v, want %v; a worker answers: %v", waited, c.waits, worker)
				}
				<-done
				w.reading.Wait()
				if w.Leases.find(w.event).renewal.Load() != nil {
					t.Error("the renewal does not end")
				}
			})
		})
	}
}
