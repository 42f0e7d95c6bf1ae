// Package api answers HTTP requests. It changes no registration itself: a request for one becomes a
// message to a worker, and the worker's outcome becomes the status.
//
// A request comes through router.go, where the table has a row for each route: who may call it, which
// rate limit counts, what is read. The row's handler is in the file of its noun. An error becomes a problem
// document in translate.go, which has the tables of outcomes and of the store's errors.
//
// The packages below know no route, and each knows only those before it: problem (the codes and documents
// of errors), input (reads bodies, fields, queries), wire (the bodies as Go types), gate (who may, and
// rate limits), describe (OpenAPI).
package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/live"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/reads"
	"github.com/eventio/eventio/internal/framing"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/ready"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
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
	store.Sessions
	store.Accounts
	store.Changes
	store.Webhooks
	store.Consumers
	Ping(ctx context.Context) error
}

// sharing is a Store whose events and registrations are read for all who ask at the same time.
type sharing struct {
	Store
	reads *reads.Reads
}

// Event reads an event.
func (s sharing) Event(ctx context.Context, id store.ID) (store.Event, error) {
	return s.reads.Event(ctx, id)
}

// Registration reads a registration that is not cancelled.
func (s sharing) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	return s.reads.Registration(ctx, eventID, userID)
}

// Config has the API's settings. The zero value works.
type Config struct {
	// RequestTimeout bounds every answer that is not a stream. A registration is sent to a
	// worker at most twice within it. Default 5 s. Keep it above twice the store's usual
	// commit and below the time-outs of clients and gateways.
	RequestTimeout time.Duration
	// KeyLife is how long the idempotency key of what was created is remembered. Default
	// store.KeyLife.
	KeyLife time.Duration
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
	// Webhooks says which webhooks may be made.
	Webhooks Webhooks
	// Mail takes the mails that clients ask for, which a notifier sends. nil: there is none, and who asks
	// for a mail is told so.
	Mail outbox.Outbox
}

// API answers HTTP requests.
type API struct {
	store  Store // whose events and registrations are those of reads
	reads  *reads.Reads
	seats  *messages.Requester
	config Config
	log    zerolog.Logger
	hashes *passwords.Hasher
	gate   *gate.Gate
	router http.Handler
	// ambiguous answers a request of which it is not clear where it ends.
	ambiguous http.Handler

	throttle   *streamThrottle
	waits      *changeWaits
	live       *live.Streams
	told       toldQuotas
	ready      *ready.Check
	background sync.WaitGroup // what goes on after its answer
	ending     chan struct{}  // closed when Wait is called: nothing of that is put off any more
	end        func()         // closes ending, once

	described    describe.Rendered
	newPasswords passwords.Policy
}

// longestPause is the default of gate.Config.LongestPause, where requests have the time.
const longestPause = 3 * time.Second

// New makes the API over a store and a requester, which stay the caller's. It panics on a row of the
// table of routes that is not whole, and on a configured origin that is none.
func New(st Store, seats *messages.Requester, config Config, log zerolog.Logger) *API {
	if config.RequestTimeout <= 0 {
		config.RequestTimeout = 5 * time.Second
	}
	a := &API{seats: seats, config: config, log: log, hashes: passwords.NewHasher(0, 0), throttle: newStreamThrottle()}
	a.reads = reads.New(st, reads.Config{Timeout: config.RequestTimeout / 2, Encode: encodeEvent, Go: a.background.Go})
	a.store = sharing{st, a.reads}
	a.waits = newChangeWaits(st, config.RequestTimeout, &a.background, seats.Link())
	a.live = live.New(live.Config{
		Store: st, News: seats.Link(), Timeout: config.RequestTimeout, Most: config.LiveStreams, Busy: a.throttle.busy, Running: &a.background,
	})
	a.ending = make(chan struct{})
	a.end = sync.OnceFunc(func() { close(a.ending) })
	a.ready = ready.New(a.look, "ready: seat requests get through, and the store answers", log)
	if config.Access.LongestPause <= 0 {
		config.Access.LongestPause = min(longestPause, config.RequestTimeout/2)
	}
	a.gate = gate.New(config.Access, log)
	table := a.table()
	a.described = describe.Render(described(table))
	// In trusted mode a password protects nothing, because anybody may act as anybody, and
	// the original's clients send what they always sent.
	if config.Access.Mode != gate.Trusted {
		a.newPasswords = passwords.RefuseGuessable()
	}
	a.router = a.gate.BrowserRules(a.routes(table), a.described.AnswerHeaders, func(err error) http.Handler {
		return a.observe("", func(http.ResponseWriter, *request) error { return err })
	})
	a.ambiguous = a.observe("", func(http.ResponseWriter, *request) error {
		return problem.InvalidField("Content-Length", "must not come with Transfer-Encoding; send one of them")
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setRequestID(w, r)
	if len(r.TransferEncoding) > 0 {
		switch framing.Of(r) {
		case framing.Clear:
		case framing.Ambiguous:
			w.Header().Set("Connection", "close")
			a.ambiguous.ServeHTTP(w, r)
			return
		default:
			// net/http takes chunks rather than a Content-Length that came with them. A proxy may
			// have done otherwise, so nothing that follows on this connection is trusted.
			w.Header().Set("Connection", "close")
		}
	}
	a.router.ServeHTTP(w, r)
}

// EndWaits answers everybody who waits for changes, ends the live streams, and lets nobody begin any
// more. Call it when the process begins to drain.
func (a *API) EndWaits() {
	a.waits.end()
	a.live.End()
}

// Listening returns how many live streams there are.
func (a *API) Listening() int { return a.live.Open() }

// Waiting returns how many clients wait for changes.
func (a *API) Waiting() int { return a.waits.count() }

// Wait returns when nothing goes on any more that outlived its answer. That takes a second at most, or
// RequestTimeout when somebody has just been erased. Call it when requests have ended, before the
// store is closed. It may be called more than once.
func (a *API) Wait() {
	a.end()
	a.live.End()
	a.background.Wait()
}
