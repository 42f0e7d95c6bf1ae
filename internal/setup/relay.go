package setup

import (
	"context"
	"sync"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/relay"
	"github.com/eventio/eventio/relay/cloudevents"
	"github.com/eventio/eventio/relay/mail"
)

// Relay are the flags of the part that tells others of changes: of cmd/notifier, and of eventio. The
// zero value works.
type Relay struct {
	NATSEvents bool `name:"nats-events" env:"EVENTIO_NATS_EVENTS" default:"true" negatable:"" help:"Publish every change as a CloudEvent on NATS, on PREFIX.events.EVENT_ID.TYPE."`
	Mail
}

// Check fails with process.ErrUsage on a value that is out of range.
func (f Relay) Check() error { return f.Mail.Check() }

// RelayStore is what the relay asks of a store.
type RelayStore interface {
	store.Store
	outbox.Outbox
}

// RelayParts are what the relay works with.
type RelayParts struct {
	Store RelayStore
	Link  messages.Link
}

// Run tells others of changes until ctx ends, and has ended all of it when it returns.
func (f Relay) Run(ctx context.Context, parts RelayParts, config relay.Config, log zerolog.Logger) {
	var sinks []relay.Sink
	var running sync.WaitGroup
	if f.NATSEvents {
		if sink, err := cloudevents.NewSink(parts.Link); err != nil {
			log.Error().Err(err).Msg("no events are published on NATS")
		} else {
			sinks = append(sinks, sink)
		}
	}
	if f.On() {
		if server, site, err := f.server(); err != nil { // which Check has read
			log.Error().Err(err).Msg("no mail is sent")
		} else {
			sender := mail.NewSender(parts.Store, server, site, log)
			sinks = append(sinks, mail.NewSink(parts.Store, sender.Wake))
			running.Go(func() { sender.Run(ctx) })
		}
	}
	relay.New(parts.Store, config, log).Run(ctx, sinks...)
	running.Wait()
}
