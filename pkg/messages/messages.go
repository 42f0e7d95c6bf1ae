// Package messages is the contract between the API and the workers: every subject, queue
// group, request, reply and outcome code, their one encoding, and the Requester that the
// API calls.
//
// # Databases
//
// Every subject begins with an operator's prefix and the id of the database that it is
// about, see Namespace. So a message reaches processes of its own database only, whatever
// else uses the NATS server.
//
// # Delivery
//
// Core NATS delivers at most once. A request may be lost, its reply may be lost, and a
// resend may reach another worker. Therefore every request carries a request id, the same
// request of the same user for the same event always gets the same answer, and a caller
// whose answer is lost is told OutcomeUnknown and may simply repeat.
//
// # Sharing messages
//
// A message with seat requests is one or more requests, each a JSON object on a line of its
// own. There is no timer: an idle API sends a request at once and alone, a busy one sends
// all that were made meanwhile. Its reply subject is REQUESTER.MESSAGE: the first part
// names the API process, the last token the message. A reply names its message and its
// place in it, so replies to one API process share messages too, in any order, on the
// reply subject of any message they answer.
//
// # What crosses
//
// A reply is an outcome code and plain data. Error texts, wrapped causes and store
// details stay in the worker's log.
package messages

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// QueueWorkers is the queue group in which all workers of a database share its requests.
	QueueWorkers = "workers"
	// MaxRequestID is the longest request id, in bytes.
	MaxRequestID = 255
	// MaxMessage is the largest message either side accepts, in bytes: above an edit with
	// the longest texts, every character escaped. Below the default of NATS, 1 MiB.
	MaxMessage = 256 << 10
)

// ID is a user's or an event's id.
type ID = bson.ObjectID

// Kind says what is to be done with a seat.
type Kind string

// The kinds. Never rename, never reuse.
const (
	KindRegister  Kind = "register"   // a place for the user, or one in the waiting list
	KindCancel    Kind = "cancel"     // the user gives it back
	KindEditEvent Kind = "edit_event" // the organizer changes the event
	KindRecount   Kind = "recount"    // an operator has the counters set from the registrations
	KindProbe     Kind = "probe"      // nothing; whoever receives it answers OutcomeProbed
)

// SeatRequest asks a worker to move one seat.
type SeatRequest struct {
	Kind Kind `json:"kind"`
	// RequestID identifies this wish of this user for this event: the client's
	// Idempotency-Key, or one that the API made. 1 to MaxRequestID bytes of printable ASCII.
	RequestID string `json:"request_id"`
	EventID   ID     `json:"event_id"`         // zero for KindProbe
	UserID    ID     `json:"user_id,omitzero"` // for KindRegister and KindCancel
	// Keyed and Number are those of store.SeatRequest. A worker of a version before them ignores
	// both: it keeps no cancellation that found nothing, and cancels whatever is there.
	Keyed  bool  `json:"keyed,omitzero"`
	Number int64 `json:"number,omitzero"` // for KindCancel only
	// Edit is for KindEditEvent only.
	Edit *EventEdit `json:"edit,omitempty"`
	// RemainingMillis is how much longer the caller waits for the reply, counted from when
	// the message was sent; never an instant, because clocks differ. A worker begins no
	// write for the request after it.
	RemainingMillis int64 `json:"remaining_ms"`
	// SentMillis is when the message was sent, counted from some moment of the requester's
	// own. Only the difference between two messages of a requester means anything: by it a
	// worker that was frozen finds out how old a message is. 0: not known.
	SentMillis int64 `json:"sent_ms,omitzero"`
	// TraceID is the X-Request-Id of the HTTP request, for the logs: it joins the API's line
	// with the worker's and decides nothing. It may be missing.
	TraceID string `json:"trace_id,omitempty"`
}

// EventEdit has what an organizer changes; what is nil stays as it is, and a zero time
// takes a limit away. Its fields are those of store.Edit.
type EventEdit struct {
	// Only nil is left out: omitempty would lose an empty text, and omitzero a zero time.
	Version     int64      `json:"version"`
	Title       *string    `json:"title,omitzero"`
	Description *string    `json:"description,omitzero"`
	Venue       *string    `json:"place,omitzero"`
	TimeZone    *string    `json:"time_zone,omitzero"`
	Waitlist    *bool      `json:"waitlist,omitzero"`
	StartsAt    *time.Time `json:"starts_at,omitempty"`
	EndsAt      *time.Time `json:"ends_at,omitempty"`
	OpensAt     *time.Time `json:"registration_opens_at,omitempty"`
	ClosesAt    *time.Time `json:"registration_closes_at,omitempty"`
	Capacity    *int64     `json:"capacity,omitzero"`
	Cancel      bool       `json:"cancel,omitzero"`
}

