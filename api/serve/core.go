// Package serve has what the handlers of all routes share: the request, answers of every form, streams,
// idempotency keys, quotas, and the problems that outcomes and errors become. It knows no route.
package serve

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/reads"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// Store is what the API may ask of a store: everything but the seats.
type Store interface {
	store.Users
	store.Keys
	store.Events
	store.Registrations
	store.Attendees
	store.Idempotency
	store.Quotas
	store.Refusals
	store.Sessions
	store.Accounts
	store.Changes
	store.Webhooks
	store.Consumers
	Ping(ctx context.Context) error
}

// Config has the API's settings. The zero value works.
type Config struct {
	// RequestTimeout bounds every answer that is not a stream. A registration is sent to a
	// worker at most twice within it while none replies. Default 5 s. Keep it above twice the store's usual
	// commit and below the time-outs of clients and gateways.
	RequestTimeout time.Duration
	// KeyLife is how long the idempotency key of what was created is remembered. Default
	// store.KeyLife.
	KeyLife time.Duration
	// RepeatsWithin is how long after a registration the same POST without a key of the client's is taken for
	// a repetition of it by a gateway. 0: never.
	RepeatsWithin time.Duration
	// Pages serves everything outside the API, given what answers an unknown path and the
	// routes of the API, which it may ask in the name of its visitor (see inner). nil: there
	// are no pages.
	Pages func(notFound, routes http.Handler) http.Handler
	// Access says who may do what.
	Access gate.Config
	// Quotas say how much of it.
	Quotas Quotas
	// LiveStreams is how many live streams there may be at once, at most
	// live.DefaultStreams, which is also the default.
	LiveStreams int
	// ChangeWaits is how many clients may wait for changes at once, at most 256, which is also the
	// default.
	ChangeWaits int
	// Webhooks says which webhooks may be made.
	Webhooks Webhooks
	// Tracer makes the spans of requests. nil: there are none.
	Tracer *tracing.Tracer
	// Mail takes the mails that clients ask for, which a notifier sends. nil: there is none, and who asks
	// for a mail is told so.
	Mail outbox.Outbox
}

// Webhooks has the settings of webhooks. The zero value takes no URL.
type Webhooks struct {
	// CheckURL returns why a URL is not taken, for the client, or nil.
	CheckURL func(url string) error
	// Operators are the users who may be told of everybody's events.
	Operators []store.ID
}

// Core is what the handlers of all routes share. It is safe for concurrent use.
type Core struct {
	Store  Store        // reads events and lists of registrations by Reads
	Reads  *reads.Reads // shares reads among those who ask at the same time
	Seats  *messages.Requester
	Config Config // with its defaults
	Log    zerolog.Logger
	Gate   *gate.Gate

	// Hashes says how many passwords are looked at, at a time.
	Hashes *passwords.Hasher

	Background sync.WaitGroup  // what goes on after its answer
	Ending     <-chan struct{} // closed when Wait is called: nothing of that is put off any more
	end        func()          // closes ending, once
	throttle   *streamThrottle
	Pauses     *Pauses
	told       toldQuotas
}

// longestPause is the default of gate.Config.LongestPause, where requests have the time.
const longestPause = 3 * time.Second

// New makes what the handlers of all routes share, over a store and a requester, which stay the
// caller's. It panics on a configured origin that is none.
func New(st Store, seats *messages.Requester, config Config, log zerolog.Logger) *Core {
	if config.RequestTimeout <= 0 {
		config.RequestTimeout = 5 * time.Second
	}
	if config.Access.LongestPause <= 0 {
		config.Access.LongestPause = min(longestPause, config.RequestTimeout/2)
	}
	ending := make(chan struct{})
	a := &Core{
		Seats: seats, Config: config, Log: log, Gate: gate.New(config.Access, log),
		Ending: ending, end: sync.OnceFunc(func() { close(ending) }), throttle: newStreamThrottle(), Pauses: &Pauses{begun: time.Now()}, Hashes: passwords.NewHasher(0, 0),
	}
	a.Hashes.GiveWay(a.Busy)
	a.Reads = reads.New(st, reads.Config{Timeout: config.RequestTimeout / 2, Go: a.Background.Go})
	a.Store = sharing{st, a.Reads}
	return a
}

// sharing is a Store whose events and lists of registrations are read for all who ask at the same time.
type sharing struct {
	Store
	reads *reads.Reads
}

// Event reads an event.
func (s sharing) Event(ctx context.Context, id store.ID) (store.Event, error) {
	return s.reads.Event(ctx, id)
}

// UserRegistrations reads a user's registrations.
func (s sharing) UserRegistrations(ctx context.Context, user, before store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	return s.reads.UserRegistrations(ctx, user, before, limit)
}

// Position finds a position in a waiting list, if it can from the event alone.
func (s sharing) Position(ctx context.Context, eventID store.ID, number int64) (int64, error) {
	e, err := s.reads.Event(ctx, eventID)
	if err != nil {
		return 0, err
	}
	if n, ok := waiting.Position(e, number); ok {
		return n, nil
	}
	return s.Store.Position(ctx, eventID, number)
}

// Wait returns when nothing goes on any more that outlived its answer. That takes a second at most, or
// RequestTimeout when somebody has just been erased. Call it when requests have ended, before the
// store is closed. It may be called more than once.
func (a *Core) Wait() {
	a.end()
	a.Background.Wait()
}

// Recovered runs work and turns its panic into an error, so that the process lives on.
func Recovered(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work()
}
