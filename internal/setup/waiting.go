package setup

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// noticeAfter is how long a command may be silent before it says what it waits for, and noticeEvery
// how often it does then.
const (
	noticeAfter = 2 * time.Second
	noticeEvery = 10 * time.Second
)

// Waiting logs, when that takes noticeAfter, that a command waits for something: the name of it and
// of its flag, like "the database of --data". It goes on until stop is called, or ctx ends. Call
// it before anything that may be silent for as long as --start-timeout.
func Waiting(ctx context.Context, log zerolog.Logger, what string) (stop func()) {
	return waiting(ctx, log, what, noticeAfter)
}

func waiting(ctx context.Context, log zerolog.Logger, what string, after time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var notices sync.WaitGroup
	notices.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(after):
			}
			line := log.Warn()
			if end, limited := ctx.Deadline(); limited {
				line.Float64("seconds_left", max(0, time.Until(end).Round(time.Second).Seconds()))
			}
			line.Msg("still waiting for " + what)
			after = noticeEvery
		}
	})
	return func() { cancel(); notices.Wait() } // nothing is said of a wait that is over
}
