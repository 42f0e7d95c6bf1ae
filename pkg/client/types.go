package client

import (
	"time"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

// ID identifies a user or an event: 24 hexadecimal digits in JSON. The zero ID is nobody.
type ID = store.ID

// ParseID reads 24 hexadecimal digits. It fails on everything else.
func ParseID(s string) (ID, error) { return store.ParseID(s) }

// The bodies that the API has in the same form.
type (
	// NewUser is a person who signs up.
	NewUser = wire.NewUser
	// Session is a user who has proven who they are, with a token for [Client.As].
	Session = wire.Session
	// Event is an event. What it does not have is zero. Its ETag names its version, for
	// [Client.EditEvent]; lists have none.
	Event = wire.Event
	// Registration is a person's registration for an event. Its ETag names it, for [IfMatch]; only
	// [Client.Registration] fills it.
	Registration = wire.Registration
	// UserRegistration is a registration of a user, with its event.
	UserRegistration = wire.UserRegistration
	// User is what a person is told of their own account.
	User = wire.User
	// LogIn is a log-in of a person, whose tokens can be ended. Current is the one of the token that
	// the request was sent with.
	LogIn = wire.LoginSession
	// ExportRecord is one record of what is stored of a person. Type says which of its other fields
	// there is.
	ExportRecord = wire.Export
	// Status tells what a registration is.
	Status = wire.Status
	// When says which events count, by their ends. The zero value takes all events.
	When = wire.When
)

// The statuses of a registration.
const (
	StatusConfirmed  = wire.Confirmed  // holds a seat
	StatusWaitlisted = wire.Waitlisted // is on the waiting list
)

// The types of an ExportRecord, in the order in which they come.
const (
	ExportUser         = wire.ExportUser
	ExportLogIn        = wire.ExportSession
	ExportEvent        = wire.ExportEvent
	ExportRegistration = wire.ExportRegistration
	ExportWebhook      = wire.ExportWebhook
	ExportAPIKey       = wire.ExportAPIKey
)

// The values of When.
const (
	WhenUpcoming = wire.Upcoming // the event has not ended
	WhenPast     = wire.Past
)

// NewEvent is an event that is to be created. Title, Capacity, StartsAt and EndsAt are required.
type NewEvent struct {
	// OrganizerID is who it belongs to. With a token it may be zero, and is the token's user.
	OrganizerID         ID
	Title               string
	Description         string
	Capacity            int64 // seats, from 1 to 1,000,000,000
	StartsAt            time.Time
	EndsAt              time.Time
	Place               string
	TimeZone            string // like Europe/Berlin, for people
	Waitlist            bool   // a full event takes people onto a waiting list
	RequiresProvenEmail bool   // only people with proven e-mail addresses may register
	OpensAt             time.Time
	ClosesAt            time.Time
}

// body makes the body of a request.
func (e NewEvent) body() wire.NewEvent {
	return wire.NewEvent{
		OrganizerID: idOrNothing(e.OrganizerID), Title: e.Title, Description: e.Description, Capacity: e.Capacity,
		StartsAt: instant(e.StartsAt), EndsAt: instant(e.EndsAt), Place: e.Place, TimeZone: e.TimeZone, Waitlist: e.Waitlist, RequiresProvenEmail: e.RequiresProvenEmail,
		OpensAt: instantOrNull(e.OpensAt), ClosesAt: instantOrNull(e.ClosesAt),
	}
}

// EventEdit changes an event. A nil field stays as it is; new(value) makes a pointer. An empty
// text and a zero time take away what an event need not have.
type EventEdit struct {
	Title               *string
	Description         *string
	Place               *string
	TimeZone            *string
	Waitlist            *bool
	RequiresProvenEmail *bool
	Capacity            *int64
	StartsAt            *time.Time
	EndsAt              *time.Time
	OpensAt             *time.Time
	ClosesAt            *time.Time
}

// body makes the body of a request, in which null takes a field away.
func (e EventEdit) body() wire.EventEdit {
	return wire.EventEdit{
		Title: given(e.Title, as), Description: given(e.Description, as), Place: given(e.Place, as), TimeZone: given(e.TimeZone, as),
		Waitlist: given(e.Waitlist, as), RequiresProvenEmail: given(e.RequiresProvenEmail, as), Capacity: given(e.Capacity, as),
		StartsAt: given(e.StartsAt, instant), EndsAt: given(e.EndsAt, instant),
		OpensAt: given(e.OpensAt, instantOrNull), ClosesAt: given(e.ClosesAt, instantOrNull),
	}
}

// UserEdit changes an account. A nil field stays as it is; new(value) makes a pointer.
type UserEdit struct {
	Name  *string
	Email *string
}

// given makes the field of a body from a value that may not be there.
func given[T, B any](value *T, convert func(T) B) wire.Optional[B] {
	if value == nil {
		return wire.Optional[B]{}
	}
	return wire.Set(convert(*value))
}

// as leaves a value as it is.
func as[T any](value T) T { return value }

// instant writes a time as the API reads it.
func instant(t time.Time) string { return t.Format(time.RFC3339Nano) }

// instantOrNull writes a time of which the zero value is null.
func instantOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(instant(t))
}

// idOrNothing writes an id of which the zero value is left out.
func idOrNothing(id ID) *string {
	if id.IsZero() {
		return nil
	}
	return new(id.Hex())
}

// EventQuery says which events are wanted, and in which order. The zero value is all of them,
// the earliest first.
type EventQuery struct {
	From, To    time.Time // events that start at From or later, and before To
	Search      string    // words, each the beginning of one in the title, place or description
	OrganizerID ID
	EndsAfter   time.Time // only events that end after it; zero: all
	Available   bool      // only events with seats left
	LatestFirst bool

	Limit  int    // events in a page, from 1 to 1000; 0: 100
	Cursor string // the Next of the page before
}

// RosterQuery says which part of an event's roster is wanted.
type RosterQuery struct {
	Status Status // zero: StatusConfirmed
	Limit  int    // users in a page, from 1 to 1000; 0: 100
	Cursor string // the Next of the page before
}

// UserRegistrationsQuery says which registrations of a user are wanted.
type UserRegistrationsQuery struct {
	When   When
	Limit  int    // registrations in a page, from 1 to 1000; 0: 100
	Cursor string // the Next of the page before
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	// Next is the Cursor of the next page; empty: this is the last one. A page that is not the
	// last may be shorter than its limit.
	Next string
}
