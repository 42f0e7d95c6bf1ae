package worker

import (
	"context"
	"net/http"
	"time"
)

// readyLimit bounds the look at the store.
const readyLimit = 2 * time.Second

// Health answers /livez, and /readyz: 200 while requests are taken and ping finds the store.
func (w *Worker) Health(ping func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyLimit)
		defer cancel()
		err := ping(ctx)
		if err != nil {
			w.noise.Warn().Err(err).Msg("the store cannot be reached")
		}
		if err != nil || !w.Ready() {
			http.Error(rw, "not ready", http.StatusServiceUnavailable)
		}
	})
	return mux
}
