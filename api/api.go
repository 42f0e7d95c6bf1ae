// Package api answers HTTP requests. It changes no registration itself: a request for one becomes a
// message to a worker, and the worker's outcome becomes the status.
//
// A request comes through router.go, where the table has a row for each route: who may call it, which
// rate limit counts, what is read. The row's handler is in the package of its noun:
// accounts, events, registrations or webhooks, which share serve. An error becomes a problem
// document in serve/translate.go, which has the tables of outcomes and of the store's errors.
//
// The packages below know no route, and each knows only those before it: problem (the codes and documents
// of errors), input (reads bodies, fields, queries), wire (the bodies as Go types), gate (who may, and
// rate limits), describe (OpenAPI).
package api

import (
	"net/http"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/accounts"
	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/events"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/registrations"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/webhooks"
	"github.com/eventio/eventio/internal/framing"
	"github.com/eventio/eventio/internal/ready"
	"github.com/eventio/eventio/pkg/messages"
)

// Store is what the API may ask of a store: everything but the seats.
type Store = serve.Store

// Config has the API's settings. The zero value works.
type Config = serve.Config

// Quotas bound what is stored for somebody in a day of UTC.
type Quotas = serve.Quotas

// Webhooks has the settings of webhooks. The zero value takes no URL.
type Webhooks = serve.Webhooks

// API answers HTTP requests.
type API struct {
	core          *serve.Core
	accounts      *accounts.Handlers
	events        *events.Handlers
	registrations *registrations.Handlers
	webhooks      *webhooks.Handlers
	router        http.Handler
	// ambiguous answers a request of which it is not clear where it ends.
	ambiguous http.Handler

	ready     *ready.Check
	stats     *stats
	described describe.Rendered
}

// New makes the API over a store and a requester, which stay the caller's. It panics on a row of the
// table of routes that is not whole, and on a configured origin that is none.
func New(st serve.Store, seats *messages.Requester, config serve.Config, log zerolog.Logger) *API {
	core := serve.New(st, seats, config, log)
	a := &API{
		core: core, accounts: accounts.New(core), events: events.New(core), registrations: registrations.New(core), webhooks: webhooks.New(core),
	}
	a.stats = newStats(a)
	a.ready = ready.New(a.look, "ready: seat requests get through, and the store answers", log)
	table := a.table()
	a.described = describe.Render(described(table))
	a.router = a.core.Gate.BrowserRules(a.routes(table), a.described.AnswerHeaders, func(err error) http.Handler {
		return a.observe("", func(http.ResponseWriter, *serve.Request) error { return err })
	})
	a.ambiguous = a.observe("", func(http.ResponseWriter, *serve.Request) error {
		return problem.InvalidField("Content-Length", "must not come with Transfer-Encoding; send one of them")
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve.SetRequestID(w, r)
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
func (a *API) EndWaits() { a.events.EndWaits() }

// Listening returns how many live streams there are.
func (a *API) Listening() int { return a.events.Listening() }

// Waiting returns how many clients wait for changes.
func (a *API) Waiting() int { return a.events.Waiting() }

// Wait returns when nothing goes on any more that outlived its answer. That takes a second at most, or
// RequestTimeout when somebody has just been erased. Call it when requests have ended, before the
// store is closed. It may be called more than once.
func (a *API) Wait() {
	a.events.EndWaits()
	a.core.Wait()
}
