// Package worker applies seat requests: it takes them from NATS, applies them to the store in
// batches, and replies.
//
// # Batches
//
// There is no timer. While a worker is idle, a request goes to the store at once and alone.
// While it is busy, the requests that arrive form the next batch. Each event is in one batch at a
// time at most.
//
// # Replies
//
// Every request that a worker accepts gets a reply, also during Stop. When the queue is full, a
// request is answered "overloaded" at once. A message that cannot be read is answered "invalid".
//
// # When leases are out
//
// A worker may let API processes say by themselves for a while that an event is sold out (Config.SoldOutLease). A request that could
// change that is put aside until they say so no more, by whichever worker finds it, and then applied. See store.LeaseOut.
//
// # When a worker dies
//
// The requests that it accepted get no reply. The requester notices that within half of its
// caller's time, or at the next request when the worker's connection is closed, and sends them to
// another worker under the same request ids (see package messages). The store has each batch of
// the dead worker as a whole or not at all. A request that it has gets its first answer again,
// and one that it does not have is applied now.
//
// # When a worker freezes
//
// A worker that was stopped and continued, with its machine for instance, has old messages in its
// connection whose requests were answered by another worker meanwhile. It must not apply them.
// pause.go notices that the worker was stopped, and delay.go computes how old each message is. A
// request whose caller has given up is answered "overloaded" and not applied.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Config has the limits and settings of a Worker. The zero value works.
type Config struct {
	// MaxBatch is the most requests in one batch. Default 512. The time of a commit grows with
	// the batch and must stay far below the transactionLifetimeLimitSeconds of MongoDB.
	MaxBatch int
	// MaxWaiting is the most requests that wait for a batch; further ones are answered
	// "overloaded". Default 20,000, about what a worker applies before the callers give up.
	MaxWaiting int
	// InFlight is the most batches that are applied at the same time, of different events.
	// Default 2: while one batch commits the next one collects requests, and few large batches
	// cost a store less than many small ones. A store with one writer wants 1.
	InFlight int
	// Prefix is the prefix of all subjects, see messages.Namespace. Default
	// messages.DefaultPrefix.
	Prefix string
	// SharedSubject also takes requests on messages.SharedSeats, where requesters of the version
	// before send them. They do not say which database they are for, so use it during an upgrade
	// only, and while one database uses the NATS server. Default false.
	SharedSubject bool
	// SoldOutLease is for how long an API process that asks may say by itself that an event is sold out, at most store.MaxLease.
	// Default 0: not at all. Set it only when no worker of a version before runs any more: such a one frees seats without
	// waiting for the end of leases, and people are refused whom nobody has kept from a seat.
	SoldOutLease time.Duration
	// Tracer makes the spans of batches. nil: there are none.
	Tracer *tracing.Tracer
	// Now is the clock that decides about opening hours and gives registrations their time. It
	// is read once a batch. Default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	set := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	set(&c.MaxBatch, 512)
	set(&c.MaxWaiting, 20_000)
	set(&c.InFlight, 2)
	c.Prefix = cmp.Or(c.Prefix, messages.DefaultPrefix)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// maxPendingBytes bounds the messages that a subscription holds before they are decoded.
const maxPendingBytes = 64 << 20

// Worker serves seat requests from Start to Stop. It is safe for concurrent use.
type Worker struct {
	conn       *nats.Conn
	namespace  messages.Namespace
	seats      store.Seats
	config     Config
	log        zerolog.Logger
	sampledLog zerolog.Logger // one line a second, for lines that a hostile sender can cause
	queue      *queue
	stats      *stats
	delays     *delayEstimator
	pauses     *pauseDetector
	taken      *takenNames
	refused    *refusals
	leases     *leaseTimes
	news       *announcer
	batchers   sync.WaitGroup // the goroutines that apply batches
	background sync.WaitGroup // the goroutines of pauses and news

	applying    context.Context // ends when Stop waits no longer for batches in flight
	endApplying context.CancelFunc

	mu      sync.Mutex // guards all below
	service *messages.Service
	stopped bool
}

// New makes a Worker that takes requests for the database of seats from conn, and applies them
// to seats. The caller closes both.
func New(conn *nats.Conn, seats store.Seats, config Config, log zerolog.Logger) *Worker {
	config = config.withDefaults()
	applying, endApplying := context.WithCancel(context.Background())
	w := &Worker{
		conn: conn, seats: seats, config: config, log: log,
		namespace:  messages.Namespace{Prefix: config.Prefix, Database: seats.DatabaseID()},
		sampledLog: log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
		queue:      newQueue(config.MaxWaiting), delays: newDelayEstimator(), taken: newTakenNames(), refused: newRefusals(), leases: new(leaseTimes),
		applying: applying, endApplying: endApplying,
	}
	w.stats = newStats(w.queue)
	w.pauses = newPauseDetector(w.drainPending)
	w.pauses.count = w.stats.pauses.Inc
	w.news = newAnnouncer(messages.Link{Conn: conn, Namespace: w.namespace}, func(err error) {
		w.sampledLog.Warn().Err(err).Msg("news cannot be sent")
	})
	w.news.dropped = w.stats.untold.Inc
	return w
}

// Start begins to take requests. It fails on a closed connection, on a namespace that cannot be
// in a subject, and when it is called a second time or after Stop.
func (w *Worker) Start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.service != nil {
		return errors.New("a worker starts once")
	}
	for range w.config.InFlight {
		w.batchers.Go(w.applyBatches)
	}
	service, err := messages.Serve(messages.Link{Conn: w.conn, Namespace: w.namespace}, w.receive)
	if err == nil && w.config.SharedSubject {
		w.log.Warn().Str("subject", messages.SharedSeats).Msg("also taking requests that do not say which database " +
			"they are for: stop that when no API of the version before runs any more, and never do it on a NATS server that another database uses")
		err = service.ServeShared()
	}
	if err != nil {
		w.queue.close()
		return err
	}
	w.service = service
	// The callback decodes and queues, so few messages are ever pending. NATS drops messages
	// beyond these limits, and the connection reports it.
	for _, sub := range service.Subscriptions {
		if err := sub.SetPendingLimits(2*w.config.MaxWaiting, maxPendingBytes); err != nil {
			w.queue.close()
			return fmt.Errorf("bound the subscription: %w", err)
		}
	}
	w.background.Go(func() { w.pauses.run(w.applying) })
	w.background.Go(func() { w.news.run(w.applying) })
	return nil
}

