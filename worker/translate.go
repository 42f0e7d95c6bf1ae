package worker

import (
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// This file is the only place where the words of the wire and the words of the store meet.

// outcomes is the table from the store's outcomes to those on the wire.
var outcomes = map[store.Outcome]messages.Outcome{
	store.Registered:            messages.OutcomeRegistered,
	store.AlreadyRegistered:     messages.OutcomeAlreadyRegistered,
	store.Waitlisted:            messages.OutcomeWaitlisted,
	store.AlreadyWaitlisted:     messages.OutcomeAlreadyWaitlisted,
	store.SoldOut:               messages.OutcomeSoldOut,
	store.EventNotFound:         messages.OutcomeEventNotFound,
	store.RegistrationNotOpen:   messages.OutcomeRegistrationNotOpen,
	store.RegistrationClosed:    messages.OutcomeRegistrationClosed,
	store.RegistrationCancelled: messages.OutcomeRegistrationCancelled,
	store.EventCancelled:        messages.OutcomeEventCancelled,
	store.EmailUnproven:         messages.OutcomeEmailUnproven,
	store.Cancelled:             messages.OutcomeCancelled,
	store.RegistrationChanged:   messages.OutcomeRegistrationChanged,
	store.Edited:                messages.OutcomeEdited,
	store.VersionMismatch:       messages.OutcomeVersionMismatch,
	store.CapacityBelowSold:     messages.OutcomeCapacityBelowSold,
	store.NotOrganizer:          messages.OutcomeInvalid, // no API process asks for it
	store.Recounted:             messages.OutcomeRecounted,
	store.Overbooked:            messages.OutcomeOverbooked,
}

// kinds is the table from the kinds of requests on the wire to those of the store, which knows
// nothing of a probe.
var kinds = map[messages.Kind]store.Kind{
	messages.KindRegister:  store.Register,
	messages.KindCancel:    store.Cancel,
	messages.KindEditEvent: store.EditEvent,
	messages.KindRecount:   store.Recount,
}

// storeRequest is a request as the store takes it, in a batch that is formed at a time. The kind
// of an actor is an open set, so it is the same word in both.
func storeRequest(r messages.SeatRequest, at time.Time) store.SeatRequest {
	return store.SeatRequest{
		Kind: kinds[r.Kind], EventID: r.EventID, UserID: r.UserID, RequestID: r.RequestID, Keyed: r.Keyed, Number: r.Number,
		Actor: store.Actor{Kind: store.ActorKind(r.Actor.Kind), ID: r.Actor.ID}, At: at, Edit: (*store.Edit)(r.Edit),
	}
}

// wireReply is what the store decided, as the requester is told it. An outcome that is missing
// in the table may have changed something: it becomes OutcomeUnknown.
func wireReply(r store.SeatResult) messages.SeatReply {
	outcome, ok := outcomes[r.Outcome]
	if !ok {
		return messages.SeatReply{Outcome: messages.OutcomeUnknown}
	}
	return messages.SeatReply{
		Outcome: outcome, Number: r.Registration.Number, RegisteredAt: r.Registration.RegisteredAt,
		Position: r.Position, OpensAt: r.OpensAt,
	}
}
