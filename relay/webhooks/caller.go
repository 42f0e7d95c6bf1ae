package webhooks

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/relay"
)

// Store is what a Caller asks of a store.
type Store interface {
	store.Consumers
	store.Webhooks
	store.Events
	EventChanges(ctx context.Context, eventID store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error]
}

// Config has the settings of a Caller. The zero value works.
type Config struct {
	Targets Targets
	// Timeout bounds one call. Default 15 s.
	Timeout time.Duration
	// Lease is how long a webhook may stand still after the process that called it was killed. Default
	// relay.DefaultLease.
	Lease time.Duration
	// Poll is how often a Caller looks for webhooks that are to be told something. Default 250 ms.
	Poll time.Duration
	// FirstPause is the pause after the first failed call; it doubles with each further one, up to 2 h.
	// Default 5 s.
	FirstPause time.Duration
	// GiveUp is how long calls may fail until the webhook is switched off. Default 72 h.
	GiveUp time.Duration
	// AtOnce bounds how many webhooks are called at once by a process. Those whose last call failed have
	// at most half of it. Default 256.
	AtOnce int
	// Tracer makes a span of each call, whose traceparent the call has. nil: there are none.
	Tracer *tracing.Tracer
	// SwitchOff, if it is set, is called before a webhook is switched off, with what it will be then, to have
	// its owner told. After an error the webhook stays on, and its next failed call tries both again. A
	// process that dies between the two has told of what is not so yet: see mail.OfWebhook.
	SwitchOff func(ctx context.Context, w store.Webhook) error
}

const (
	// MaxChanges is how many changes one call tells of at most.
	MaxChanges = 100
	// maxPause bounds the pause after a failed call; maxRetryAfter what a receiver may ask for.
	maxPause, maxRetryAfter = 2 * time.Hour, 24 * time.Hour
	// callLimit bounds one call of the store.
	callLimit = 5 * time.Second
	// endLimit is how long calls that are under way may go on when the process ends.
	endLimit = 5 * time.Second
	// duePage is how many webhooks, or marks, are read at once.
	duePage = 100
)

// Caller calls webhooks. Any number of processes may have one over a database.
type Caller struct {
	store  Store
	config Config
	log    zerolog.Logger
	owner  string
	client *http.Client
	woken  chan struct{} // of capacity 1
	slots  chan struct{} // who calls a webhook
	slow   chan struct{} // who calls one whose last call failed
	after  store.ID      // where the next look begins; only Run uses it

	mu   sync.Mutex // guards busy
	busy map[store.ID]time.Time

	stats *stats
}

// NewCaller returns a caller over a store, which stays the caller's.
func NewCaller(st Store, config Config, log zerolog.Logger) *Caller {
	set(&config.Timeout, 15*time.Second)
	set(&config.Lease, relay.DefaultLease)
	set(&config.Poll, 250*time.Millisecond)
	set(&config.FirstPause, 5*time.Second)
	set(&config.GiveUp, 72*time.Hour)
	set(&config.AtOnce, 256)
	c := &Caller{
		store: st, config: config, log: log, owner: relay.NewOwner(), client: config.Targets.client(config.Timeout),
		woken: make(chan struct{}, 1), slots: make(chan struct{}, config.AtOnce), slow: make(chan struct{}, max(1, config.AtOnce/2)),
		busy: make(map[store.ID]time.Time),
	}
	c.client.Transport = config.Tracer.Client("webhook call", c.client.Transport)
	c.stats = newStats(c)
	return c
}

// set gives a setting its default.
func set[T int | time.Duration](setting *T, otherwise T) {
	if *setting <= 0 {
		*setting = otherwise
	}
}

// Wake has Run look at once for webhooks that are to be told something.
func (c *Caller) Wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Run calls webhooks until ctx ends, and returns when no call is under way any more.
func (c *Caller) Run(ctx context.Context) {
	defer c.client.CloseIdleConnections()
	var calling sync.WaitGroup
	defer calling.Wait()
	for ctx.Err() == nil {
		if err := c.look(ctx, &calling); err != nil && ctx.Err() == nil {
			c.log.Warn().Err(err).Msg("webhooks cannot be looked for now")
			wait.For(ctx, time.Second)
		}
		select {
		case <-ctx.Done():
		case <-c.woken:
		case <-time.After(c.config.Poll):
		}
	}
}

// look starts to call all webhooks that are to be told something, but for those that somebody calls. When
// as many are called as may be, the next look goes on from there, so that each has its turn.
func (c *Caller) look(ctx context.Context, calling *sync.WaitGroup) error {
	begun := c.after.IsZero()
	for after := c.after; ; {
		ids, err := c.due(ctx, after)
		if err != nil {
			return err
		}
		for _, id := range ids {
			before := after
			after = id
			if !c.enter(id) {
				continue
			}
			select {
			case c.slots <- struct{}{}:
			default:
				c.leave(id, 0)
				c.after = before
				return nil
			}
			calling.Go(func() {
				defer func() { <-c.slots }()
				c.leave(id, c.serve(ctx, id))
			})
		}
		if len(ids) == duePage {
			continue
		}
		if c.after = (store.ID{}); begun {
			return nil
		}
		begun, after = true, store.ID{}
	}
}

func (c *Caller) due(ctx context.Context, after store.ID) ([]store.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return c.store.DueWebhooks(ctx, time.Now(), after, duePage)
}

// enter reports whether this process may now try to call a webhook.
func (c *Caller) enter(id store.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until, busy := c.busy[id]; busy && (until.IsZero() || time.Now().Before(until)) {
		return false
	}
	c.busy[id] = time.Time{} // until leave
	return true
}

// leave lets this process try again after a pause.
func (c *Caller) leave(id store.ID, pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.busy, id); pause > 0 {
		c.busy[id] = time.Now().Add(pause)
	}
}

// serve takes the lease of a webhook and calls it until it was told everything. It returns after what
// pause this process may try again.
func (c *Caller) serve(ctx context.Context, id store.ID) time.Duration {
	name := store.WebhookConsumer(id)
	// A call that is under way when the process ends is not cut off at once: it would come again.
	holds, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { wait.For(holds, endLimit); cancel() })()
	holding := relay.Holding{Consumer: name, Owner: c.owner, Length: c.config.Lease}
	stopped := ctx.Done()
	work := func(ctx context.Context, _ *relay.Held) error {
		d := delivery{Caller: c, id: id, ending: stopped, log: c.log.With().Str("webhook_id", id.Hex()).Logger(), told: make(map[store.ID]int)}
		return d.run(ctx)
	}
	err := relay.Hold(holds, c.store, holding, work)
	if errors.Is(err, store.ErrConsumerNotFound) {
		if err = c.create(ctx, name); err == nil {
			err = relay.Hold(holds, c.store, holding, work)
		}
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return 0
	case errors.Is(err, store.ErrLeaseHeld):
		return c.config.Lease/10 + rand.N(c.config.Lease/20+1)
	case errors.Is(err, store.ErrWebhookNotFound): // it was deleted
		return time.Minute
	case errors.Is(err, errNoSlot):
		return 2*c.config.Poll + rand.N(2*c.config.Poll)
	}
	c.log.Warn().Err(err).Str("webhook_id", id.Hex()).Msg("a webhook cannot be called now")
	return time.Second
}

func (c *Caller) create(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return c.store.CreateConsumer(ctx, name, "")
}
