package serve

import (
	"crypto/rand"
	"net/http"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Send sends a seat request to the workers and returns their answer. One without an id, for which the client has sent no
// key, gets a new one. The requester keeps to the deadline by itself.
func (a *Core) Send(w http.ResponseWriter, r *Request, req messages.SeatRequest) messages.Answer {
	a.throttle.seatRequests.Add(1)
	defer a.throttle.seatRequests.Add(-1)
	if req.RequestID == "" {
		req.RequestID = rand.Text()
	}
	req.TraceID, req.TraceParent = RequestID(w), r.TraceParent
	ctx := r.Lasting
	if req.Kind == messages.KindRegister { // what frees a seat, or edits, is carried out for who has left, too
		ctx = messages.WithCaller(ctx, func() bool { return a.Pauses.left(r.Request.Context()) })
	}
	return a.Seats.Request(ctx, req, r.Deadline)
}

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
