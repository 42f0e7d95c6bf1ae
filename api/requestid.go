package api

import (
	"crypto/rand"
	"net/http"

	"github.com/eventio/eventio/pkg/messages"
)

// headerRequestID names a request in every answer, in the API's log line and in the
// worker's, there as request_id.
const headerRequestID = "X-Request-Id"

// identify gives the answer the client's X-Request-Id, or one of our own when it sent none,
// several, or one that is not safe to repeat.
func identify(w http.ResponseWriter, r *http.Request) {
	var id string
	if sent := r.Header[headerRequestID]; len(sent) == 1 && messages.ValidTraceID(sent[0]) {
		id = sent[0]
	} else {
		id = rand.Text()
	}
	w.Header()[headerRequestID] = []string{id}
}

// requestID is what identify gave.
func requestID(w http.ResponseWriter) string { return w.Header().Get(headerRequestID) }
