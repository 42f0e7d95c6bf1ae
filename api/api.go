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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

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
	Access Access
}

// API answers HTTP requests.
type API struct {
	store  Store
	seats  *messages.Requester
	config Config
	log    zerolog.Logger
	hashes *passwords.Hasher
	gate   *gate
	router http.Handler

	giveWay *giveWay
	ready   *ready.Check
	tidying sync.WaitGroup // what goes on after its answer

	described    described
	newPasswords passwords.Policy
}

// New makes the API over a store and a requester, which stay the caller's.
func New(st Store, seats *messages.Requester, config Config, log zerolog.Logger) *API {
	if config.RequestTimeout <= 0 {
		config.RequestTimeout = 5 * time.Second
	}
	a := &API{store: st, seats: seats, config: config, log: log, hashes: passwords.NewHasher(0, 0), giveWay: newGiveWay()}
	a.ready = ready.New(a.look, "ready: seat requests get through, and the store answers", log)
	a.described = describe(a.table())
	a.gate = newGate(config.Access, log)
	// In trusted mode a password protects nothing, because anybody may act as anybody, and
	// the original's clients send what they always sent.
	if config.Access.Mode != Trusted {
		a.newPasswords = passwords.RefuseGuessable()
	}
	a.router = a.protect(a.routes())
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

// handler is a route's work. An error becomes a problem document.
type handler func(http.ResponseWriter, *http.Request) error

// route is a row of the table of routes.
type route struct {
	method, pattern string
	handle          handler
	operation       operation
}

func (a *API) table() []route {
	return []route{
		{http.MethodPost, pathUsers, a.createUser, createUserDocs()},
		{http.MethodPost, "/api/users/{user_id}/password", a.changePassword, changePasswordDocs()},
		{http.MethodPost, "/api/login", a.login, loginDocs()},
		{http.MethodGet, pathSession, a.readSession, readSessionDocs()},
		{http.MethodPost, "/api/logout", a.logout, logoutDocs()},
		{http.MethodPost, pathEvents, a.createEvent, createEventDocs()},
		{http.MethodGet, pathEvents, a.listEvents, listEventsDocs()},
		{http.MethodGet, "/api/events/{id}", a.readEvent, readEventDocs()},
		{http.MethodPost, "/api/events/{id}/registrations", a.register, registerDocs()},
		{http.MethodGet, "/api/events/{id}/registrations", a.roster, listRegistrationsDocs()},
		{http.MethodPut, "/api/events/{id}/registrations/{user_id}", a.putSeat, putRegistrationDocs()},
		{http.MethodGet, "/api/events/{id}/registrations/{user_id}", a.readSeat, readRegistrationDocs()},
		{http.MethodDelete, "/api/events/{id}/registrations/{user_id}", a.deleteSeat, deleteRegistrationDocs()},
		{http.MethodPatch, "/api/events/{id}", a.editEvent, editEventDocs()},
		{http.MethodPost, "/api/events/{id}/cancel", a.cancelEvent, cancelEventDocs()},
		{http.MethodGet, "/api/users/{user_id}/registrations", a.holdings, holdingsDocs()},
		{http.MethodGet, "/livez", a.livez, livezDocs()},
		{http.MethodGet, "/readyz", a.readyz, readyzDocs()},
		{http.MethodGet, "/openapi.json", a.openAPI, openAPIDocs()},
		{http.MethodGet, "/docs", a.docs, docsDocs()},
		{http.MethodGet, "/docs/docs.css", a.docsStyle, docsStyleDocs()},
	}
}

func (a *API) routes() http.Handler {
	mux := chi.NewRouter()
	compress := compressing()
	methods := []string{http.MethodHead}
	for _, rt := range a.table() {
		handle := a.observe(rt.pattern, a.limited(rt.pattern, a.knowing(rt.operation, rt.handle)))
		if rt.method == http.MethodGet {
			handle = compress(handle)
			mux.Method(http.MethodHead, rt.pattern, handle) // net/http leaves the body out
		}
		mux.Method(rt.method, rt.pattern, handle)
		methods = append(methods, rt.method)
	}
	noPath := func(http.ResponseWriter, *http.Request) error {
		return problem(CodeNotFound, "docs/api.md lists the paths of the API.")
	}
	notFound := a.observe("", noPath)
	mux.NotFound(notFound.ServeHTTP)
	if a.config.Pages != nil {
		mux.NotFound(a.config.Pages(notFound, inner(mux)).ServeHTTP)
	}
	mux.MethodNotAllowed(a.observe("", func(w http.ResponseWriter, r *http.Request) error {
		var allowed []string
		path := cmp.Or(r.URL.RawPath, r.URL.Path) // what chi routes by
		for _, m := range methods {
			if !slices.Contains(allowed, m) && mux.Match(chi.NewRouteContext(), m, path) {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) == 0 { // a method that chi does not know, at a path that is not there
			return noPath(w, r)
		}
		allowed = append(allowed, http.MethodOptions)
		slices.Sort(allowed) // DELETE, GET, HEAD, OPTIONS, ...
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return problem(CodeMethodNotAllowed, "The Allow header lists the methods of this path.")
	}).ServeHTTP)
	return mux
}

// eventID reads the id in the path.
func eventID(r *http.Request) (store.ID, error) {
	id, err := store.ParseID(chi.URLParam(r, "id"))
	if err != nil {
		return id, invalid(FieldError{"id", "must be an id of 24 hexadecimal digits"})
	}
	return id, nil
}

func (a *API) livez(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, status{"live"})
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
func (a *API) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	err := a.ready.Ask(ctx)
	if err == nil || errors.Is(err, messages.ErrNoWorkers) {
		return writeJSON(w, http.StatusOK, status{"ready"})
	}
	code, detail := CodeOverloaded, "The store cannot be written to."
	switch {
	case errors.Is(err, errQueue):
		detail = "No seat request gets through NATS."
	case errors.Is(err, store.ErrStorageFull):
		code, detail = CodeStorageFull, "The operator must make room; reads go on."
	case ctx.Err() != nil:
		detail = "Not everything answers in time."
	}
	p := problem(code, detail)
	p.cause = err
	return p
}

type status struct {
	Status string `json:"status"`
}
