package messages

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// attempts is how often a request is sent at most while its answers stay away. The
	// second attempt goes to another worker, if there is one: the first has died or hangs.
	attempts = 2
	// absentRetry is the mean pause after "no responders", and absentLimit how long a
	// request that surely reached nobody keeps trying: after a restart of the NATS server
	// the API may be back before the workers.
	absentRetry = 50 * time.Millisecond
	absentLimit = 500 * time.Millisecond
	// replyMargin is what an attempt allows for the reply's way back.
	replyMargin = 50 * time.Millisecond
)

// Requester sends seat requests and waits for their replies. It is safe for concurrent use.
type Requester struct {
	conn    *nats.Conn
	sender  *sender
	workers *workers

	refusals *refusals
}

// NewRequester sends over link to the workers of its namespace. It fails on a namespace
// that cannot be in a subject, and on a connection that is closed.
func NewRequester(link Link) (*Requester, error) {
	if err := link.check(); err != nil {
		return nil, fmt.Errorf("make a requester: %w", err)
	}
	s, err := newSender(link.Conn)
	if err != nil {
		return nil, err
	}
	w, err := newWorkers(link)
	if err != nil {
		return nil, err
	}
	refused := new(refusals)
	refused.listen(link.Conn, link.Namespace.Seats())
	return &Requester{conn: link.Conn, sender: s, workers: w, refusals: refused}, nil
}

// Answer is what became of a request. There always is one.
type Answer struct {
	// Reply is always what the client is told.
	Reply SeatReply
	// Cause is for the log: why Reply has OutcomeOverloaded, OutcomeStorageFull, OutcomeFailed,
	// OutcomeUnknown or OutcomeInvalid. It is nil with every other outcome.
	Cause error
}

// Request gets the answer to req before the deadline, or until ctx ends. It fills in
// RemainingMillis and SentMillis.
//
// Doubt is sticky: once an attempt may have reached a worker, everything but a worker's
// own verdict is OutcomeUnknown. An attempt's remaining time ends before the next attempt
// begins, so that no worker starts a write for a request that was answered elsewhere.
func (r *Requester) Request(ctx context.Context, req SeatRequest, deadline time.Time) Answer {
	s := sending{Requester: r, req: req, started: time.Now(), deadline: deadline}
	s.perAttempt = max(time.Until(deadline)/attempts, 2*replyMargin)
	for {
		answer, again := s.attempt(ctx)
		if again && ctx.Err() == nil && time.Now().Before(deadline) {
			continue
		}
		return answer
	}
}

// sending is one request under way.
type sending struct {
	*Requester
	req        SeatRequest
	started    time.Time
	deadline   time.Time
	perAttempt time.Duration
	sent       int    // attempts that may have reached a worker
	own        string // the subject of the first one
}

// attempt sends once. again says that the answer is not final and another attempt may be made.
func (s *sending) attempt(ctx context.Context) (answer Answer, again bool) {
	v := s.once(ctx, s.subject())
	switch {
	case errors.Is(v.err, nats.ErrNoResponders), notSent(v.err):
		again = s.pause(ctx)
		return s.answer(OutcomeOverloaded, fmt.Errorf("no worker reached: %w", v.err)), again
	case errors.Is(v.err, errSilence):
		s.sent++
		return s.answer(OutcomeUnknown, fmt.Errorf("attempt %d: %w", s.sent, v.err)), s.sent < attempts
	case v.err != nil:
		s.sent++
		return s.answer(OutcomeUnknown, v.err), false
	}
	switch v.reply.Outcome {
	case OutcomeOverloaded, OutcomeStorageFull, OutcomeFailed, OutcomeInvalid:
		return s.answer(v.reply.Outcome, errByWorker), false
	case OutcomeUnknown:
		return Answer{v.reply, errByWorker}, false
	}
	return Answer{Reply: v.reply}, false
}

// subject is that of the event's own worker at first, and then of one that has answered since.
func (s *sending) subject() string {
	if s.sent == 0 {
		s.own = s.workers.first(s.req.EventID)
		return s.own
	}
	return s.workers.second(s.req.EventID, s.own)
}

// errByWorker is the cause of an outcome that a worker gave; why is in the worker's log.
var errByWorker = errors.New("answered by the worker")

// errSilence is the verdict of a request that was sent and not answered in time.
var errSilence = errors.New("no answer in time")

// once sends, and waits until an answer is there or the attempt is void. A lost connection
// does not end the wait: the message may be with a worker that acts on it until then.
func (s *sending) once(ctx context.Context, subject string) verdict {
	// No write begins when the caller has given up.
	until := time.Now().Add(s.perAttempt)
	if s.deadline.Before(until) {
		until = s.deadline
	}
	half := time.Until(until) / 2
	timer := time.NewTimer(half)
	defer timer.Stop()
	c := s.sender.send(subject, s.req, until)
	v, ok := c.wait(ctx, timer.C)
	if !ok && ctx.Err() == nil {
		// The next attempt goes to a worker that answers this.
		s.workers.ask()
		timer.Reset(half)
		v, ok = c.wait(ctx, timer.C)
	}
	if ok {
		if shared := s.workers.shared; subject != shared && errors.Is(v.err, nats.ErrNoResponders) {
			s.workers.gone(subject)
			return s.once(ctx, shared)
		}
		return v
	}
	if !s.sender.abandon(c) {
		return verdict{err: errVoid}
	}
	select {
	case v := <-c.done: // it came at the last moment
		return v
	default:
		return verdict{err: errSilence}
	}
}

// wait waits for the verdict until the time is up or ctx ends; ok is false then.
func (c *call) wait(ctx context.Context, up <-chan time.Time) (v verdict, ok bool) {
	select {
	case v := <-c.done:
		return v, true
	case <-up:
	case <-ctx.Done():
	}
	return verdict{}, false
}

// answer is the outcome that may be told: refusals to act say nothing about an earlier
// attempt that may have acted.
func (s *sending) answer(o Outcome, cause error) Answer {
	if s.sent > 0 {
		o = OutcomeUnknown
	}
	return Answer{SeatReply{Outcome: o}, cause}
}

// pause waits a little, with jitter, for workers to come back. It reports whether there is
// still time to try again.
func (s *sending) pause(ctx context.Context) bool {
	wait := absentRetry/2 + rand.N(absentRetry)
	limit := absentLimit
	if s.sent > 0 { // in doubt: an answer is worth the caller's whole time
		limit = time.Duration(1<<63 - 1)
	}
	if time.Since(s.started)+wait > limit {
		return false
	}
	select {
	case <-time.After(min(wait, time.Until(s.deadline))):
	case <-ctx.Done():
	}
	return true // the caller of attempt looks at the time
}

// notSent reports errors of nats.go that come before a byte has left the process.
func notSent(err error) bool {
	for _, sure := range []error{
		errVoid, nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionDraining,
		nats.ErrConnectionReconnecting, nats.ErrInvalidConnection, nats.ErrMaxPayload,
	} {
		if errors.Is(err, sure) {
			return true
		}
	}
	return false
}
