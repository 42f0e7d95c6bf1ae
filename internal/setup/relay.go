package setup

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/relay"
)

// Relay are the flags of the part that tells others of changes: of cmd/notifier, and of eventio. The
// zero value works.
type Relay struct{}

// Check fails with process.ErrUsage on a value that is out of range.
func (Relay) Check() error { return nil }

// RelayParts are what the relay works with.
type RelayParts struct {
	Store store.Store
	Link  messages.Link
}

// Run tells others of changes until ctx ends, and has ended all of it when it returns.
func (f Relay) Run(ctx context.Context, parts RelayParts, config relay.Config, log zerolog.Logger) {
	relay.New(parts.Store, config, log).Run(ctx, f.sinks(parts, log)...)
}

// sinks makes the sinks that the flags ask for. Each way to tell others adds its own here.
func (Relay) sinks(RelayParts, zerolog.Logger) []relay.Sink {
	return nil
}
