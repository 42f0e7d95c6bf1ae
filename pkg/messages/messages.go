// Package messages is the contract between the API and the workers: every subject, queue
// group, request, reply and outcome code, their one encoding, and the Requester that the
// API calls.
//
// # Delivery
//
// Core NATS delivers at most once. A request may be lost, its reply may be lost, and a
// resend may reach another worker. Therefore every request carries a request id, the same
// request of the same user for the same event always gets the same answer, and a caller
// whose answer is lost is told OutcomeUnknown and may simply repeat.
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
	// SubjectSeats receives every request that moves a seat. The number is the wire's
	// major version: an incompatible change gets a subject of its own, so that old and
	// new processes can run side by side.
	SubjectSeats = "eventio.v1.seats"
	// SubjectRevocations tells all API processes whose tokens have ended.
	SubjectRevocations = "eventio.v1.revocations"
	// QueueWorkers is the queue group in which all workers share SubjectSeats.
	QueueWorkers = "workers"
	// Version is written into every message on SubjectSeats.
	Version = 1
	// MaxRequestID is the longest request id, in bytes.
	MaxRequestID = 255
	// MaxMessage is the largest message either side accepts, in bytes.
	MaxMessage = 4096
)

// ID is a user's or an event's id.
type ID = bson.ObjectID

// Kind says what is to be done with a seat.
type Kind string

// The kinds. Never rename, never reuse.
const (
	KindRegister Kind = "register"
)

// SeatRequest asks a worker to move one seat.
type SeatRequest struct {
	Version int  `json:"v"`
	Kind    Kind `json:"kind"`
	// RequestID identifies this wish of this user for this event: the client's
	// Idempotency-Key, or one that the API made. 1 to MaxRequestID bytes of printable ASCII.
	RequestID string `json:"request_id"`
	EventID   ID     `json:"event_id"`
	UserID    ID     `json:"user_id"`
	// RemainingMillis is how much longer the caller waits for the reply, counted from when
	// the message was sent; never an instant, because clocks differ. A worker begins no
	// write for the request after it.
	RemainingMillis int64 `json:"remaining_ms"`
}

// SeatReply answers a SeatRequest.
type SeatReply struct {
	Version int     `json:"v"`
	Outcome Outcome `json:"outcome"`
	// Number and RegisteredAt are set when Outcome is OutcomeRegistered.
	Number       int64     `json:"number,omitzero"`
	RegisteredAt time.Time `json:"registered_at,omitzero"`
}

// Outcome is what became of a SeatRequest.
type Outcome string

// The outcomes. Never rename, never reuse. The first four are also those of
// store.Outcome, spelled alike.
const (
	OutcomeRegistered        Outcome = "registered"
	OutcomeAlreadyRegistered Outcome = "already_registered"
	OutcomeSoldOut           Outcome = "sold_out"
	OutcomeEventNotFound     Outcome = "event_not_found"

	OutcomeInvalid    Outcome = "invalid"         // the worker cannot read the request, or refuses its form
	OutcomeOverloaded Outcome = "overloaded"      // surely nothing happened; try again later
	OutcomeUnknown    Outcome = "unknown_outcome" // the seat may be taken; repeating the request is safe
)

// Valid reports whether o is one of the outcomes above.
func (o Outcome) Valid() bool {
	switch o {
	case OutcomeRegistered, OutcomeAlreadyRegistered, OutcomeSoldOut, OutcomeEventNotFound,
		OutcomeInvalid, OutcomeOverloaded, OutcomeUnknown:
		return true
	}
	return false
}
