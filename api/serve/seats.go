package serve

import (
	"errors"
	"net/http"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Send sends a seat request to the workers and returns their answer. The requester keeps to the
// deadline by itself.
func (a *Core) Send(w http.ResponseWriter, r *Request, req messages.SeatRequest) messages.Answer {
	a.throttle.seatRequests.Add(1)
	defer a.throttle.seatRequests.Add(-1)
	req.TraceID = RequestID(w)
	if r.TraceID != "" {
		req.TraceParent = tracing.Parent(r.Request.Context())
	}
	if req.Kind == messages.KindRegister && a.Pauses.left(r.Request.Context()) {
		return messages.Answer{Reply: messages.SeatReply{Outcome: messages.OutcomeOverloaded}, Cause: errLeft}
	}
	return a.Seats.Request(messages.WithCaller(r.Lasting, r.Request.Context()), req, r.Deadline)
}

// errLeft is why a request is not sent that waited while the process stood still.
var errLeft = errors.New("the process stood still, and the client has left")

// Actor makes what tells the workers who acts, and in which role. Somebody unproven acts as the user
// whom the request is for, or as the zero id where it is for nobody.
func Actor(who gate.Caller, role messages.ActorKind, user store.ID) messages.Actor {
	if !who.Proven {
		return messages.Actor{Kind: messages.ActorUnproven, ID: user}
	}
	by := messages.Actor{Kind: role, ID: who.ID, Proof: who.Proof}
	if !who.KeyID.IsZero() {
		by.Proof = store.ByKey(who.KeyID)
	}
	return by
}
