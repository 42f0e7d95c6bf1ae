package messages

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// discoverInterval is the time between two pings of Discover: one may be lost.
const discoverInterval = 500 * time.Millisecond

// Discover pings the workers of all databases on a NATS server, and calls found for each answer
// with the namespace of the worker, until found returns false or ctx ends; neither is an error.
// A worker may answer several times. A worker of the version before does not say its namespace,
// which is zero then. Discover fails when it cannot send a ping.
func Discover(ctx context.Context, conn *nats.Conn, found func(Namespace) (more bool)) error {
	pongs, err := conn.SubscribeSync(newInbox(conn))
	if err != nil {
		return fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	defer func() { _ = pongs.Unsubscribe() }() // fails on a closed connection, which has no subscriptions
	for {
		if err := conn.PublishRequest(pingSubject, pongs.Subject, nil); err != nil {
			return fmt.Errorf("ping the workers: %w", err)
		}
		interval, cancel := context.WithTimeout(ctx, discoverInterval)
		more, err := readPongs(interval, pongs, found)
		cancel()
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
	}
}

// readPongs calls found for each answer to a ping until found returns false or ctx ends.
func readPongs(ctx context.Context, pongs *nats.Subscription, found func(Namespace) bool) (more bool, err error) {
	for {
		msg, err := pongs.NextMsgWithContext(ctx)
		var pong micro.Ping
		switch {
		case ctx.Err() != nil:
			return true, nil
		case errors.Is(err, nats.ErrNoResponders): // a worker may still start
			continue
		case err != nil:
			return false, fmt.Errorf("read the workers' answers: %w", err)
		case json.Unmarshal(msg.Data, &pong) != nil || pong.Name != ServiceName:
			continue
		}
		if !found(namespaceOf(pong.Metadata)) {
			return false, nil
		}
	}
}
