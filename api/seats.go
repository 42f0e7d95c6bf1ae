package api

import (
	"net/http"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// send sends a seat request to the workers and returns their answer. The requester keeps to the
// deadline by itself.
func (a *Core) send(w http.ResponseWriter, r *request, req messages.SeatRequest) messages.Answer {
	a.throttle.seatRequests.Add(1)
	defer a.throttle.seatRequests.Add(-1)
	req.TraceID = requestID(w)
	return a.seats.Request(r.lasting, req, r.deadline)
}

// actor makes what tells the workers who acts, and in which role. Somebody unproven acts as the user
// whom the request is for, or as the zero id where it is for nobody.
func actor(who gate.Caller, role messages.ActorKind, user store.ID) messages.Actor {
	if !who.Proven {
		return messages.Actor{Kind: messages.ActorUnproven, ID: user}
	}
	return messages.Actor{Kind: role, ID: who.ID}
}
