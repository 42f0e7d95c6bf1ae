// Package retention forgets, every so often, what is not needed any more: registrations that were
// given up long ago, and idempotency keys and log-ins that have expired.
package retention

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
)

// Minimum is the shortest time for which a registration that was given up is kept: a client that
// repeats a request under its key must get the same answer for as long as keys are remembered.
const Minimum = store.KeyLife

// Flags say how long what is not needed any more is kept.
type Flags struct {
	KeepCancelled time.Duration `env:"EVENTIO_KEEP_CANCELLED" default:"720h" help:"How long a registration that was given up is kept, with its person, its times and its request ids; 24h at least. 0 keeps it for ever. Expired idempotency keys and log-ins go within an hour."`
}

// Check fails with process.ErrUsage on a value that is out of range.
func (f Flags) Check() error {
	if f.KeepCancelled != 0 && f.KeepCancelled < Minimum {
		return process.Usage("--keep-cancelled: %v is neither 0 nor at least %v", f.KeepCancelled, Minimum)
	}
	return nil
}

// KeyFlags say how long idempotency keys are remembered, which processes of the API write.
type KeyFlags struct {
	KeepKeys time.Duration `env:"EVENTIO_KEEP_KEYS" default:"24h" help:"How long the Idempotency-Key of an event or a sign-up is remembered, from 1h to 720h: as long as clients may repeat such a request."`
}

// minKeys and maxKeys bound KeepKeys: clients may repeat a request for a while, and nobody does so after
// a month.
const (
	minKeys = time.Hour
	maxKeys = 720 * time.Hour
)

// Check fails with process.ErrUsage on a value that is out of range.
func (f KeyFlags) Check() error {
	if f.KeepKeys < minKeys || f.KeepKeys > maxKeys {
		return process.Usage("--keep-keys: %v is not from %v to %v", f.KeepKeys, minKeys, maxKeys)
	}
	return nil
}

const (
	// every is the pause between two rounds. The first comes after a random part of it, so that
	// processes that start together do not all begin at once; a second process finds nothing left.
	every = time.Hour
	// chunk is how many registrations are removed at once: one write, which is over soon.
	chunk = 500
	// rest is the pause between two chunks, in which others write.
	rest = 50 * time.Millisecond
	// chunkLimit bounds one write.
	chunkLimit = 10 * time.Second
)

// Run forgets until ctx ends. Any number of processes may do it at once. What fails is logged, and
// tried again in the next round.
func (f Flags) Run(ctx context.Context, st store.Retention, log zerolog.Logger) {
	next := rand.N(every)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = every
		cancelled, keys, err := f.Once(ctx, st, time.Now())
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn().Err(err).Msg("what is not needed any more cannot be forgotten yet")
		case cancelled > 0 || keys > 0:
			log.Info().Int("registrations", cancelled).Int("keys", keys).Msg("forgot what is not needed any more")
		}
	}
}

// Once forgets what is not needed at the time now, and returns how many cancelled registrations, and
// how many keys and log-ins, that were.
func (f Flags) Once(ctx context.Context, st store.Retention, now time.Time) (cancelled, keys int, err error) {
	keys, err = bounded(ctx, st.ForgetKeys)
	for err == nil && f.KeepCancelled > 0 {
		var n int
		n, err = bounded(ctx, func(ctx context.Context) (int, error) {
			return st.ForgetCancelled(ctx, now.Add(-f.KeepCancelled), chunk)
		})
		cancelled += n
		if n < chunk {
			break
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(rest):
		}
	}
	return cancelled, keys, err
}

// bounded calls fn with chunkLimit.
func bounded(ctx context.Context, fn func(context.Context) (int, error)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkLimit)
	defer cancel()
	return fn(ctx)
}
