package serve

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestAPauseIsNoticed: by whoever asks first, for a moment; an idle process, one that has just begun, and one that ends were
// not paused.
func TestAPauseIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pauses{begun: time.Now()}
		waits, gone := t.Context(), func() context.Context {
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(pauseSettle/2, leave)
			return ctx
		}
		ctx, end := context.WithCancel(t.Context())
		if p.left(gone()) {
			t.Error("nobody watches, and a pause is noticed")
		}
		go p.Watch(ctx)
		time.Sleep(10 * pauseLeast)
		if p.left(gone()) {
			t.Error("an idle process was paused")
		}
		p.beat.Store(int64(time.Since(p.begun) - 2*pauseLeast)) // as if nothing had run since
		if !p.left(gone()) {
			t.Error("a client who has left in a pause still waits")
		}
		if p.left(waits) {
			t.Error("a client who waits has left")
		}
		time.Sleep(2 * pauseOver)
		if p.left(gone()) {
			t.Error("a pause has no end")
		}
		end()
		synctest.Wait()
		time.Sleep(2 * pauseLeast)
		if p.left(gone()) {
			t.Error("a process that ends was paused")
		}
	})
}
