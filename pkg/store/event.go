package store

import (
	"context"
	"iter"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Event is something that people register for. It has a limited number of seats and, if its
// organizer wants one, a waiting list.
//
// The tag bson of a field is its key in MongoDB, and the tag sql its column in SQLite where that
// has another name: see EventFields.
type Event struct {
	ID          ID     `bson:"_id" sql:"id"`
	OrganizerID ID     `bson:"organizer_id"`
	Title       string `bson:"title"`
	Description string `bson:"description"`
	Venue       string `bson:"place,omitempty"`
	TimeZone    string `bson:"time_zone,omitempty"` // IANA name; "": none
	Waitlist    bool   `bson:"waitlist"`            // whether a sold-out event takes people onto a waiting list
	// RequiresProvenEmail is whether only those may register who have proven their e-mail addresses.
	RequiresProvenEmail bool      `bson:"requires_proven_email,omitempty"`
	StartsAt            time.Time `bson:"starts_at"`
	EndsAt              time.Time `bson:"ends_at"`
	OpensAt             time.Time `bson:"registration_opens_at,omitempty" sql:"opens_at"`   // first moment at which people may register; zero: always
	ClosesAt            time.Time `bson:"registration_closes_at,omitempty" sql:"closes_at"` // first moment at which they may not; zero: never
	CancelledAt         time.Time `bson:"cancelled_at,omitempty"`                           // zero: not cancelled
	CreatedAt           time.Time `bson:"created_at"`

	// Version counts the organizer's edits, from 1.
	Version int64 `bson:"version"`
	// Revision counts all changes of the event and of its registrations, from 1.
	Revision int64 `bson:"revision"`
	// Recorded is the Revision up to which the record of changes has everything. It is the lower
	// one when a program that keeps no record, of an earlier version, changed the event last; 0 when
	// there is no record, and RemovingRecord while it is being removed (see Changes).
	Recorded int64 `bson:"recorded,omitempty"`
	// LastEdits has the latest requests that edited the event, at most maxEdits.
	LastEdits PastRequests `bson:"last_edit,omitempty"`

	// Capacity is the number of seats, at least 1.
	Capacity int64 `bson:"capacity"`
	// TicketsSold is the number of confirmed registrations, Waiting that of waiting ones.
	TicketsSold int64 `bson:"tickets_sold"`
	Waiting     int64 `bson:"waiting"`
	// LastNumber is the highest Registration.Number that was given so far.
	LastNumber int64 `bson:"last_number"`
	// ConfirmedThrough splits the registrations by their Number: those up to it are confirmed,
	// those above it wait. So any number of people is promoted by moving one number.
	ConfirmedThrough int64 `bson:"confirmed_through"`

	// LeasesGranted counts the leases by which API processes were told that the event is sold out for a while. LeaseMillis
	// is how long the longest was that may be out, in milliseconds; 0: none is. LeasesEnding says that no more are granted,
	// because a change waits for their end. See LeaseOut.
	LeasesGranted int64 `bson:"leases_granted,omitempty"`
	LeaseMillis   int64 `bson:"lease_ms,omitempty"`
	LeasesEnding  bool  `bson:"leases_ending,omitempty"`
}

// Confirmed reports whether a registration of e that is not cancelled holds a seat.
func (e Event) Confirmed(r Registration) bool { return r.Number <= e.ConfirmedThrough }

// IsAvailable reports whether e is not cancelled and has a free seat. Opening hours do not count.
func (e Event) IsAvailable() bool { return e.TicketsSold < e.Capacity && e.CancelledAt.IsZero() }

// Cursor returns where e is in the order of events.
func (e Event) Cursor() EventCursor { return EventCursor{e.StartsAt, e.ID} }

// Equal reports whether two events agree in every field.
func (e Event) Equal(other Event) bool { return reflect.DeepEqual(e, other) }

// AsCreated returns e as Events.CreateEvent stores it: as version 1, without registrations and not
// cancelled.
func (e Event) AsCreated() Event {
	e.Version, e.Revision, e.Recorded, e.LastEdits, e.CancelledAt = 1, 1, 0, nil, time.Time{}
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = 0, 0, 0, 0
	e.LeasesGranted, e.LeaseMillis, e.LeasesEnding = 0, 0, false
	return e
}

// Edit is what an organizer changes in an event. A field that is nil leaves that of the same name
// in Event as it is; a pointer to a zero time removes a limit.
//
// The tag json of a field is its name in the messages to workers. Never rename, never reuse.
type Edit struct {
	// Only nil is left out: omitempty would lose an empty text, and omitzero a zero time.
	Version     int64   `json:"version"` // the Event.Version that the organizer has seen, or AnyVersion
	Title       *string `json:"title,omitzero"`
	Description *string `json:"description,omitzero"`
	Venue       *string `json:"place,omitzero"`
	TimeZone    *string `json:"time_zone,omitzero"`
	Waitlist    *bool   `json:"waitlist,omitzero"`
	// RequiresProvenEmail is ignored by a worker of a version before it, which lets everybody in.
	RequiresProvenEmail *bool      `json:"requires_proven_email,omitzero"`
	StartsAt            *time.Time `json:"starts_at,omitempty"`
	EndsAt              *time.Time `json:"ends_at,omitempty"`
	OpensAt             *time.Time `json:"registration_opens_at,omitempty"`
	ClosesAt            *time.Time `json:"registration_closes_at,omitempty"`
	Capacity            *int64     `json:"capacity,omitzero"`
	Cancel              bool       `json:"cancel,omitzero"` // cancels the event, for good
}

// AnyVersion in Edit.Version applies the edit whatever version the event has.
const AnyVersion = -1

// Apply returns event with the fields that the edit sets.
func (e *Edit) Apply(event Event) Event {
	to := reflect.ValueOf(&event).Elem()
	for f, value := range e.Fields() {
		to.Field(f.index).Set(reflect.ValueOf(value))
	}
	return event
}

// ChangesSearch reports whether the edit sets a text by which searches find the event.
func (e *Edit) ChangesSearch() bool {
	return e.Title != nil || e.Venue != nil || e.Description != nil
}

// Fields yields the fields of Event that the edit sets, each with its new value.
func (e *Edit) Fields() iter.Seq2[EventField, any] {
	return func(yield func(EventField, any) bool) {
		from := reflect.ValueOf(e).Elem()
		for _, f := range EventFields() {
			if f.edit < 0 {
				continue
			}
			if p := from.Field(f.edit); !p.IsNil() && !yield(f, p.Elem().Interface()) {
				return
			}
		}
	}
}

// merge lets the fields that a later edit sets replace those of e.
func (e *Edit) merge(later *Edit) {
	to, from := reflect.ValueOf(e).Elem(), reflect.ValueOf(later).Elem()
	for i := range to.NumField() {
		if f := from.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			to.Field(i).Set(f)
		}
	}
	e.Cancel = e.Cancel || later.Cancel
}

