// Package api is the HTTP side: routes, decoding, status mapping and problem documents. It
// changes no seat itself: a registration becomes a message to a worker, and the worker's
// answer becomes the status.
package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/ready"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Store is what the API may ask of a store: everything but the seats.
type Store interface {
	store.Users
	store.Identity
	store.Events
	store.Finder
	store.Idempotency
	Ping(ctx context.Context) error
}

// Config has the API's settings. The zero value works.
type Config struct {
	// RequestTimeout bounds every answer that is not a stream. A registration is sent to a
	// worker at most twice within it. Default 5 s. Keep it above twice the store's usual
	// commit and below the time-outs of clients and gateways.
	RequestTimeout time.Duration
	// Pages serves everything outside the API, given what answers an unknown path and the
	// routes of the API, which it may ask in the name of its visitor (see inner). nil: there
	// are no pages.
	Pages func(notFound, routes http.Handler) http.Handler
	// Access says who may do what.
	Access gate.Config
}

// API answers HTTP requests.
type API struct {
	store  Store
	seats  *messages.Requester
	config Config
	log    zerolog.Logger
	hashes *passwords.Hasher
	gate   *gate.Gate
	router http.Handler

	giveWay *giveWay
	ready   *ready.Check
	tidying sync.WaitGroup // what goes on after its answer

	described    describe.Rendered
	newPasswords passwords.Policy
}

// New makes the API over a store and a requester, which stay the caller's.
func New(st Store, seats *messages.Requester, config Config, log zerolog.Logger) *API {
	if config.RequestTimeout <= 0 {
		config.RequestTimeout = 5 * time.Second
	}
	a := &API{store: st, seats: seats, config: config, log: log, hashes: passwords.NewHasher(0, 0), giveWay: newGiveWay()}
	a.ready = ready.New(a.look, "ready: seat requests get through, and the store answers", log)
	a.gate = gate.New(config.Access, log)
	a.described = describe.Render(described(a.table()))
	// In trusted mode a password protects nothing, because anybody may act as anybody, and
	// the original's clients send what they always sent.
	if config.Access.Mode != gate.Trusted {
		a.newPasswords = passwords.RefuseGuessable()
	}
	denied := a.observe("", func(http.ResponseWriter, *http.Request) error { return gate.ErrOrigin() })
	a.router = a.gate.BrowserRules(a.routes(), denied)
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	identify(w, r)
	if len(r.TransferEncoding) > 0 {
		// net/http believes chunks over a Content-Length that came with them. A proxy may
		// have done otherwise, so nothing that follows on this connection is trusted.
		w.Header().Set("Connection", "close")
	}
	a.router.ServeHTTP(w, r)
}

// Wait returns when nothing goes on any more that outlived its answer; each such thing ends
// within a second. Call it when requests have ended, before the store is closed.
func (a *API) Wait() { a.tidying.Wait() }

// eventID reads the event's id in the path. No event has the zero id.
func eventID(r *request) (store.ID, error) {
	id, err := store.ParseID(r.urlParam("id"))
	if err != nil {
		return id, problem.InvalidField("id", "must be an id of 24 hexadecimal digits")
	}
	if id.IsZero() {
		return id, store.ErrEventNotFound
	}
	return id, nil
}

func (a *API) livez(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, wire.Health{Status: "live"})
}

// errQueue says that no seat request gets through.
var errQueue = errors.New("no seat request gets through")

// look finds out whether the queue and the store can be reached. messages.ErrNoWorkers is
// left to readyz: the store was asked then.
func (a *API) look(ctx context.Context) error {
	queue := a.seats.Ready(ctx)
	if queue != nil && !errors.Is(queue, messages.ErrNoWorkers) {
		return fmt.Errorf("%w: %w", errQueue, queue)
	}
	return cmp.Or(a.store.Ping(ctx), queue)
}

// WatchReadiness logs, until ctx ends, whenever the API becomes ready or unready, and why.
func (a *API) WatchReadiness(ctx context.Context) { a.ready.Watch(ctx) }

// readyz is for load balancers: traffic is welcome while the queue can be reached and the store
// takes writes. Workers may be absent: what is read does not need them, and they come and go.
func (a *API) readyz(w http.ResponseWriter, r *request) error {
	err := a.ready.Ask(r.Context())
	if err == nil || errors.Is(err, messages.ErrNoWorkers) {
		return writeJSON(w, http.StatusOK, wire.Health{Status: "ready"})
	}
	code, detail := problem.Overloaded, "The store does not accept writes."
	switch {
	case errors.Is(err, errQueue):
		detail = "Seat requests do not get through NATS."
	case errors.Is(err, store.ErrStorageFull):
		code, detail = problem.StorageFull, "The operator must free space; reads still work."
	case r.Context().Err() != nil:
		detail = "A dependency did not answer in time."
	}
	return problem.Newf(code, "%s", detail).Because(err)
}

func (a *API) openAPI(w http.ResponseWriter, r *request) error {
	writeTagged(w, r.Request, describe.JSONMedia, a.described.JSON)
	return nil
}

func (a *API) docs(w http.ResponseWriter, r *request) error {
	w.Header().Set("Content-Security-Policy", describe.PagePolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	writeTagged(w, r.Request, describe.HTMLMedia, a.described.HTML)
	return nil
}

func (a *API) docsStyle(w http.ResponseWriter, r *request) error {
	writeTagged(w, r.Request, describe.CSSMedia, a.described.CSS)
	return nil
}
