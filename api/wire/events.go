package wire

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/pkg/store"
)

// NewEvent is the body that creates an event. The fields from Place on are ours; the original has
// none of them.
type NewEvent struct {
	OrganizerID         *string `json:"organizer_id,omitzero"`
	Title               string  `json:"title"`
	Description         string  `json:"description,omitzero"`
	Capacity            int64   `json:"capacity"`
	StartsAt            string  `json:"starts_at"`
	EndsAt              string  `json:"ends_at"`
	Place               string  `json:"place,omitzero"`
	TimeZone            string  `json:"time_zone,omitzero"`
	Waitlist            bool    `json:"waitlist,omitzero"`
	RequiresProvenEmail bool    `json:"requires_proven_email,omitzero"`
	OpensAt             *string `json:"registration_opens_at,omitzero"`
	ClosesAt            *string `json:"registration_closes_at,omitzero"`
}

// Event is what is told of an event. It never has the roster. What an event does not have is zero
// and left out, so that one like the original's has the original's fields.
type Event struct {
	ID                  store.ID  `json:"id"`
	OrganizerID         store.ID  `json:"organizer_id"`
	Title               string    `json:"title"`
	Description         string    `json:"description"`
	Capacity            int64     `json:"capacity"`     // seats
	TicketsSold         int64     `json:"tickets_sold"` // confirmed registrations
	StartsAt            time.Time `json:"starts_at"`
	EndsAt              time.Time `json:"ends_at"`
	CreatedAt           time.Time `json:"created_at"`
	Place               string    `json:"place,omitzero"`
	TimeZone            string    `json:"time_zone,omitzero"`
	Waitlist            bool      `json:"waitlist,omitzero"`              // a full event takes people onto a waiting list
	RequiresProvenEmail bool      `json:"requires_proven_email,omitzero"` // only people with proven addresses may register
	Waiting             int64     `json:"waiting,omitzero"`               // people on the waiting list
	OpensAt             time.Time `json:"registration_opens_at,omitzero"`
	ClosesAt            time.Time `json:"registration_closes_at,omitzero"`
	CancelledAt         time.Time `json:"cancelled_at,omitzero"`

	// What the event is when it is told, so that no client works it out from seats, hours and its
	// own clock.
	State        store.LifeState         `json:"state"`
	Registration store.RegistrationState `json:"registration_state"`

	// ETag names the version of the event: what an edit sends in If-Match. It is a header, and
	// empty in lists.
	ETag string `json:"-"`
}

// EventOf makes the body of an event as it is now, without its ETag.
func EventOf(e store.Event) Event { return EventAt(e, time.Now()) }

// EventAt makes the body of an event as it is at a time, without its ETag.
func EventAt(e store.Event, now time.Time) Event {
	life, registration := e.States(now)
	return Event{
		State: life, Registration: registration,
		ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Description: e.Description,
		Capacity: e.Capacity, TicketsSold: e.TicketsSold, StartsAt: e.StartsAt, EndsAt: e.EndsAt, CreatedAt: e.CreatedAt,
		Place: e.Venue, TimeZone: e.TimeZone, Waitlist: e.Waitlist, RequiresProvenEmail: e.RequiresProvenEmail, Waiting: e.Waiting,
		OpensAt: e.OpensAt, ClosesAt: e.ClosesAt, CancelledAt: e.CancelledAt,
	}
}

// EventEdit is the body of an edit: a JSON Merge Patch (RFC 7396). What is left out stays as it
// is; null takes away what an event need not have.
type EventEdit struct {
	Title               Optional[string]  `json:"title,omitzero"`
	Description         Optional[string]  `json:"description,omitzero"`
	Place               Optional[string]  `json:"place,omitzero"`
	TimeZone            Optional[string]  `json:"time_zone,omitzero"`
	Waitlist            Optional[bool]    `json:"waitlist,omitzero"`
	RequiresProvenEmail Optional[bool]    `json:"requires_proven_email,omitzero"`
	Capacity            Optional[int64]   `json:"capacity,omitzero"`
	StartsAt            Optional[string]  `json:"starts_at,omitzero"`
	EndsAt              Optional[string]  `json:"ends_at,omitzero"`
	OpensAt             Optional[*string] `json:"registration_opens_at,omitzero"`
	ClosesAt            Optional[*string] `json:"registration_closes_at,omitzero"`
}

// EventPatch is the body of an edit as it is read: what it changes, and all that it has beside that,
// which may be the rest of an event that was read.
type EventPatch struct {
	EventEdit
	Others jsontext.Value `json:",embed"`
}

// The orders of a list of events, in the query's sort.
const (
	SortEarliest = "starts_at"
	SortLatest   = "-starts_at"
)