// SeatReply answers a SeatRequest.
type SeatReply struct {
	// Message and Item say what is answered: the name of the message, which is the last
	// token of its reply subject, and the request's place in it, from 0. Without Message it
	// answers all the requests of the message whose reply subject it comes on.
	Message string  `json:"message,omitempty"`
	Item    int     `json:"item,omitzero"`
	Outcome Outcome `json:"outcome"`
	// Number and RegisteredAt tell of the registration when Outcome is one of
	// OutcomeRegistered, OutcomeAlreadyRegistered, OutcomeWaitlisted and
	// OutcomeAlreadyWaitlisted.
	Number       int64     `json:"number,omitzero"`
	RegisteredAt time.Time `json:"registered_at,omitzero"`
	// Position is the place in the waiting list of who has just joined it, from 1.
	Position int64 `json:"position,omitzero"`
	// OpensAt is set when Outcome is OutcomeRegistrationNotOpen.
	OpensAt time.Time `json:"opens_at,omitzero"`
}

// Outcome is what became of a SeatRequest.
type Outcome string

// The outcomes. Never rename, never reuse. All but the last six are those of
// store.Outcome, spelled alike; what they mean is said there.
const (
	OutcomeRegistered        Outcome = "registered"
	OutcomeAlreadyRegistered Outcome = "already_registered"
	OutcomeWaitlisted        Outcome = "waitlisted"
	OutcomeAlreadyWaitlisted Outcome = "already_waitlisted"
	OutcomeSoldOut           Outcome = "sold_out"
	OutcomeEventNotFound     Outcome = "event_not_found"

	OutcomeRegistrationNotOpen   Outcome = "registration_not_open"
	OutcomeRegistrationClosed    Outcome = "registration_closed"
	OutcomeRegistrationCancelled Outcome = "registration_cancelled"
	OutcomeEventCancelled        Outcome = "event_cancelled"

	OutcomeCancelled           Outcome = "cancelled"
	OutcomeRegistrationChanged Outcome = "registration_changed" // only for a request with a Number

	OutcomeEdited            Outcome = "edited"
	OutcomeVersionMismatch   Outcome = "version_mismatch"
	OutcomeCapacityBelowSold Outcome = "capacity_below_sold"

	OutcomeRecounted  Outcome = "recounted"
	OutcomeOverbooked Outcome = "overbooked"

	OutcomeProbed     Outcome = "probed"     // the answer to KindProbe
	OutcomeInvalid    Outcome = "invalid"    // the worker cannot read the request, or refuses its form
	OutcomeOverloaded Outcome = "overloaded" // surely nothing happened; try again later
	// Surely nothing happened: the store has no room left, or fails in a way that waiting does
	// not cure.
	OutcomeStorageFull Outcome = "storage_full"
	OutcomeFailed      Outcome = "failed"
	OutcomeUnknown     Outcome = "unknown_outcome" // the change may be made; repeating the request is safe
)

// Valid reports whether o is one of the outcomes above.
func (o Outcome) Valid() bool {
	switch o {
	case OutcomeRegistered, OutcomeAlreadyRegistered, OutcomeWaitlisted, OutcomeAlreadyWaitlisted,
		OutcomeSoldOut, OutcomeEventNotFound,
		OutcomeRegistrationNotOpen, OutcomeRegistrationClosed, OutcomeRegistrationCancelled, OutcomeEventCancelled,
		OutcomeCancelled, OutcomeRegistrationChanged, OutcomeEdited, OutcomeVersionMismatch, OutcomeCapacityBelowSold,
		OutcomeRecounted, OutcomeOverbooked, OutcomeProbed,
		OutcomeInvalid, OutcomeOverloaded, OutcomeStorageFull, OutcomeFailed, OutcomeUnknown:
		return true
	}
	return false
}
