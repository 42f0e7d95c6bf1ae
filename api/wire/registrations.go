package wire

import (
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// NewRegistration is the body that asks for a seat.
type NewRegistration struct {
	UserID *string `json:"user_id,omitzero"`
}

// Status tells what a registration is.
type Status string

// The statuses of a registration.
const (
	Confirmed  Status = "confirmed"  // holds a seat
	Waitlisted Status = "waitlisted" // is on the waiting list
	Cancelled  Status = "cancelled"  // was given up; only in exports
)

// StatusOf tells what a registration of an event is.
func StatusOf(e store.Event, r store.Registration) Status {
	switch {
	case r.Cancelled:
		return Cancelled
	case e.Confirmed(r):
		return Confirmed
	}
	return Waitlisted
}

// Registration is what is told of a person's registration for an event.
type Registration struct {
	EventID      store.ID  `json:"event_id"`
	UserID       store.ID  `json:"user_id"`
	RegisteredAt time.Time `json:"registered_at"`
	Number       int64     `json:"number"` // in the event's order of admission, from 1
	Status       Status    `json:"status"`
	Position     int64     `json:"position,omitzero"` // on the waiting list, from 1; 0 when Status is Confirmed

	// ETag names the registration: what a deletion sends in If-Match. It is a header, which only
	// the read of one registration has.
	ETag string `json:"-"`
}

// UserRegistration is a registration of a user, with its event.
type UserRegistration struct {
	Event        Event     `json:"event"`
	RegisteredAt time.Time `json:"registered_at"`
	Number       int64     `json:"number"` // in the event's order of admission, from 1
	Status       Status    `json:"status"`
}

// When says which events count, by their ends.
type When string

// The values of the query's when. Without one all events count.
const (
	Upcoming When = "upcoming" // the event has not ended
	Past     When = "past"
)
