package client

import (
	"encoding/json"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// ID identifies a user or an event: 24 hexadecimal digits in JSON. The zero ID is nobody.
type ID = store.ID

// ParseID reads 24 hexadecimal digits. It fails on everything else.
func ParseID(s string) (ID, error) { return store.ParseID(s) }

// NewUser is a person who signs up.
type NewUser struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"` // at least 8 characters, at most 256 bytes
}

// Session is a user who has proven who they are, with a token for [Client.As].
type Session struct {
	ID             ID        `json:"id"`
	Name           string    `json:"name"`
	Email          string    `json:"email"`
	CreatedAt      time.Time `json:"created_at"`
	Token          string    `json:"token"`
	TokenExpiresAt time.Time `json:"token_expires_at"`
}

// NewEvent is an event that is to be created. Title, Capacity, StartsAt and EndsAt are required.
type NewEvent struct {
	// OrganizerID is who it belongs to. With a token it may be zero, and is the token's user.
	OrganizerID ID        `json:"organizer_id,omitzero"`
	Title       string    `json:"title"`
	Description string    `json:"description,omitzero"`
	Capacity    int64     `json:"capacity"` // seats, from 1 to 1,000,000,000
	StartsAt    time.Time `json:"starts_at"`
	EndsAt      time.Time `json:"ends_at"`
	Place       string    `json:"place,omitzero"`
	TimeZone    string    `json:"time_zone,omitzero"` // like Europe/Berlin, for people
	Waitlist    bool      `json:"waitlist,omitzero"`  // a full event takes people onto a waiting list
	OpensAt     time.Time `json:"registration_opens_at,omitzero"`
	ClosesAt    time.Time `json:"registration_closes_at,omitzero"`
}

// Event is an event. What it does not have is zero.
type Event struct {
	ID          ID        `json:"id"`
	OrganizerID ID        `json:"organizer_id"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Capacity    int64     `json:"capacity"`
	TicketsSold int64     `json:"tickets_sold"` // confirmed registrations
	StartsAt    time.Time `json:"starts_at"`
	EndsAt      time.Time `json:"ends_at"`
	CreatedAt   time.Time `json:"created_at"`
	Place       string    `json:"place"`
	TimeZone    string    `json:"time_zone"`
	Waitlist    bool      `json:"waitlist"`
	Waiting     int64     `json:"waiting"` // people on the waiting list
	OpensAt     time.Time `json:"registration_opens_at"`
	ClosesAt    time.Time `json:"registration_closes_at"`
	CancelledAt time.Time `json:"cancelled_at"`
	// State is upcoming, running, ended or cancelled, and Registration open, opens_soon, full,
	// waitlist, closed, ended or cancelled: as it was when the service answered. Expect new ones.
	State        string `json:"state"`
	Registration string `json:"registration_state"`

	// ETag names the version of the event, for [Client.EditEvent]. Lists have none.
	ETag string `json:"-"`
}

// EventEdit changes an event. A nil field stays as it is; new(value) makes a pointer. An empty
// text and a zero time take away what an event need not have.
type EventEdit struct {
	Title       *string    `json:"title,omitzero"`
	Description *string    `json:"description,omitzero"`
	Place       *string    `json:"place,omitzero"`
	TimeZone    *string    `json:"time_zone,omitzero"`
	Waitlist    *bool      `json:"waitlist,omitzero"`
	Capacity    *int64     `json:"capacity,omitzero"`
	StartsAt    *time.Time `json:"starts_at,omitzero"`
	EndsAt      *time.Time `json:"ends_at,omitzero"`
	OpensAt     *time.Time `json:"registration_opens_at,omitzero"`
	ClosesAt    *time.Time `json:"registration_closes_at,omitzero"`
}

// MarshalJSON writes the JSON Merge Patch (RFC 7396), in which null takes a field away.
func (e EventEdit) MarshalJSON() ([]byte, error) {
	type plain EventEdit
	return json.Marshal(struct {
		plain
		OpensAt  *timeOrNull `json:"registration_opens_at,omitzero"`
		ClosesAt *timeOrNull `json:"registration_closes_at,omitzero"`
	}{plain(e), (*timeOrNull)(e.OpensAt), (*timeOrNull)(e.ClosesAt)})
}

// timeOrNull is a time whose zero value is null.
type timeOrNull time.Time

func (t timeOrNull) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(time.Time(t))
}

// EventQuery says which events are wanted, and in which order. The zero value is all of them,
// the earliest first.
type EventQuery struct {
	From, To    time.Time // events that start at From or later, and before To
	Search      string    // words, each in the title or the description
	OrganizerID ID
	Available   bool // only events with seats left
	LatestFirst bool

	Limit  int    // events in a page, from 1 to 1000; 0: 100
	Cursor string // the Next of the page before
}

// Status tells what a registration is.
type Status string

// The statuses of a registration.
const (
	StatusConfirmed  Status = "confirmed"  // holds a seat
	StatusWaitlisted Status = "waitlisted" // is on the waiting list
)

// Registration is a person's registration for an event.
type Registration struct {
	EventID      ID        `json:"event_id"`
	UserID       ID        `json:"user_id"`
	RegisteredAt time.Time `json:"registered_at"`
	Number       int64     `json:"number"` // in the event's order of admission, from 1
	Status       Status    `json:"status"`
	Position     int64     `json:"position"` // on the waiting list, from 1; 0 when Status is confirmed

	// ETag names this registration, for [IfMatch]. Only Client.Registration fills it.
	ETag string `json:"-"`
}

// RosterQuery says which part of an event's roster is wanted.
type RosterQuery struct {
	Status Status // zero: StatusConfirmed
	Limit  int    // users in a page, from 1 to 1000; 0: 100
	Cursor string // the Next of the page before
}

// When says which events count, by their ends.
type When string

// The values of When. The zero value takes all events.
const (
	WhenUpcoming When = "upcoming" // the event has not ended
	WhenPast     When = "past"
)

// UserRegistration is a registration of a user, with its event.
type UserRegistration struct {
	Event        Event     `json:"event"`
	RegisteredAt time.Time `json:"registered_at"`
	Number       int64     `json:"number"`
	Status       Status    `json:"status"`
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

// passwordChange is the body of Client.ChangePassword.
type passwordChange struct {
	Old string `json:"old_password"`
	New string `json:"new_password"`
}

// credentials is the body of Client.LogIn.
type credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// newRegistration is the body of Client.Register.
type newRegistration struct {
	UserID ID `json:"user_id,omitzero"`
}
