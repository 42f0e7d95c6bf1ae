package messages

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/messages/internal/uplink"
)

const (
	// maxAttempts is how often a request is sent at most while no reply comes. The second attempt
	// goes to another worker, if there is one: the first has died or is frozen.
	maxAttempts = 2
	// noWorkersBackoff is the mean pause before a request that surely reached no worker is sent
	// again.
	noWorkersBackoff = 50 * time.Millisecond
	// noWorkersTimeout is how long such a request is sent again: after a restart of the NATS
	// server an API process may be back before the workers.
	noWorkersTimeout = 500 * time.Millisecond
	// replyMargin is the part of an attempt's time that is left for the way of the reply.
	replyMargin = 50 * time.Millisecond
)

// Requester sends seat requests and waits for their replies. It is safe for concurrent use.
type Requester struct {
	conn     *nats.Conn
	link     Link
	batcher  *batcher
	router   *router
	refusals *uplink.Refusals
	stats    *stats
}

// NewRequester makes a Requester that sends over link to the workers of its namespace. It fails
// on a namespace that cannot be in a subject, and on a closed connection.
func NewRequester(link Link) (*Requester, error) {
	if err := link.check(); err != nil {
		return nil, fmt.Errorf("make a requester: %w", err)
	}
	state := uplink.Watch(link.Conn)
	b, err := newBatcher(link.Conn, state)
	if err != nil {
		return nil, err
	}
	r, err := newRouter(link, state)
	if err != nil {
		return nil, err
	}
	refusals := new(uplink.Refusals)
	refusals.Listen(link.Conn, link.Namespace.Seats())
	made := &Requester{conn: link.Conn, link: link, batcher: b, router: r, refusals: refusals}
	made.stats = newStats(made)
	return made, nil
}

// Answer is what became of a request. There always is one.
type Answer struct {
	// Reply is always what the client is told.
	Reply SeatReply
	// Cause is for the log: why Reply has OutcomeOverloaded, OutcomeStorageFull, OutcomeFailed,
	// OutcomeUnknown or OutcomeInvalid. It is nil with every other outcome.
	Cause error
}

// Request sends req until it is answered, the deadline passes or ctx ends. It fills in
// RemainingMillis and SentMillis.
//
// An attempt may have reached a worker although no reply came. From then on the answer is
// OutcomeUnknown, unless a later attempt brings a worker's decision. The time in which a worker
// may begin to write for an attempt ends before the next attempt begins, so no worker begins to
// write for a request that another worker has answered.
func (r *Requester) Request(ctx context.Context, req SeatRequest, deadline time.Time) Answer {
	e := exchange{Requester: r, req: req, started: time.Now(), deadline: deadline}
	e.attemptTimeout = max(time.Until(deadline)/maxAttempts, 2*replyMargin)
	for {
		answer, retry := e.attempt(ctx)
		if retry && ctx.Err() == nil && time.Now().Before(deadline) {
			continue
		}
		r.stats.answered(answer.Reply.Outcome)
		r.stats.duration.Observe(measure.Since(e.started))
		return answer
	}
}

// leftKey is the key of a context's function that says whether its caller has left.
type leftKey struct{}

// WithCaller returns a context under which a Requester asks left before each attempt, and makes none once it reports true:
// a caller who has left may have asked elsewhere, and been refused. What was sent before is still waited for.
func WithCaller(ctx context.Context, left func() bool) context.Context {
	return context.WithValue(ctx, leftKey{}, left)
}

// errLeft is the result of an attempt that was not made, because its caller has left.
var errLeft = errors.New("the caller has left")

// exchange is one request with all its attempts.
type exchange struct {
	*Requester
	req            SeatRequest
	started        time.Time
	deadline       time.Time
	attemptTimeout time.Duration
	unanswered     int    // attempts that may have reached a worker
	firstSubject   string // the subject of the first attempt
}

// errByWorker is the cause of an outcome that a worker gave; the worker's log says why.
var errByWorker = errors.New("answered by the worker")

