package worker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained := make(chan struct{})
		p := newPauseDetector(func(ctx context.Context) {
			select {
			case <-drained:
			case <-ctx.Done():
			}
		})
		run := func() (freeze func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); p.run(ctx) }()
			return func() { cancel(); <-ended }
		}
		freeze := run()
		time.Sleep(time.Minute)
		if p.recovering(time.Now()) {
			t.Error("a worker that runs is taken for one that was stopped")
		}
		freeze()
		time.Sleep(maxPause + heartbeatInterval)
		if !p.recovering(time.Now()) {
			t.Error("a stop is not noticed by the first who asks")
		}
		freeze = run()
		time.Sleep(maxRecovery - time.Second)
		if !p.recovering(time.Now()) {
			t.Error("the stop is forgotten while messages may still come that waited for its end")
		}
		drained <- struct{}{}
		synctest.Wait()
		if p.recovering(time.Now()) {
			t.Error("the stop is not forgotten when all that waited was taken")
		}
		freeze()
		time.Sleep(maxPause + heartbeatInterval)
		freeze = run()
		defer freeze()
		time.Sleep(maxRecovery + time.Second)
		if p.recovering(time.Now()) {
			t.Error("what cannot be taken keeps the worker from recovering for ever")
		}
	})
}
