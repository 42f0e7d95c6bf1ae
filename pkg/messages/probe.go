package messages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A probe is a request that goes the way of all others and changes nothing: whoever receives
// seat requests answers it at once. A worker of an older version answers that it does not
// know the request, which proves the way as well.

// probeLimit is the longest wait for the answer to a probe.
const probeLimit = time.Second

// ErrNoWorkers is what Requester.Ready returns while requests can be sent and no worker
// answers them: none is there, or none of those that are.
var ErrNoWorkers = errors.New("no worker answers seat requests")

func probe() SeatRequest { return SeatRequest{Kind: KindProbe, RequestID: "probe"} }

// usable reports why nothing can be sent over conn.
func usable(conn *nats.Conn) error {
	if !conn.IsConnected() {
		return fmt.Errorf("NATS: the connection is %s", strings.ToLower(conn.Status().String()))
	}
	return payload(conn)
}

// payload reports a limit of the server that is below what a message may need.
func payload(conn *nats.Conn) error {
	if limit := conn.MaxPayload(); limit < MaxMessage {
		return fmt.Errorf("NATS: max_payload of the server is %d bytes, messages have up to %d", limit, MaxMessage)
	}
	return nil
}

// Probe sends the worker a message over conn, its own connection, on the subject of its own,
// and waits until it is answered, 1 s at most. So it fails when anything on the way is
// missing: the connection, a permission to publish or to subscribe, or the subscription.
// Of the subject that all workers share it only finds out that nobody listens there: the
// answer is any worker's.
func (s *Service) Probe(ctx context.Context, conn *nats.Conn) error {
	if err := usable(conn); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	req := probe()
	req.RemainingMillis = probeLimit.Milliseconds()
	data, err := Encode(req)
	if err != nil {
		return err
	}
	shared, own := s.Subscriptions[0].Subject, s.Subscriptions[1].Subject
	if _, err := conn.RequestWithContext(ctx, own, data); err != nil {
		return fmt.Errorf("NATS: the worker does not hear itself on %s: %w", own, err)
	}
	if _, err := conn.RequestWithContext(ctx, shared, data); errors.Is(err, nats.ErrNoResponders) {
		return fmt.Errorf("NATS: the worker is not subscribed to %s: %w", shared, err)
	}
	return nil
}

// Ready reports whether requests can be sent now and their answers come back. It sends a
// probe and waits for its answer, 1 s at most. ErrNoWorkers means that the way is open and
// nobody is at its end; every other error that nothing gets through.
func (r *Requester) Ready(ctx context.Context) error {
	if err := usable(r.conn); err != nil {
		return err
	}
	asked := time.Now()
	err := r.probe(ctx, r.workers.shared)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: none is there", ErrNoWorkers)
	case !errors.Is(err, errSilence):
		return fmt.Errorf("NATS: %w", err)
	}
	if err := r.refusals.since(asked); err != nil {
		return err
	}
	// It may be a worker that is silent, or the way back is. Of a subject where nobody
	// listens the server itself says so.
	if err := r.probe(ctx, ownSubject(r.workers.shared, "nobody")); errors.Is(err, errSilence) {
		return fmt.Errorf("NATS: no answer reaches this process: is it permitted to subscribe to %s.*?", r.sender.inbox)
	}
	return fmt.Errorf("%w: one is there and silent", ErrNoWorkers)
}

// probe sends a probe and returns what became of it; nil when it was answered.
func (r *Requester) probe(ctx context.Context, subject string) error {
	until := time.Now().Add(probeLimit)
	timer := time.NewTimer(probeLimit)
	defer timer.Stop()
	c := r.sender.send(subject, probe(), until)
	select {
	case v := <-c.done:
		return v.err
	case <-timer.C:
	case <-ctx.Done():
	}
	r.sender.abandon(c)
	return errSilence
}

// refusals remembers the last message of ours that the server did not let through.
type refusals struct {
	mu   sync.Mutex // guards all below
	err  error
	when time.Time
}

// listen hears what conn reports about messages to subject, before its own handler does.
func (r *refusals) listen(conn *nats.Conn, subject string) {
	next := conn.ErrorHandler()
	conn.SetErrorHandler(func(c *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) &&
			strings.Contains(err.Error(), `Publish to "`+subject+`"`) {
			r.mu.Lock()
			r.err, r.when = err, time.Now()
			r.mu.Unlock()
		}
		if next != nil {
			next(c, sub, err)
		}
	})
}

// since returns the refusal of a message that was sent after begin, or nil.
func (r *refusals) since(begin time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil || r.when.Before(begin) {
		return nil
	}
	return r.err
}
