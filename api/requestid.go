package api

import (
	"crypto/rand"
	"net/http"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
)

// identify gives the answer the client's X-Request-Id, or one of our own when it sent none,
// several, or one that is not safe to repeat.
func identify(w http.ResponseWriter, r *http.Request) {
	var id string
	if sent := r.Header[wire.HeaderRequestID]; len(sent) == 1 && messages.ValidTraceID(sent[0]) {
		id = sent[0]
	} else {
		id = rand.Text()
	}
	w.Header()[wire.HeaderRequestID] = []string{id}
}

// requestID is what identify gave.
func requestID(w http.ResponseWriter) string { return w.Header().Get(wire.HeaderRequestID) }