// Stop ends the subscriptions, applies and answers every request that was accepted, and returns
// when that is done. When ctx ends first, Stop cuts off the batches in flight and returns an
// error. It may be called before Start and more than once.
func (w *Worker) Stop(ctx context.Context) error {
	w.mu.Lock()
	service, first := w.service, !w.stopped
	w.stopped = true
	w.mu.Unlock()
	if first && service != nil {
		w.unsubscribe(ctx, service)
	}
	w.queue.close()
	idle := make(chan struct{})
	go func() { w.batchers.Wait(); close(idle) }()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("stop the worker: %w", ctx.Err())
	}
	w.endApplying()
	w.queue.recallAll() // after a stop in time there are none
	w.background.Wait()
	<-idle
	if w.conn.IsConnected() { // the caller may close it, and the replies must be sent before
		err = errors.Join(err, w.conn.FlushTimeout(time.Second))
	}
	return err
}

// unsubscribe ends the subscriptions. It returns when every message that the server sent before is in
// the queue, or when ctx ends.
func (w *Worker) unsubscribe(ctx context.Context, service *messages.Service) {
	if err := service.Leave(); err != nil {
		w.log.Warn().Err(err).Msg("requesters will find out by themselves that this worker stops")
	}
	for _, sub := range service.Subscriptions {
		closed := sub.StatusChanged(nats.SubscriptionClosed)
		if err := sub.Drain(); err != nil {
			w.log.Warn().Err(err).Msg("cannot drain a subscription; requests on their way here will be sent again")
			continue
		}
		select {
		case <-closed:
		case <-ctx.Done():
		}
	}
}
