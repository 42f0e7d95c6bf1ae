package worker

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/eventio/eventio/internal/ready"
	"github.com/eventio/eventio/internal/telemetry/measure"
)

// errNotStarted is why a worker is not ready before Start and after Stop.
var errNotStarted = errors.New("the worker takes no requests")

// Ready returns why the worker takes no requests now, or nil. It sends a message through NATS to
// the worker itself, so that a missing permission shows too, and waits at most 1 s.
func (w *Worker) Ready(ctx context.Context) error {
	w.mu.Lock()
	service, stopped := w.service, w.stopped
	w.mu.Unlock()
	if service == nil || stopped {
		return errNotStarted
	}
	return service.Probe(ctx, w.conn)
}

// Readiness returns a check of the worker and of its store, which ping pings. The check logs each
// change, and notes in up what it found of the queue and the store.
func (w *Worker) Readiness(ping func(context.Context) error, up measure.Dependencies) *ready.Check {
	return ready.New(func(ctx context.Context) error {
		queue, stored := w.Ready(ctx), ping(ctx)
		up.Set("queue", queue == nil)
		up.Set("store", stored == nil)
		return cmp.Or(queue, stored)
	}, "taking seat requests", w.log)
}

// Health returns a handler that answers /livez always with 200, and /readyz with 200 or 503 as
// check says.
func Health(check *ready.Check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		if check.Ask(r.Context()) != nil { // the reason is in the log
			http.Error(rw, "not ready", http.StatusServiceUnavailable)
		}
	})
	return mux
}
