// Package store is the contract under the workers and the API: the domain types, the
// interfaces that every adapter fulfils, and the pure decision about who gets a seat.
//
// # Guarantees
//
// At every moment, for every event, tickets_sold equals the number of live registrations
// and is at most capacity, and no user holds two seats. A result is durable when it is
// returned. The store alone is right or wrong: queues, batches, routing and caches in the
// rest of the program only make it fast.
//
// # Adapters
//
// mongostore (MongoDB, for production) and sqlitestore (SQLite, for one process). Both
// pass the suite in storetest, which also holds the checker of these guarantees.
//
// # Time
//
// Times are UTC and keep milliseconds, the precision of a BSON date.
package store

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ID identifies a user or an event: 12 bytes, written as 24 hex digits on every store.
type ID = bson.ObjectID

// NewID makes an ID that no other process makes.
func NewID() ID { return bson.NewObjectID() }

// ParseID reads 24 hex digits of either case. It fails on everything else.
func ParseID(s string) (ID, error) { return bson.ObjectIDFromHex(s) }

// Errors that an adapter returns, wrapped with the operation. Everything else is internal.
var (
	// ErrEventNotFound: no event has this id.
	ErrEventNotFound = errors.New("event not found")
	// ErrUserNotFound: no user has this id or address.
	ErrUserNotFound = errors.New("user not found")
	// ErrEmailTaken: another user has this address.
	ErrEmailTaken = errors.New("email taken")
	// ErrUnavailable: the store cannot be used now and surely nothing was stored.
	ErrUnavailable = errors.New("store unavailable, nothing stored")
)

// User is a person who can log in.
type User struct {
	ID           ID
	Name         string
	Email        string // as the person wrote it, trimmed; EmailKey(Email) is unique
	PasswordHash string // PHC string, never the password
	// PasswordVersion counts the changes of the password; tokens carry it.
	PasswordVersion int64
	// PasswordChangedAt is zero while it is the password of the sign-up.
	PasswordChangedAt time.Time
	CreatedAt         time.Time
}

// EmailKey is the form in which addresses are compared: trimmed and in lower case.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// Event is something with a limited number of places.
type Event struct {
	ID          ID
	OrganizerID ID
	Title       string
	Description string
	Capacity    int64 // places, at least 1
	TicketsSold int64 // live registrations
	StartsAt    time.Time
	EndsAt      time.Time
	CreatedAt   time.Time
}

// Registration is one seat of one event, held by one user.
type Registration struct {
	EventID ID
	UserID  ID
	// Number is the place in the event's order of admission: 1, 2, 3.
	Number int64
	// RequestID is the request that took the seat. The same request of the same user for
	// the same event is answered the same way for ever.
	RequestID    string
	RegisteredAt time.Time
}

// SeatRequest asks for a seat.
type SeatRequest struct {
	EventID   ID
	UserID    ID
	RequestID string // at most 255 bytes, unique within (event, user)
	// At is the worker's clock when the batch was formed.
	At time.Time
}

// Outcome is what became of a SeatRequest.
type Outcome string

// The outcomes of a seat request. Never rename, never reuse.
const (
	Registered        Outcome = "registered"         // the seat is theirs, durably
	AlreadyRegistered Outcome = "already_registered" // they hold a seat under another request id
	SoldOut           Outcome = "sold_out"           // no place is left
	EventNotFound     Outcome = "event_not_found"    // no event has this id
)

// SeatResult answers one SeatRequest. Registration is set only when Outcome is Registered.
type SeatResult struct {
	Outcome      Outcome
	Registration Registration
}

// Seats changes who holds a seat.
type Seats interface {
	// Apply decides a batch and stores what it decided, as one atomic change. It returns
	// one result per request, in the order of the batch.
	//
	// Each event's changes are serializable, and a result is durable when it is returned.
	// An error means that nothing, or an unknown part, was stored: the same batch may be
	// applied again, and each request that took its seat the first time is told so.
	// ErrUnavailable means that surely nothing was stored.
	//
	// Apply tries again on its own while ctx allows and starts no write after it has
	// ended; it never waits longer than ctx for its answer. It is safe for concurrent use
	// by many goroutines and many processes.
	Apply(ctx context.Context, batch []SeatRequest) ([]SeatResult, error)
}

// Users keeps the people.
type Users interface {
	// CreateUser stores a new user durably. Errors: ErrEmailTaken, ErrUnavailable.
	CreateUser(ctx context.Context, u User) error
	// UserByEmail finds a user by EmailKey. Errors: ErrUserNotFound, ErrUnavailable.
	UserByEmail(ctx context.Context, email string) (User, error)
}

// Events keeps the events and tells who is registered. Reads see everything that was
// acknowledged before they began.
type Events interface {
	// CreateEvent stores a new event durably, with no tickets sold. Errors: ErrUnavailable.
	CreateEvent(ctx context.Context, e Event) error
	// Event reads one event. Errors: ErrEventNotFound, ErrUnavailable.
	Event(ctx context.Context, id ID) (Event, error)
	// Events reads all events by StartsAt, then ID, in constant memory. It yields an error
	// at most once, as the last thing.
	Events(ctx context.Context) iter.Seq2[Event, error]
	// Roster reads the registrations of an event by Number, in constant memory, beginning
	// after number `after` and ending after limit rows (0: no limit). An unknown event has
	// none. It yields an error at most once, as the last thing.
	Roster(ctx context.Context, eventID ID, after int64, limit int) iter.Seq2[Registration, error]
}

// Store is all of it over one database.
type Store interface {
	Seats
	Users
	Identity
	Events
	// Ping reports whether the store can be written to now.
	Ping(ctx context.Context) error
	// Close releases the store. No other call may be running.
	Close() error
}
