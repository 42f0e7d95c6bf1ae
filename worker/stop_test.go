package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// TestStopWaitsForAll checks that Stop returns when everything that the worker runs has ended: also when its time is
// up before, and the batches in flight are cut off.
func TestStopWaitsForAll(t *testing.T) {
	for name, c := range map[string]struct {
		batch time.Duration // how long one takes that is in flight
		limit time.Duration // of Stop
		want  error
		took  time.Duration
	}{
		"in time":  {time.Second, time.Minute, nil, 3 * time.Second},
		"too late": {time.Hour, 5 * time.Second, context.DeadlineExceeded, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &Worker{conn: new(nats.Conn), queue: newQueue(1), log: zerolog.Nop()}
				w.applying, w.endApplying = context.WithCancel(context.Background())
				applied, told := false, false
				w.batchers.Go(func() {
					select {
					case <-time.After(c.batch):
					case <-w.applying.Done(): // is cut off
					}
					applied = true
				})
				w.background.Go(func() { // has something left to do at the end
					<-w.applying.Done()
					time.Sleep(2 * time.Second)
					told = true
				})
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				began := time.Now()
				for range 2 {
					if err := w.Stop(ctx); !errors.Is(err, c.want) && ctx.Err() == nil {
						t.Errorf("it returns %v", err)
					}
					if took := time.Since(began); !applied || !told || took != c.took {
						t.Errorf("after %v it returns; applied %v, told %v", took, applied, told)
					}
				}
			})
		})
	}
}
