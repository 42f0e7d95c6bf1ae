// Package baseline is what the product is measured against: servers that do less, and the
// original's way. They have the product's routes, limits and client libraries.
package baseline

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/nats-io/nats.go"
)

const (
	// subject is where Queued asks.
	subject = "loadtest.seats"
	// route is the product's.
	route = "/api/events/{id}/registrations"
	// requestTimeout is the product's default.
	requestTimeout = 5 * time.Second
	// maxBody is more than any request of a load.
	maxBody = 4 << 10
)

// created is the answer of all that decide nothing, of the size of a real one.
const created = `{"event_id":"000000000000000000000000","user_id":"000000000000000000000000",` +
	`"registered_at":"2026-01-01T00:00:00.000Z","number":100000,"status":"confirmed"}`

// decided is what a worker that decides nothing replies, of the size of a real reply.
const decided = `{"v":1,"outcome":"registered","number":100000,"registered_at":"2026-01-01T00:00:00.000Z"}`

func routed(register http.HandlerFunc) http.Handler {
	router := chi.NewRouter()
	router.Post(route, register)
	return router
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

func writeCreated(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, body) // the client is gone
}

// Null is L0: it reads the request and answers 201 at once.
func Null() http.Handler {
	return routed(func(w http.ResponseWriter, r *http.Request) {
		if _, err := readBody(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeCreated(w, created)
	})
}

// Queued is the HTTP side of L1: Null with one NATS request, whose reply it awaits.
func Queued(conn *nats.Conn) http.Handler {
	return routed(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		reply, err := conn.RequestWithContext(ctx, subject, body)
		if err == nil && len(reply.Data) == 0 {
			err = errors.New("an empty reply")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		writeCreated(w, created)
	})
}

// Reply is the worker's side of L1: it replies to everything at once.
func Reply(conn *nats.Conn) error {
	if _, err := conn.QueueSubscribe(subject, "workers", func(m *nats.Msg) {
		_ = m.Respond([]byte(decided)) // the HTTP side waits in vain, and says so
	}); err != nil {
		return err
	}
	return conn.Flush()
}
