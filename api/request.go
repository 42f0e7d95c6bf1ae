package api

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
)

// handler does a route's work for a request that the route's row has let through. An error
// becomes a problem document.
type handler func(http.ResponseWriter, *request) error

// request is a request that the row of its route has let through.
type request struct {
	*http.Request
	pattern   string // of the route; empty: it has none
	requestID string
	// caller is who sent it. It is the zero value on routes that are open to anybody.
	caller gate.Caller
	// body is what was sent on a route that reads it. strict says that the client wants to be told
	// of fields in it that would be ignored.
	body   []byte
	strict bool
	// deadline is when the answer is due, or the first piece of a streamed one. The time for it
	// begins when the request has been read.
	deadline time.Time

	// charge counts a request against the limit of its row as so many, when the handler knows what
	// it costs. It fails with the problem RateLimited.
	charge func(cost int) error

	// lasting ends when the lifetime of the row says so, and not at the deadline. It is for what
	// keeps to the deadline by itself.
	lasting context.Context
	bounded context.Context // what Context returns, once it was asked for
	release context.CancelFunc
}

// start sets the deadline and the lifetime of the work, which goes on after the client has left or ends then.
func (r *request) start(goesOn bool, limit time.Duration) {
	r.deadline = time.Now().Add(limit)
	r.lasting = r.Request.Context()
	if goesOn {
		r.lasting = context.WithoutCancel(r.lasting)
	}
}

// restart gives the answer its time anew, after a wait that the client asked for.
func (r *request) restart(limit time.Duration) {
	r.end()
	r.bounded, r.release = nil, nil
	r.deadline = time.Now().Add(limit)
}

// end releases what Context has made.
func (r *request) end() {
	if r.release != nil {
		r.release()
	}
}

// Context returns the context of the work for the answer. It ends at the deadline, and when the
// client leaves where the row says so.
func (r *request) Context() context.Context {
	if r.bounded == nil {
		r.bounded, r.release = context.WithDeadline(r.lasting, r.deadline)
	}
	return r.bounded
}

// decode decodes the body into the struct that v points to.
func (r *request) decode(v any, options ...json.Options) error {
	if r.strict {
		options = append(options, json.RejectUnknownMembers(true))
	}
	return input.Decode(r.body, v, options...)
}

// urlParam returns the part of the path that the route's pattern gives a name.
func (r *request) urlParam(name string) string { return chi.URLParam(r.Request, name) }