// EventField is a field of Event under the names by which it is stored.
type EventField struct {
	Key    string // in a document of MongoDB
	Column string // in a table of SQLite
	index  int    // of the field in Event
	edit   int    // of the field in Edit; -1: an edit cannot set it
}

// Pointer returns the address of the field in e: a *string, *bool, *int64, *ID, *time.Time or
// *PastRequests.
func (f EventField) Pointer(e *Event) any {
	return reflect.ValueOf(e).Elem().Field(f.index).Addr().Interface()
}

// EventFields returns all fields of Event, in its order. Adapters and their tests go by this list,
// so that a new field is named in Event, in Edit and in a step of SQLite's schema, and nowhere
// else below the API. The caller must not change the list.
func EventFields() []EventField { return eventFields() }

var eventFields = sync.OnceValue(func() []EventField {
	event, edit := reflect.TypeFor[Event](), reflect.TypeFor[Edit]()
	fields := make([]EventField, event.NumField())
	for i := range fields {
		f := event.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("bson"), ",")
		column := f.Tag.Get("sql")
		if column == "" {
			column = key
		}
		fields[i] = EventField{key, column, i, -1}
		if p, ok := edit.FieldByName(f.Name); ok && p.Type == reflect.PointerTo(f.Type) {
			fields[i].edit = p.Index[0]
		}
	}
	return fields
})

// Events keeps the events. Its reads see everything that was acknowledged before they began.
// Errors of every method, beside those that it names: ErrUnavailable, and ErrNothingStored for a
// fault that does not pass.
type Events interface {
	// CreateEvent stores e.AsCreated() durably.
	CreateEvent(ctx context.Context, e Event) error
	// Event reads one event. Errors: ErrEventNotFound.
	Event(ctx context.Context, id ID) (Event, error)
	// EventsByID reads events, at one moment each. Those that do not exist are missing in the map.
	// No id may be there twice.
	EventsByID(ctx context.Context, ids []ID) (map[ID]Event, error)
	// FindEvents reads a page of the events that q selects. It looks at no more events than a
	// small multiple of the page, however many there are.
	FindEvents(ctx context.Context, q EventQuery) (EventPage, error)
}
