package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// livez answers that the process runs.
func (a *API) livez(w http.ResponseWriter, _ *serve.Request) error {
	return serve.WriteJSON(w, http.StatusOK, wire.Health{Status: "live"})
}

// errQueue tells that seat requests do not get through NATS.
var errQueue = errors.New("seat requests do not get through")

// look finds out whether seat requests get through and the store takes writes. It returns
// messages.ErrNoWorkers only when the store does.
func (a *API) look(ctx context.Context) error {
	queue := a.core.Seats.Ready(ctx)
	away := queue != nil && !errors.Is(queue, messages.ErrNoWorkers)
	a.stats.up.Set("queue", !away)
	a.stats.up.Set("workers", queue == nil)
	stored := a.core.Store.Ping(ctx)
	a.stats.up.Set("store", stored == nil)
	if away {
		return fmt.Errorf("%w: %w", errQueue, queue)
	}
	return cmp.Or(stored, queue)
}

// Watch logs, until ctx ends, whenever the API becomes ready or unready, and why, and notices when the process stood
// still.
func (a *API) Watch(ctx context.Context) {
	go a.core.Pauses.Watch(ctx)
	a.ready.Watch(ctx)
}

// readyz answers load balancers: traffic is welcome while seat requests get through NATS and the store
// takes writes. Workers may be absent, because reads do not need them and they come and go.
func (a *API) readyz(w http.ResponseWriter, r *serve.Request) error {
	err := a.ready.Ask(r.Context())
	if err == nil || errors.Is(err, messages.ErrNoWorkers) {
		return serve.WriteJSON(w, http.StatusOK, wire.Health{Status: "ready"})
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

// openAPI answers with the OpenAPI document.
func (a *API) openAPI(w http.ResponseWriter, r *serve.Request) error {
	serve.WriteTagged(w, r.Request, describe.JSONMedia, a.described.JSON)
	return nil
}

// docs answers with the page for people.
func (a *API) docs(w http.ResponseWriter, r *serve.Request) error {
	w.Header().Set("Content-Security-Policy", describe.PagePolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	serve.WriteTagged(w, r.Request, describe.HTMLMedia, a.described.HTML)
	return nil
}

// docsStyle answers with the style sheet of the page.
func (a *API) docsStyle(w http.ResponseWriter, r *serve.Request) error {
	serve.WriteTagged(w, r.Request, describe.CSSMedia, a.described.CSS)
	return nil
}
