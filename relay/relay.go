// Package relay reads the record of changes and tells others of it: each Sink is one way to tell.
//
// # Guarantees
//
// Every row of the record comes to every sink at least once, and the rows of one event in order. A
// sink begins at the present when it first exists, and goes on where it was, however long no process
// ran.
//
// Any number of processes may run the same sinks. For each sink one of them holds a lease in the store;
// when that process dies, another goes on from the last position within the length of the lease. A
// process that loses its lease, because it was frozen or the store was away, stops its sink: the
// context of Deliver ends before the lease does.
//
// Each sink has a reader of its own, so one that is slow or fails holds up nobody else.
package relay

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
)

// Sink is one way to tell others of changes.
type Sink interface {
	// Name returns the name under which its position is stored: never rename, never reuse.
	Name() string
	// Deliver tells of some rows, at most MaxRows, in order. It returns nil only when it has dealt with
	// all of them for good. After an error it is called again with the same rows, after a pause that
	// grows. Rows may come again after nil, too. It must end soon when ctx ends: the lease is lost then,
	// or the process ends.
	Deliver(ctx context.Context, rows []store.ChangeRecord) error
}

// Store is what a relay asks of a store.
type Store interface {
	store.Consumers
	ChangesPosition(ctx context.Context) (store.Position, error)
	Follow(ctx context.Context, from store.Position) iter.Seq2[store.Followed, error]
}

// MaxRows is the most rows that a sink is given at once.
const MaxRows = 100

const (
	// DefaultLease is how long a sink may stand still after the process that ran it was killed.
	DefaultLease = 10 * time.Second
	// minPause and maxPause bound the pause after an error.
	minPause, maxPause = 100 * time.Millisecond, 30 * time.Second
	// callLimit bounds one call of the store.
	callLimit = 5 * time.Second
	// storeIdle is how often the position is stored while nothing happens.
	storeIdle = 30 * time.Second
)

// Config has the settings of a Relay. The zero value works.
type Config struct {
	// Lease is how long a lease lasts; it is renewed after a third of it. Default DefaultLease.
	Lease time.Duration
	// Owner names the process; no other may have the name. Default: a new name.
	Owner string
	// LookEvery is the pause between two looks at how far a sink is behind, for the metric. Default 5 s.
	LookEvery time.Duration
}

// Relay runs sinks.
type Relay struct {
	store  Store
	config Config
	log    zerolog.Logger
	stats  *stats
}

// New returns a relay over a store, which stays the caller's.
func New(st Store, config Config, log zerolog.Logger) *Relay {
	if config.Lease <= 0 {
		config.Lease = DefaultLease
	}
	if config.Owner == "" {
		config.Owner = NewOwner()
	}
	config.LookEvery = cmp.Or(config.LookEvery, lookEvery)
	return &Relay{st, config, log, newStats()}
}

// NewOwner returns a name that no other process has. It begins with that of the machine, for people.
func NewOwner() string {
	host, _ := os.Hostname()
	return host + "." + store.NewID().Hex()
}

// Run runs sinks until ctx ends, and returns when all of them have ended and their leases are free.
func (r *Relay) Run(ctx context.Context, sinks ...Sink) {
	var all sync.WaitGroup
	for _, sink := range sinks {
		r.stats.begin(sink.Name())
		log := r.log.With().Str("sink", sink.Name()).Logger()
		all.Go(func() { r.runSink(ctx, sink, log) })
		all.Go(func() { r.watchLag(ctx, sink.Name()) })
	}
	all.Wait()
}

// runSink takes the lease of a sink again and again.
func (r *Relay) runSink(ctx context.Context, sink Sink, log zerolog.Logger) {
	failed := pause{least: minPause, most: maxPause}
	for ctx.Err() == nil {
		err := r.create(ctx, sink.Name())
		if err == nil {
			err = Hold(ctx, r.store, Holding{sink.Name(), r.config.Owner, r.config.Lease}, func(ctx context.Context, l *Held) error {
				log.Info().Msg("telling of changes")
				failed.reset()
				leading := r.stats.leading.WithLabelValues(sink.Name())
				leading.Set(1)
				defer leading.Set(0)
				return r.follow(ctx, l, sink, log)
			})
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrLeaseHeld):
			wait.For(ctx, r.config.Lease/5+rand.N(r.config.Lease/10+1)) // the other process may end at any moment
		default:
			log.Warn().Err(err).Msg("changes cannot be told now")
			failed.wait(ctx)
		}
	}
}

// create makes the consumer of a sink at the present, unless it exists.
func (r *Relay) create(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	at, err := r.store.ChangesPosition(ctx)
	if err != nil {
		return err
	}
	return r.store.CreateConsumer(ctx, name, at)
}

// follow reads the record from the position of a lease, and gives the rows to a sink.
func (r *Relay) follow(ctx context.Context, l *Held, sink Sink, log zerolog.Logger) error {
	var rows []store.ChangeRecord
	stored := time.Now()
	for next, err := range r.store.Follow(ctx, l.Position()) {
		if err != nil {
			return err
		}
		caughtUp := next.Record.Revision == 0
		if !caughtUp {
			if rows = append(rows, next.Record); len(rows) < MaxRows {
				continue
			}
		}
		if len(rows) == 0 && time.Since(stored) < storeIdle {
			continue
		}
		if err := r.deliver(ctx, sink, rows, log); err != nil {
			return err
		}
		if err := l.StorePosition(ctx, next.Position); err != nil {
			return err
		}
		rows, stored = nil, time.Now()
	}
	return ctx.Err()
}

// deliver gives rows to a sink until it has dealt with them, or ctx ends.
func (r *Relay) deliver(ctx context.Context, sink Sink, rows []store.ChangeRecord, log zerolog.Logger) error {
	if len(rows) == 0 {
		return nil
	}
	failed := pause{least: minPause, most: maxPause}
	for {
		err := sink.Deliver(ctx, rows)
		if err == nil {
			r.stats.rows.WithLabelValues(sink.Name()).Add(float64(len(rows)))
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.stats.failures.WithLabelValues(sink.Name()).Inc()
		log.Warn().Err(err).Int("rows", len(rows)).Msg("changes cannot be told yet")
		failed.wait(ctx)
	}
}

// pause is a pause that doubles, with jitter: of processes that fail together, not all return at once.
type pause struct{ least, most, next time.Duration }

func (p *pause) reset() { p.next = 0 }

func (p *pause) wait(ctx context.Context) {
	p.next = min(max(2*p.next, p.least), p.most)
	wait.For(ctx, p.next/2+rand.N(p.next/2+1))
}
