package messages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// probeTimeout bounds the wait for the reply to a probe.
const probeTimeout = time.Second

// ErrNoWorkers is what Requester.Ready returns when requests can be sent, and no worker replies.
var ErrNoWorkers = errors.New("no worker answers seat requests")

// newProbe makes a request that takes the same way as all others and changes nothing. A worker of
// an older version replies that it does not know the kind, which proves the way as well.
func newProbe() SeatRequest { return SeatRequest{Kind: KindProbe, RequestID: "probe"} }

// checkConnection returns why no request can be sent over conn, or nil.
func checkConnection(conn *nats.Conn) error {
	if !conn.IsConnected() {
		if Refused(conn.LastError()) {
			return fmt.Errorf("NATS: the server refuses the login of this process (%s)", loginOf(conn.Opts))
		}
		return fmt.Errorf("NATS: the connection is %s", strings.ToLower(conn.Status().String()))
	}
	return checkPayload(conn)
}

// checkPayload fails when the server's payload limit is below MaxMessage.
func checkPayload(conn *nats.Conn) error {
	if limit := conn.MaxPayload(); limit < MaxMessage {
		return fmt.Errorf("NATS: max_payload of the server is %d bytes, messages have up to %d", limit, MaxMessage)
	}
	return nil
}

// Probe sends a message over conn, the worker's own connection, to the worker's own subject, and
// waits 1 s at most until the worker has answered it. So it fails when anything on the way is
// missing: the connection, a permission to publish or to subscribe, or the subscription. About
// the subject of all workers it finds out only whether anybody is subscribed, because any worker
// may reply there.
func (s *Service) Probe(ctx context.Context, conn *nats.Conn) error {
	if err := checkConnection(conn); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req := newProbe()
	req.RemainingMillis = probeTimeout.Milliseconds()
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

// Ready returns why requests are not answered now, or nil. It sends a probe and waits for the
// reply, 1 s at most. ErrNoWorkers means that messages get through and no worker replies; every
// other error that no message gets through.
func (r *Requester) Ready(ctx context.Context) error {
	if err := checkConnection(r.conn); err != nil {
		return err
	}
	started := time.Now()
	err := r.probe(ctx, r.router.shared)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: none is there", ErrNoWorkers)
	case !errors.Is(err, errNoReply):
		return fmt.Errorf("NATS: %w", err)
	}
	if err := r.refusals.Since(started); err != nil {
		return err
	}
	// Either the workers do not reply, or their replies do not get here. On a subject without
	// subscribers the server itself replies, so the same probe there tells which.
	if err := r.probe(ctx, workerSubject(r.router.shared, "nobody")); errors.Is(err, errNoReply) {
		return fmt.Errorf("NATS: no answer reaches this process: is it permitted to subscribe to %s.*?", r.batcher.inbox)
	}
	return fmt.Errorf("%w: one is there and silent", ErrNoWorkers)
}

// probe sends a probe to a subject and returns nil when it was answered, or else why not.
func (r *Requester) probe(ctx context.Context, subject string) error {
	deadline := time.Now().Add(probeTimeout)
	timer := time.NewTimer(probeTimeout)
	defer timer.Stop()
	c := r.batcher.send(subject, newProbe(), deadline)
	if got, ok := c.wait(ctx, timer.C); ok {
		return got.err
	}
	r.batcher.abandon(c)
	return errNoReply
}
