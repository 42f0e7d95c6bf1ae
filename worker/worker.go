// Package worker is everything behind the queue: it takes seat requests from NATS, applies
// them to the store in batches, and answers.
//
// # Batches
//
// There is no timer. While a worker is idle a request goes to the store at once and alone;
// while it is busy, what arrives forms the next batch. Each event has one batch in flight
// at most.
//
// # Answers
//
// Every accepted request is answered, also during Stop. A request that finds the queue
// full is answered "overloaded" at once. One that cannot be decoded is answered "invalid".
// When a worker dies its callers' requests go unanswered; the API sends them again, and
// their request ids make that safe.
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

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Config has the worker's limits. The zero value works.
type Config struct {
	// MaxBatch is the most requests in one batch. Default 512: the store's commit grows
	// with the batch and must stay far below transactionLifetimeLimitSeconds.
	MaxBatch int
	// MaxWaiting is the most requests that wait; more are answered "overloaded". Default
	// 20,000, about what a worker settles before its callers give up.
	MaxWaiting int
	// InFlight is the most batches in flight, of different events. Default 2: one commits while the
	// next collects, and few large batches cost a store less than many small ones. A store with
	// one writer wants 1.
	InFlight int
	// Prefix is that of the subjects, see messages.Namespace. Default messages.DefaultPrefix.
	Prefix string
	// SharedSubject also takes requests on messages.SharedSeats, as requesters of the version
	// before send them. They do not say which database they mean: use it for an upgrade only,
	// while one database uses the NATS server. Default false.
	SharedSubject bool
	// Now is the clock that decides about opening hours and stamps registrations; it is
	// read once a batch. Default time.Now.
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

// pendingBytes bounds what the subscription holds before it is decoded.
const pendingBytes = 64 << 20

// Worker serves seat requests from Start to Stop.
type Worker struct {
	conn   *nats.Conn
	names  messages.Namespace
	seats  store.Seats
	config Config
	log    zerolog.Logger
	noise  zerolog.Logger // for what a hostile sender can trigger: one line a second
	queue  *queue
	ages   *ages
	pulse  *pulse
	lanes  sync.WaitGroup
	beats  sync.WaitGroup // of pulse

	hard     context.Context // ends when Stop is out of patience
	hardStop context.CancelFunc

	mu      sync.Mutex // guards all below
	service *messages.Service
	stopped bool
}

// New makes a worker that takes the requests for the database of seats from conn, and
// applies them. Both stay the caller's.
func New(conn *nats.Conn, seats store.Seats, config Config, log zerolog.Logger) *Worker {
	config = config.withDefaults()
	hard, hardStop := context.WithCancel(context.Background())
	w := &Worker{
		conn: conn, seats: seats, config: config, log: log,
		names: messages.Namespace{Prefix: config.Prefix, Database: seats.DatabaseID()},
		noise: log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
		queue: newQueue(config.MaxWaiting), ages: newAges(),
		hard: hard, hardStop: hardStop,
	}
	w.pulse = newPulse(w.takeWaiting)
	return w
}

// Start begins to take requests. It may be called once.
func (w *Worker) Start() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.service != nil {
		return errors.New("a worker starts once")
	}
	for range w.config.InFlight {
		w.lanes.Go(w.lane)
	}
	service, err := messages.Serve(messages.Link{Conn: w.conn, Namespace: w.names}, w.receive)
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
	// The callback only decodes and queues, so little is ever pending. Beyond the limits
	// messages are dropped and the connection reports it.
	for _, sub := range service.Subscriptions {
		if err := sub.SetPendingLimits(2*w.config.MaxWaiting, pendingBytes); err != nil {
			w.queue.close()
			return fmt.Errorf("bound the subscription: %w", err)
		}
	}
	w.beats.Go(func() { w.pulse.run(w.hard) })
	return nil
}

// Stop takes no more requests, answers all that were accepted, and returns when all is
// done. When ctx ends first, batches still in flight are cut off and Stop returns an
// error. It may be called before Start and more than once.
func (w *Worker) Stop(ctx context.Context) error {
	w.mu.Lock()
	service, first := w.service, !w.stopped
	w.stopped = true
	w.mu.Unlock()
	if first && service != nil {
		w.leave(ctx, service)
	}
	w.queue.close()
	idle := make(chan struct{})
	go func() { w.lanes.Wait(); close(idle) }()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("stop the worker: %w", ctx.Err())
	}
	w.hardStop()
	w.beats.Wait()
	<-idle
	if w.conn.IsConnected() { // the answers leave before the connection does
		err = errors.Join(err, w.conn.FlushTimeout(time.Second))
	}
	return err
}

// leave returns when every message that the server had sent us is in the queue.
func (w *Worker) leave(ctx context.Context, service *messages.Service) {
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

// receive is the subscription's callback.
func (w *Worker) receive(msg *nats.Msg) {
	if msg.Reply == "" || w.names.IsSeatSubject(msg.Reply) { // the latter would come back here
		w.noise.Warn().Msg("a message without a place for its answer is dropped")
		return
	}
	now := time.Now()
	all, err := messages.DecodeRequests(msg.Data)
	if err != nil {
		w.noise.Warn().Err(err).Int("bytes", len(msg.Data)).Msg("a message cannot be read")
		w.refuse(msg.Reply)
		return
	}
	requester, _ := messages.SplitReplySubject(msg.Reply)
	recovering := w.pulse.recovering(now)
	out := answers{worker: w}
	defer out.send()
	accepted := make([]request, 0, len(all))
	for i, req := range all {
		r := request{SeatRequest: req, reply: msg.Reply, item: i, received: now}
		if err := req.Check(); err != nil {
			w.noise.Warn().Err(err).Msg("a request is refused")
			out.add(r, messages.SeatReply{Outcome: messages.OutcomeInvalid})
			continue
		}
		if req.Kind == messages.KindProbe {
			out.add(r, messages.SeatReply{Outcome: messages.OutcomeProbed})
			continue
		}
		age, known := w.ages.of(requester, req.SentMillis, now, recovering)
		if !known { // it may have been answered by another worker since
			w.noise.Warn().Msg("requests of an API process that was not heard before are refused: this worker was stopped a moment ago")
			out.add(r, messages.SeatReply{Outcome: messages.OutcomeOverloaded})
			continue
		}
		r.deadline = now.Add(time.Duration(req.RemainingMillis)*time.Millisecond - age)
		accepted = append(accepted, r)
	}
	for _, r := range accepted[w.queue.put(accepted):] {
		w.noise.Warn().Int("waiting", w.config.MaxWaiting).Msg("the queue is full, requests are refused")
		out.add(r, messages.SeatReply{Outcome: messages.OutcomeOverloaded})
	}
}

// refuse answers all requests of a message that cannot be read.
func (w *Worker) refuse(subject string) {
	data, err := messages.Encode(messages.SeatReply{Outcome: messages.OutcomeInvalid})
	if err != nil {
		w.noise.Warn().Err(err).Msg("an answer cannot be sent")
		return
	}
	w.publish(subject, data)
}
