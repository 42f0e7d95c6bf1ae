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

// discoverEvery is the pause between two questions of Discover: one may be lost.
const discoverEvery = 500 * time.Millisecond

// Discover asks which workers are on the NATS server, of whatever database, and calls found
// for each answer with the namespace of who gave it, until found returns false or ctx ends;
// neither is an error. A worker may answer several times. One of the version before does not
// say whom it works for: its namespace is zero. Discover fails when it cannot ask.
func Discover(ctx context.Context, conn *nats.Conn, found func(Namespace) (more bool)) error {
	answers, err := conn.SubscribeSync(conn.NewInbox())
	if err != nil {
		return fmt.Errorf("subscribe to the workers' answers: %w", err)
	}
	defer func() { _ = answers.Unsubscribe() }() // the connection may be gone; so is the subscription then
	for {
		if err := conn.PublishRequest(pingSubject, answers.Subject, nil); err != nil {
			return fmt.Errorf("ask for workers: %w", err)
		}
		listening, cancel := context.WithTimeout(ctx, discoverEvery)
		more, err := listen(listening, answers, found)
		cancel()
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
	}
}

// listen hands on the answers that come before ctx ends.
func listen(ctx context.Context, answers *nats.Subscription, found func(Namespace) bool) (more bool, err error) {
	for {
		msg, err := answers.NextMsgWithContext(ctx)
		var ping micro.Ping
		switch {
		case ctx.Err() != nil:
			return true, nil
		case errors.Is(err, nats.ErrNoResponders): // yet
			continue
		case err != nil:
			return false, fmt.Errorf("listen for workers: %w", err)
		case json.Unmarshal(msg.Data, &ping) != nil || ping.Name != ServiceName:
			continue
		}
		if !found(namespaceOf(ping.Metadata)) {
			return false, nil
		}
	}
}
