// Package messages is the contract between the API and the workers: every subject, queue
// group, request, reply and outcome, their one encoding, and the Requester by which the API
// sends requests.
//
// # Databases
//
// Every subject begins with the operator's prefix and the id of a database, see Namespace. So a
// message reaches processes of its own database only, whatever else uses the NATS server.
//
// # Delivery
//
// Core NATS delivers at most once: a request may be lost, and so may its reply. Therefore every
// request carries a request id, and a repeated request changes nothing and gets the answer of
// the first one. A caller who gets no answer is told OutcomeUnknown and may simply repeat.
//
// # When a worker dies
//
// Requests for one event go to one worker, each on the subject of that worker alone. A worker's
// death is noticed in three ways, all of them by the Requester:
//
//   - Its process has ended. The NATS server drops its subscriptions and answers the next request
//     "no responders" at once. The Requester forgets the worker and sends the request to the
//     queue group of all workers.
//   - It was sent a request and does not reply, because it has died since or is frozen. When half
//     of the caller's time is over, the Requester sends the request again, under the same request
//     id, to a worker that has answered a ping meanwhile.
//   - It does not answer pings, which a Requester in use sends once a second. After two of
//     them its events go to other workers, after five it is forgotten.
//
// Whether the dead worker applied the request does not matter: a batch is stored as a whole or
// not at all, and the second worker finds the request id if it was. When no attempt is answered,
// the caller is told OutcomeUnknown. routing.go chooses workers, package liveness counts their pings.
//
// # Several requests in one message
//
// A message has one or more requests, each a JSON object on a line of its own. There is no
// timer: an idle API process sends a request at once and alone, a busy one sends together what
// was made while the last message was being sent. The reply subject is REQUESTER.MESSAGE: the
// first part names the API process, the last token the message. A reply names its message and
// its position there, so replies to one API process share messages too, in any order, on the
// reply subject of any message that they answer.
//
// # What a message proves
//
// Nothing: whoever may publish on NATS can send any message. A worker therefore checks every
// request as the API has, and replies to inboxes only. A Requester believes a reply that names
// its message, whose name nobody can guess, and whose outcome fits the request; who can listen on
// NATS knows that name, so listening is a right that only the processes of a deployment may have.
// A Revocation is only a hint to read the store. docs/security.md says what each forged message
// can do.
//
// # What crosses
//
// A reply is an outcome and plain data. Error texts, wrapped causes and details of the store
// stay in the worker's log.
package messages

import (
	"slices"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// QueueWorkers is the queue group in which all workers of a database share its requests.
	QueueWorkers = "workers"
	// MaxMessage is the size of the largest message that either side accepts, in bytes. An edit
	// with the longest texts, every character escaped, is smaller. The default limit of NATS,
	// 1 MiB, is larger.
	MaxMessage = 256 << 10
	// MaxRequests is the most requests in one message. A message may be full of requests of a few
	// bytes, each of which costs a reply.
	MaxRequests = 256
)

// Kind says what a SeatRequest asks for.
type Kind string

// The kinds of requests. Never rename, never reuse.
const (
	KindRegister  Kind = "register"   // registers the user, or puts them on the waiting list
	KindCancel    Kind = "cancel"     // cancels the user's registration
	KindEditEvent Kind = "edit_event" // applies an organizer's edit to the event
	KindRecount   Kind = "recount"    // sets the event's counters from its registrations
	KindProbe     Kind = "probe"      // changes nothing; the worker answers OutcomeProbed
)

// SeatRequest asks a worker to change a registration or an event.
type SeatRequest struct {
	Kind Kind `json:"kind"`
	// RequestID identifies the request among those of the user for the event: the client's
	// Idempotency-Key, or an id that the API made. 1 to MaxRequestID bytes of printable ASCII.
	RequestID string `json:"request_id"`
	// EventID is zero for KindProbe only.
	EventID ID `json:"event_id"`
	// UserID is the user of the registration, for KindRegister and KindCancel only.
	UserID ID `json:"user_id,omitzero"`
	// Keyed is store.SeatRequest.Keyed. A worker of a version before it ignores it, and does not
	// keep a cancellation that found no registration.
	Keyed bool `json:"keyed,omitzero"`
	// Number is store.SeatRequest.Number, for KindCancel only. A worker of a version before it
	// ignores it, and cancels whichever registration the user has.
	Number int64 `json:"number,omitzero"`
	// Actor is who made the request, as the sender claims. Requests that share a message have
	// an Actor each. A worker of a version before it ignores it.
	Actor Actor `json:",embed"`
	// Edit is for KindEditEvent only.
	Edit *store.Edit `json:"edit,omitempty"`
	// Lease says that the sender would use SeatReply.LeaseMillis, for KindRegister only. A worker of a version before it
	// ignores it.
	Lease bool `json:"lease,omitzero"`
	// RemainingMillis is how much longer the caller waits for the reply when the message is sent,
	// in milliseconds. It is no instant, because clocks differ. A worker begins no write for the
	// request after this time.
	RemainingMillis int64 `json:"remaining_ms"`
	// SentMillis is when the message was sent, in milliseconds by the requester's own clock,
	// whose zero means nothing. From the difference between two messages of a requester a worker
	// learns how long each was on its way. 0: not known.
	SentMillis int64 `json:"sent_ms,omitzero"`
	// TraceID is the X-Request-Id of the HTTP request, or empty. It joins a line of the API's log
	// with one of the worker's, and decides nothing.
	TraceID string `json:"trace_id,omitempty"`
	// TraceParent is the traceparent (W3C Trace Context) of the HTTP request, or empty when nothing is
	// traced. A worker links the span of its batch to it. It decides nothing, and one that cannot be
	// read counts as none. A worker of a version before it ignores it.
	TraceParent string `json:"traceparent,omitempty"`
}