// attempt sends the request once. retry says that the answer is not final and another attempt
// may be made.
func (e *exchange) attempt(ctx context.Context) (answer Answer, retry bool) {
	got := e.send(ctx, e.subject())
	if errors.Is(got.err, errLeft) {
		return e.refusal(OutcomeOverloaded, got.err), false
	}
	e.stats.attempted(got.err)
	switch {
	case errors.Is(got.err, nats.ErrNoResponders), neverSent(got.err):
		retry = e.awaitWorkers(ctx, false)
		return e.refusal(OutcomeOverloaded, fmt.Errorf("no worker reached: %w", got.err)), retry
	case errors.Is(got.err, errNoReply):
		e.unanswered++
		return e.refusal(OutcomeUnknown, fmt.Errorf("attempt %d: %w", e.unanswered, got.err)), e.unanswered < maxAttempts
	case got.err != nil:
		e.unanswered++
		return e.refusal(OutcomeUnknown, got.err), false
	}
	switch o := got.reply.Outcome; o {
	case OutcomeOverloaded, OutcomeStorageFull, OutcomeFailed, OutcomeInvalid:
		return e.refusal(o, errByWorker), o == OutcomeOverloaded && got.reply.Again && e.awaitWorkers(ctx, true)
	case OutcomeUnknown:
		return Answer{got.reply, errByWorker}, false
	}
	return Answer{Reply: got.reply}, false
}

// subject returns the subject of the next attempt: first that of the event's preferred worker,
// then that of a worker which has answered a ping since.
func (e *exchange) subject() string {
	if e.unanswered == 0 {
		e.firstSubject = e.router.route(e.req.EventID)
		return e.firstSubject
	}
	return e.router.reroute(e.req.EventID, e.firstSubject)
}

// errNoReply is the result of an attempt that was sent and not answered in time.
var errNoReply = errors.New("no reply in time")

// send sends the request to a subject and waits for its result until the attempt's time is up.
// A lost connection does not end the wait: a worker may have the request, and may write until
// then. When half of the time is over, send pings the workers, so that the next attempt goes to
// one that lives.
func (e *exchange) send(ctx context.Context, subject string) result {
	if left, known := ctx.Value(leftKey{}).(func() bool); known && left() {
		return result{err: errLeft}
	}
	deadline := time.Now().Add(e.attemptTimeout)
	if e.deadline.Before(deadline) { // no write begins after the caller has given up
		deadline = e.deadline
	}
	half := time.Until(deadline) / 2
	timer := time.NewTimer(half)
	defer timer.Stop()
	c := e.batcher.send(subject, e.req, deadline)
	got, ok := c.wait(ctx, timer.C)
	if !ok && ctx.Err() == nil {
		e.router.ping()
		timer.Reset(half)
		got, ok = c.wait(ctx, timer.C)
	}
	if ok {
		if shared := e.router.shared; subject != shared && errors.Is(got.err, nats.ErrNoResponders) {
			e.router.forget(subject) // its worker has died
			return e.send(ctx, shared)
		}
		return got
	}
	if !e.batcher.abandon(c) {
		return result{err: errExpired}
	}
	select {
	case got := <-c.done: // it came at the last moment
		return got
	default:
		return result{err: errNoReply}
	}
}

// wait waits for the result of a call. ok is false when the timer fired or ctx ended first.
func (c *call) wait(ctx context.Context, timer <-chan time.Time) (got result, ok bool) {
	select {
	case got := <-c.done:
		return got, true
	case <-timer:
	case <-ctx.Done():
	}
	return result{}, false
}

// refusal is the answer with an outcome that says that nothing was changed by the last attempt.
// It becomes OutcomeUnknown when an earlier attempt may have changed something.
func (e *exchange) refusal(o Outcome, cause error) Answer {
	if e.unanswered > 0 {
		o = OutcomeUnknown
	}
	return Answer{SeatReply{Outcome: o}, cause}
}

// awaitWorkers pauses, with jitter, until workers may be back, or one that was reached may decide. It
// reports whether another attempt may be made; the caller looks at the deadline.
func (e *exchange) awaitWorkers(ctx context.Context, reached bool) bool {
	pause := noWorkersBackoff/2 + rand.N(noWorkersBackoff)
	timeout := noWorkersTimeout
	if reached || e.unanswered > 0 { // a decision is worth all of the caller's time
		timeout = math.MaxInt64
	}
	if time.Since(e.started)+pause > timeout {
		return false
	}
	select {
	case <-time.After(min(pause, time.Until(e.deadline))):
	case <-ctx.Done():
	}
	return true
}

// neverSent reports whether err is one that nats.go returns before a byte has left the process,
// or errExpired.
func neverSent(err error) bool {
	return slices.ContainsFunc([]error{
		errExpired, nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionDraining,
		nats.ErrConnectionReconnecting, nats.ErrInvalidConnection, nats.ErrMaxPayload,
	}, func(sure error) bool { return errors.Is(err, sure) })
}
