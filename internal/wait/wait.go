// Package wait waits for no longer than a context lives.
package wait

import (
	"context"
	"time"
)

// For waits for d and reports whether ctx is still alive after it.
func For(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return ctx.Err() == nil
	}
}
