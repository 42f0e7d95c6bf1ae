package serve

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
)

// Handler does a route's work for a request that the route's row has let through. An error
// becomes a problem document.
type Handler func(http.ResponseWriter, *Request) error

// Request is a request that the row of its route has let through.
type Request struct {
	*http.Request
	Route     string // of the route; empty: it has none
	RequestID string
	// TraceID is that of the trace to which the request belongs; empty: it is not traced.
	TraceID string
	// TraceParent is what lets workers go on with that trace; empty: it is not traced.
	TraceParent string
	// Caller is who sent it. It is the zero value on routes that are open to anybody.
	Caller gate.Caller
	// Sent is what was sent on a route that reads it. strict says that the client wants to be told
	// of fields in it that would be ignored.
	Sent   []byte
	Strict bool
	// Deadline is when the answer is due, or the first piece of a streamed one. The time for it
	// begins when the request has been read.
	Deadline time.Time

	// Charge counts a request against the limit of its row as so many, when the handler knows what
	// it costs. It fails with the problem RateLimited.
	Charge func(cost int) error
	// CountAsReads counts a request against the limit of reads instead, as so many: it came too early to change anything. It
	// fails with the problem RateLimited.
	CountAsReads func(cost int) error

	// Lasting ends when the lifetime of the row says so, and not at the deadline. It is for what
	// keeps to the deadline by itself.
	Lasting context.Context
	bounded context.Context // what Context returns, once it was asked for
	release context.CancelFunc
}

// Start sets the deadline and the lifetime of the work, which goes on after the client has left or ends then.
func (r *Request) Start(goesOn bool, limit time.Duration) {
	r.Deadline = time.Now().Add(limit)
	r.Lasting = r.Request.Context()
	if goesOn {
		r.Lasting = context.WithoutCancel(r.Lasting)
	}
}

// Restart gives the answer its time anew, after a wait that the client asked for.
func (r *Request) Restart(limit time.Duration) {
	r.End()
	r.bounded, r.release = nil, nil
	r.Deadline = time.Now().Add(limit)
}

// End releases what Context has made.
func (r *Request) End() {
	if r.release != nil {
		r.release()
	}
}

// Context returns the context of the work for the answer. It ends at the deadline, and when the
// client leaves where the row says so.
func (r *Request) Context() context.Context {
	if r.bounded == nil {
		r.bounded, r.release = context.WithDeadline(r.Lasting, r.Deadline)
	}
	return r.bounded
}

// Decode decodes the body into the struct that v points to.
func (r *Request) Decode(v any, options ...json.Options) error {
	if r.Strict {
		options = append(options, json.RejectUnknownMembers(true))
	}
	return input.Decode(r.Sent, v, options...)
}

// URLParam returns the part of the path that the route's pattern gives a name.
func (r *Request) URLParam(name string) string { return chi.URLParam(r.Request, name) }
