package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// Retry says how often a call is sent, and how long it waits between attempts. Each field that
// is zero has its default.
type Retry struct {
	// Attempts is the most requests that a call sends, the first included. Default 5; 1 sends
	// each call once; a negative number leaves the end to the context.
	Attempts int
	// Wait is the time before the second attempt when the server does not say one, and doubles
	// with each further attempt. Default 100 ms.
	Wait time.Duration
	// MaxWait is the longest such time, without its random part, and the longest Retry-After
	// that is waited for: a call that is told to come back later ends at once. Default 1 min.
	MaxWait time.Duration
	// Timeout is the longest time of an attempt; of a list that is streamed, until it begins.
	// Default 15 s, above the longest time that the API takes for an answer by default, 5 s.
	Timeout time.Duration
}

// withDefaults returns the policy with its defaults filled in.
func (r Retry) withDefaults() Retry {
	set := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	if r.Attempts == 0 {
		r.Attempts = 5
	}
	set(&r.Wait, 100*time.Millisecond)
	set(&r.MaxWait, time.Minute)
	set(&r.Timeout, 15*time.Second)
	return r
}

// next returns how long to wait after so many attempts, when the server has said after; ok is
// false when there is no further attempt.
func (r Retry) next(attempts int, after time.Duration) (wait time.Duration, ok bool) {
	if r.Attempts > 0 && attempts >= r.Attempts || after > r.MaxWait {
		return 0, false
	}
	wait = after
	if wait <= 0 {
		wait = r.MaxWait
		if doublings := attempts - 1; doublings < 32 { // no overflow with a Wait below 49 days
			wait = min(r.Wait<<doublings, r.MaxWait)
		}
	}
	return wait + rand.N(wait/2+1), true
}

// sleep waits for d, or until ctx ends and then returns why. It returns at once, with false,
// when ctx would end before.
func sleep(ctx context.Context, d time.Duration) (slept bool, err error) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false, ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-timer.C:
		return true, nil
	}
}
