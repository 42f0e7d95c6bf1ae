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
	// second attempt reaches another worker when the first one has died.
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
	conn *nats.Conn
}

// NewRequester sends over conn, which stays the caller's.
func NewRequester(conn *nats.Conn) *Requester { return &Requester{conn: conn} }

// Ready reports whether requests can be sent now.
func (r *Requester) Ready() bool { return r.conn.IsConnected() }

// Request gets the answer to req before ctx, which must have a deadline, ends. It fills in
// Version and RemainingMillis. It always answers; the error beside an answer is the cause
// of OutcomeOverloaded, OutcomeUnknown or OutcomeInvalid, for the log.
//
// Doubt is sticky: once an attempt may have reached a worker, everything but a worker's
// own verdict is OutcomeUnknown. An attempt's remaining time ends before the next attempt
// begins, so that no worker starts a write for a request that was answered elsewhere.
func (r *Requester) Request(ctx context.Context, req SeatRequest) (SeatReply, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return SeatReply{Version: Version, Outcome: OutcomeInvalid}, errors.New("request without a deadline")
	}
	s := sending{conn: r.conn, req: req, started: time.Now()}
	s.perAttempt = max(time.Until(deadline)/attempts, replyMargin)
	for {
		reply, again, err := s.attempt(ctx)
		if again && ctx.Err() == nil {
			continue
		}
		return reply, err
	}
}

// sending is one request under way.
type sending struct {
	conn       *nats.Conn
	req        SeatRequest
	started    time.Time
	perAttempt time.Duration
	sent       int // attempts that may have reached a worker
}

// attempt sends once. again says that the answer is not final and another attempt may be made.
func (s *sending) attempt(ctx context.Context) (reply SeatReply, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.perAttempt)
	defer cancel()
	until, _ := ctx.Deadline()
	s.req.Version = Version
	s.req.RemainingMillis = max(1, (time.Until(until) - replyMargin).Milliseconds())
	data, err := Encode(s.req)
	if err != nil {
		return s.answer(OutcomeInvalid), false, err
	}
	msg, err := s.conn.RequestWithContext(ctx, SubjectSeats, data)
	switch {
	case errors.Is(err, nats.ErrNoResponders), notSent(err):
		again = s.pause(ctx)
		return s.answer(OutcomeOverloaded), again, fmt.Errorf("no worker reached: %w", err)
	case err != nil:
		s.sent++
		// A lost connection ends the wait early. The message may still be with a worker, so
		// the next attempt waits until it is void there.
		<-ctx.Done()
		return s.answer(OutcomeUnknown), s.sent < attempts, fmt.Errorf("attempt %d: %w", s.sent, err)
	}
	reply, err = DecodeReply(msg.Data)
	if err != nil { // a worker of another version; what it did is not known
		s.sent++
		return s.answer(OutcomeUnknown), false, err
	}
	if reply.Outcome == OutcomeOverloaded || reply.Outcome == OutcomeInvalid {
		return s.answer(reply.Outcome), false, errors.New("answered by the worker")
	}
	if reply.Outcome == OutcomeUnknown {
		return reply, false, errors.New("answered by the worker")
	}
	return reply, false, nil
}

// answer is the outcome that may be told: refusals to act say nothing about an earlier
// attempt that may have acted.
func (s *sending) answer(o Outcome) SeatReply {
	if s.sent > 0 {
		o = OutcomeUnknown
	}
	return SeatReply{Version: Version, Outcome: o}
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
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return true // the caller of attempt looks at its own context
	}
}

// notSent reports errors of nats.go that come before a byte has left the process.
func notSent(err error) bool {
	for _, sure := range []error{
		nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionDraining,
		nats.ErrConnectionReconnecting, nats.ErrInvalidConnection, nats.ErrMaxPayload,
	} {
		if errors.Is(err, sure) {
			return true
		}
	}
	return false
}