// Actor says who made a SeatRequest. The zero Actor stands for a request of an API process of
// the version before, which does not say it.
type Actor struct {
	Kind ActorKind `json:"actor_kind,omitempty"`
	// ID is the id of a user or of an API key, as Kind says. It is zero where Kind has no ids.
	ID ID `json:"actor_id,omitzero"`
	// Proof says how they have proven it; empty: by a token of ours, or not at all. A worker of the
	// version before it ignores it.
	Proof store.Proof `json:"actor_proof,omitempty"`
}

// ActorKind says in which role an Actor acts, or that nobody proved who acts.
type ActorKind string

// The kinds of actors, the same words as those of store.ActorKind. Never rename, never reuse.
// The set is open: a worker keeps a kind that it does not know, because a newer API process
// sent it.
const (
	ActorPerson    ActorKind = "person"    // a user, proven, for themselves
	ActorOrganizer ActorKind = "organizer" // the organizer of the event, proven
	ActorOperator  ActorKind = "operator"  // whoever runs the system, by one of its tools; without an ID
	ActorKey       ActorKind = "key"       // a program, proven by an API key; ID is the key's
	// ActorUnproven is somebody who proved nothing, where the API trusts the ids in requests. ID
	// is the user for whom the request claims to act, zero when it claims none.
	ActorUnproven ActorKind = "unproven"
)

// SeatReply answers a SeatRequest.
type SeatReply struct {
	// Message is the name of the message that is answered: the last token of its reply subject.
	// Without a Message the reply answers every request of the message on whose reply subject it
	// comes. When those are several, Outcome must be one that a worker gives without the store.
	Message string `json:"message,omitempty"`
	// Item is the position of the answered request in its message, from 0.
	Item    int     `json:"item,omitzero"`
	Outcome Outcome `json:"outcome"`
	// Again asks for the request anew, with OutcomeOverloaded: another attempt may have been refused (store.Overtaken).
	Again bool `json:"again,omitzero"`
	// Number is the number of the registration, when Outcome is one of store.Registered,
	// store.AlreadyRegistered, store.Waitlisted and store.AlreadyWaitlisted.
	Number int64 `json:"number,omitzero"`
	// RegisteredAt is when the registration was made, for the same outcomes as Number.
	RegisteredAt time.Time `json:"registered_at,omitzero"`
	// Position is the position on the waiting list of a user who has just joined it, from 1.
	Position int64 `json:"position,omitzero"`
	// OpensAt is when registration opens, when Outcome is store.RegistrationNotOpen.
	OpensAt time.Time `json:"opens_at,omitzero"`
	// OpensInMillis is how long it is until OpensAt, by the worker's clock; 0: no time, or a worker of the version before.
	OpensInMillis int64 `json:"opens_in_ms,omitzero"`
	// LeaseMillis comes with store.SoldOut only, where the request asked for it: for so long, from when the request was
	// sent, nobody gets a seat in the event who has no row in it. 0: nothing is known.
	LeaseMillis int64 `json:"lease_ms,omitzero"`
	// LastNumber is the store.Event.LastNumber for which LeaseMillis holds.
	LastNumber int64 `json:"last_number,omitzero"`
}

// Outcome is what became of a SeatRequest: one of those that the store decides, which
// store.Kind.Outcomes lists, or one of those below.
type Outcome = store.Outcome

// The outcomes that a worker or a Requester gives without the store. Never rename, never reuse.
const (
	OutcomeProbed     Outcome = "probed"     // the reply to a KindProbe
	OutcomeInvalid    Outcome = "invalid"    // the worker cannot read the request, or Check refuses it
	OutcomeOverloaded Outcome = "overloaded" // surely nothing was changed; try again later
	// OutcomeStorageFull: surely nothing was changed, because the store has no room left.
	OutcomeStorageFull Outcome = "storage_full"
	// OutcomeFailed: surely nothing was changed, and waiting does not help: an operator must look.
	OutcomeFailed  Outcome = "failed"
	OutcomeUnknown Outcome = "unknown_outcome" // the change may have been made; repeating the request is safe
)

// undecided has the outcomes that a request of any kind may get without the store. Nothing changes
// the list.
var undecided = []Outcome{OutcomeInvalid, OutcomeOverloaded, OutcomeStorageFull, OutcomeFailed, OutcomeUnknown}

// fits reports whether a request of a kind may have the outcome o.
func fits(o Outcome, kind Kind) bool {
	return kind == KindProbe && o == OutcomeProbed || slices.Contains(store.Kind(kind).Outcomes(), o) || slices.Contains(undecided, o)
}

// ValidOutcome reports whether o may be in a reply, whatever the kind of its request.
func ValidOutcome(o Outcome) bool { return o.Valid() || fits(o, KindProbe) }
