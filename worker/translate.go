package worker

import (
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// This file is the only place where the kinds of the wire and those of the store meet. Outcomes are
// the same words in both.

// kinds is the table from the kinds of requests on the wire to those of the store, which knows
// nothing of a probe.
var kinds = map[messages.Kind]store.Kind{
	messages.KindRegister:  store.Register,
	messages.KindCancel:    store.Cancel,
	messages.KindEditEvent: store.EditEvent,
	messages.KindRecount:   store.Recount,
}

// storeRequest is a request as the store takes it, in a batch that is formed at a time, but for what the worker
// knows itself. The kind of an actor is an open set, so it is the same word in both.
func storeRequest(r messages.SeatRequest, at time.Time) store.SeatRequest {
	return store.SeatRequest{
		Kind: kinds[r.Kind], EventID: r.EventID, UserID: r.UserID, RequestID: r.RequestID, Keyed: r.Keyed, Number: r.Number,
		Actor: store.Actor{Kind: store.ActorKind(r.Actor.Kind), ID: r.Actor.ID, Proof: r.Actor.Proof}, At: at, Edit: r.Edit,
	}
}

// wireReply is what the store decided, as the requester is told it. An outcome that no kind of
// request has may have changed something: it becomes OutcomeUnknown.
func wireReply(r store.SeatResult) messages.SeatReply {
	switch {
	case r.Outcome == store.NotOrganizer: // no API process asks for it
		r.Outcome = messages.OutcomeInvalid
	case r.Outcome == store.Overtaken:
		return messages.SeatReply{Outcome: messages.OutcomeOverloaded, Again: true}
	case !r.Outcome.Valid():
		return messages.SeatReply{Outcome: messages.OutcomeUnknown}
	}
	reply := messages.SeatReply{
		Outcome: r.Outcome, Number: r.Registration.Number, RegisteredAt: r.Registration.RegisteredAt,
		Position: r.Position, OpensAt: r.OpensAt, LeaseMillis: r.Lease.Milliseconds(), LastNumber: r.LastNumber,
	}
	if !r.OpensAt.IsZero() {
		reply.OpensInMillis = max(0, time.Until(r.OpensAt).Milliseconds())
	}
	return reply
}
