package wait

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestFor checks how long a wait takes and what it reports, many times, because what has ended and what is over may be seen in either
// order. When both end in one moment, the context may be alive still.
func TestFor(t *testing.T) {
	for name, c := range map[string]struct {
		d, ends time.Duration // of the wait and of the context; 0: it has ended already
		alive   bool
		took    time.Duration
	}{
		"the context lives on":      {time.Second, time.Hour, true, time.Second},
		"it ends meanwhile":         {time.Hour, time.Second, false, time.Second},
		"it has ended":              {time.Hour, 0, false, 0},
		"it has ended, and no wait": {0, 0, false, 0},
		"no wait":                   {0, time.Hour, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), c.ends)
					defer cancel()
					begun := time.Now()
					if alive := For(ctx, c.d); alive != c.alive || time.Since(begun) != c.took {
						t.Errorf("it is alive: %t, after %v", alive, time.Since(begun))
					}
				})
			}
		})
	}
}
