// Package retention forgets, every so often, what is not needed any more: registrations that were
// given up long ago, idempotency keys and log-ins that have expired, and the record of changes of
// events that ended long ago.
package retention

import (
	"context"
	"math/rand/v2"
	"sync"
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
	KeepChanges   time.Duration `env:"EVENTIO_KEEP_CHANGES" default:"9600h" help:"How long the record of an event's changes is kept after the end of the event; 24h at least. 0 keeps it for ever. It is kept while the event is to come, however old."`
}

// Store is what retention needs of a store: every store.Store has it.
type Store interface {
	store.Retention
	PruneChanges(ctx context.Context, endedBefore time.Time, limit int) (int, error)
}

// Check fails with process.ErrUsage on a value that is out of range.
func (f Flags) Check() error {
	if f.KeepCancelled != 0 && f.KeepCancelled < Minimum {
		return process.Usage("--keep-cancelled: %v is neither 0 nor at least %v", f.KeepCancelled, Minimum)
	}
	if f.KeepChanges != 0 && f.KeepChanges < Minimum {
		return process.Usage("--keep-changes: %v is neither 0 nor at least %v", f.KeepChanges, Minimum)
	}
	return nil
}

// KeyFlags say how long idempotency keys are remembered, which processes of the API write.
type KeyFlags struct {
	KeepKeys      time.Duration `env:"EVENTIO_KEEP_KEYS" default:"24h" help:"How long the Idempotency-Key of an event or a sign-up is remembered, from 1h to 720h: as long as clients may repeat such a request."`
	RepeatsWithin time.Duration `env:"EVENTIO_REPEATS_WITHIN" default:"0s" help:"How long after a registration the same POST without an Idempotency-Key is answered as the first one was, rather than with 400 already_registered, at most 1m: for gateways that repeat such requests. 0s: never."`
}

// minKeys and maxKeys bound KeepKeys: clients may repeat a request for a while, and nobody does so after
// a month.
const (
	minKeys = time.Hour
	maxKeys = 720 * time.Hour
	// maxRepeats bounds RepeatsWithin: no gateway waits longer before it repeats a request.
	maxRepeats = time.Minute
)

// Check fails with process.ErrUsage on a value that is out of range.
func (f KeyFlags) Check() error {
	if f.KeepKeys < minKeys || f.KeepKeys > maxKeys {
		return process.Usage("--keep-keys: %v is not from %v to %v", f.KeepKeys, minKeys, maxKeys)
	}
	if f.RepeatsWithin < 0 || f.RepeatsWithin > maxRepeats {
		return process.Usage("--repeats-within: %v is not from 0s to %v", f.RepeatsWithin, maxRepeats)
	}
	return nil
}

const (
	// every is the pause between two rounds. The first comes after a random part of it, so that
	// processes that start together do not all begin at once; a second process finds nothing left.
	every = time.Hour
	// chunk is how many registrations are removed at once: one write, which is over soon.
	chunk = 500
	// events is how many records of changes are removed at once. Each is removed in pieces.
	events = 10
	// erasedEvery is the pause between two looks for erased users, and erasedAtOnce how many are scrubbed at once.
	erasedEvery  = 10 * time.Second
	erasedAtOnce = 10
	// rest is the pause between two chunks, in which others write.
	rest = 50 * time.Millisecond
	// chunkLimit bounds one write.
	chunkLimit = 10 * time.Second
)

// Run forgets until ctx ends. Any number of processes may do it at once. What fails is logged, and
// tried again in the next round.
func (f Flags) Run(ctx context.Context, st Store, log zerolog.Logger) {
	var erased sync.WaitGroup
	defer erased.Wait()
	erased.Go(func() { scrubErased(ctx, st, log) })
	next := rand.N(every)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
		next = every
		cancelled, keys, err := f.Once(ctx, st, time.Now())
		records := 0
		if err == nil {
			records, err = f.OnceChanges(ctx, st, time.Now())
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn().Err(err).Msg("what is not needed any more cannot be forgotten yet")
		case cancelled > 0 || keys > 0 || records > 0:
			log.Info().Int("registrations", cancelled).Int("keys", keys).Int("records", records).Msg("forgot what is not needed any more")
		}
	}
}

// scrubErased scrubs the registrations of erased users until ctx ends: people wait for that, so it is done soon.
func scrubErased(ctx context.Context, st store.Retention, log zerolog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(erasedEvery):
		}
		n, err := inChunks(ctx, erasedAtOnce, func(ctx context.Context) (int, error) { return st.ForgetErased(ctx, erasedAtOnce) })
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn().Err(err).Msg("registrations of erased users cannot be scrubbed yet")
		case n > 0:
			log.Info().Int("users", n).Msg("scrubbed the registrations of erased users")
		}
	}
}

// Once forgets what is not needed at the time now, and returns how many cancelled registrations, and
// how many keys and log-ins, that were.
func (f Flags) Once(ctx context.Context, st store.Retention, now time.Time) (cancelled, keys int, err error) {
	if keys, err = bounded(ctx, st.ForgetKeys); err == nil && f.KeepCancelled > 0 {
		cancelled, err = inChunks(ctx, chunk, func(ctx context.Context) (int, error) {
			return st.ForgetCancelled(ctx, now.Add(-f.KeepCancelled), chunk)
		})
	}
	return cancelled, keys, err
}

// OnceChanges removes the records of changes that are not needed at the time now, and returns of how
// many events that were.
func (f Flags) OnceChanges(ctx context.Context, st Store, now time.Time) (int, error) {
	if f.KeepChanges == 0 {
		return 0, nil
	}
	return inChunks(ctx, events, func(ctx context.Context) (int, error) {
		return st.PruneChanges(ctx, now.Add(-f.KeepChanges), events)
	})
}

// inChunks calls fn until it has found less than size, with pauses, and returns how many it found.
func inChunks(ctx context.Context, size int, fn func(context.Context) (int, error)) (all int, err error) {
	for {
		n, err := bounded(ctx, fn)
		all += n
		if err != nil || n < size {
			return all, err
		}
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(rest):
		}
	}
}

// bounded calls fn with chunkLimit.
func bounded(ctx context.Context, fn func(context.Context) (int, error)) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, chunkLimit)
	defer cancel()
	return fn(ctx)
}
