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
	"fmt"
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

// Errors that an adapter returns, wrapped with the operation. Everything else is internal, and
// leaves it unknown whether a write was stored.
var (
	// ErrEventNotFound: no event has this id.
	ErrEventNotFound = errors.New("event not found")
	// ErrUserNotFound: no user has this id or address.
	ErrUserNotFound = errors.New("user not found")
	// ErrRegistrationNotFound: the user holds no place in the event and does not wait.
	ErrRegistrationNotFound = errors.New("registration not found")
	// ErrEmailTaken: another user has this address.
	ErrEmailTaken = errors.New("email taken")
	// ErrNothingStored: surely nothing was stored. Alone it is a fault that waiting does not
	// cure, such as a missing column: an operator must look.
	ErrNothingStored = errors.New("nothing stored")
	// ErrUnavailable: the store cannot be used now, which is known to pass: a lost connection,
	// an election, a lock, a time-out. It matches ErrNothingStored.
	ErrUnavailable = fmt.Errorf("store unavailable, %w", ErrNothingStored)
	// ErrStorageFull: the store has no room left, and takes writes again when it has. It
	// matches ErrNothingStored.
	ErrStorageFull = fmt.Errorf("storage full, %w", ErrNothingStored)
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

// Event is something with a limited number of places, and, if its organizer wants one, a
// waiting list.
type Event struct {
	ID          ID
	OrganizerID ID
	Title       string
	Description string
	Place       string
	TimeZone    string // IANA name, or none
	Waitlist    bool   // whether a full event takes people onto a waiting list
	StartsAt    time.Time
	EndsAt      time.Time
	OpensAt     time.Time // registration is possible from then on; zero: always
	ClosesAt    time.Time // and until then; zero: always
	CancelledAt time.Time // zero: not cancelled
	CreatedAt   time.Time

	// Version counts the organizer's edits, from 1. Revision counts all changes, those and
	// the seats'. LastEdit has the requests that made the latest edits, at most maxEdits, one in
	// a line.
	Version  int64
	Revision int64
	LastEdit string

	// The seats. All registrations of an event have a Number, in order of admission. Those
	// up to ConfirmedThrough hold a place, those above wait; so that any number of people
	// is promoted by moving one number.
	Capacity         int64 // places, at least 1
	TicketsSold      int64 // registrations that hold a place
	Waiting          int64 // registrations that wait
	LastNumber       int64 // the highest number given so far
	ConfirmedThrough int64 // the highest number that holds a place
}

// Registration is one user's place in an event, or in its waiting list. There is one for
// each user and event: it stays when it is cancelled, and is used again by the next one. A
// cancellation under a key that finds none leaves one that is cancelled from the start.
type Registration struct {
	EventID ID
	UserID  ID
	// Number is the place in the event's order of admission: 1, 2, 3. It is never reused.
	Number int64
	// RequestID is the request that made it. Repeated, it is answered the same way for as long
	// as the registration lives.
	RequestID    string
	RegisteredAt time.Time
	Cancelled    bool
	// Past has the requests of the user for the event that are over, one in a line: those that
	// made a registration which is cancelled since, those that cancelled, and, where they were
	// Keyed, those that found nothing to cancel or found a registration there. The latest
	// maxPast are kept. One of them that comes again changes nothing; an older one is taken for
	// a new request.
	Past string
}

// Kind says what a SeatRequest asks for.
type Kind string

// The kinds. Never rename, never reuse.
const (
	Register  Kind = "register"   // a place for UserID, or one in the waiting list
	Cancel    Kind = "cancel"     // UserID gives it back
	EditEvent Kind = "edit_event" // the organizer changes the event
	Recount   Kind = "recount"    // an operator has the counters set from the registrations
)

// SeatRequest asks for a change of who holds a seat.
type SeatRequest struct {
	Kind      Kind
	EventID   ID
	UserID    ID     // zero for EditEvent and Recount
	RequestID string // 1 to 255 printable bytes, unique within (event, user)
	// Keyed says that the RequestID is the client's own, so that it may come again at any time,
	// and that finding nothing to do is a success, so that it must be kept: a Cancel of who holds
	// nothing, a Register of who is registered.
	Keyed bool
	// Number says which registration a Cancel means: the one with this number. 0 means whichever
	// there is.
	Number int64
	// Actor is who made the request. It decides nothing.
	Actor Actor
	// At is the worker's clock when the batch was formed. It decides about opening hours.
	At   time.Time
	Edit *Edit // for EditEvent only
}

// AnyVersion in Edit.Version applies the edit to whatever the event is now.
const AnyVersion = -1

// Edit has what an organizer changes. Fields that are nil stay as they are; a zero time
// takes a limit away.
type Edit struct {
	Version     int64 // the Event.Version that the organizer has seen, or AnyVersion
	Title       *string
	Description *string
	Place       *string
	TimeZone    *string
	Waitlist    *bool
	StartsAt    *time.Time
	EndsAt      *time.Time
	OpensAt     *time.Time
	ClosesAt    *time.Time
	Capacity    *int64
	Cancel      bool // cancels the event, for good
}

// Outcome is what became of a SeatRequest.
type Outcome string

// The outcomes of a seat request. Never rename, never reuse.
const (
	Registered        Outcome = "registered"         // the seat is theirs, durably
	AlreadyRegistered Outcome = "already_registered" // they hold a seat under another request id
	Waitlisted        Outcome = "waitlisted"         // they are in the waiting list, durably
	AlreadyWaitlisted Outcome = "already_waitlisted" // they are, under another request id
	SoldOut           Outcome = "sold_out"           // no place is left
	EventNotFound     Outcome = "event_not_found"    // no event has this id

	RegistrationNotOpen   Outcome = "registration_not_open"  // too early
	RegistrationClosed    Outcome = "registration_closed"    // too late
	RegistrationCancelled Outcome = "registration_cancelled" // this request's registration was cancelled since
	EventCancelled        Outcome = "event_cancelled"        // the event takes no registrations and edits any more

	Cancelled           Outcome = "cancelled"            // they hold nothing, now or already before
	RegistrationChanged Outcome = "registration_changed" // they hold another one than the Number of the request, or never had that

	Edited            Outcome = "edited"              // the edit is stored
	VersionMismatch   Outcome = "version_mismatch"    // somebody else's edit came first
	CapacityBelowSold Outcome = "capacity_below_sold" // more places are taken than would be left

	Recounted  Outcome = "recounted"  // the counters are as the registrations say
	Overbooked Outcome = "overbooked" // more people hold a place than there are; nothing was changed
)

// SeatResult answers one SeatRequest.
type SeatResult struct {
	Outcome Outcome
	// Registration is set when Outcome is Registered, AlreadyRegistered, Waitlisted or
	// AlreadyWaitlisted.
	Registration Registration
	// Position is the place in the waiting list, from 1, of who has just joined it.
	Position int64
	// OpensAt is set when Outcome is RegistrationNotOpen.
	OpensAt time.Time
}

// Database says which database it is.
type Database interface {
	// DatabaseID is the same for all processes over one database and no other: not a copy of
	// its records, and not one of another name. It is known when the store is open, does not
	// change, and has 1 to 32 lower-case letters and digits. The adapters say what a database
	// keeps its id through.
	DatabaseID() string
}

// Seats changes who holds a seat.
type Seats interface {
	Database
	// Apply decides a batch and stores what it decided, as one atomic change. It returns
	// one result per request, in the order of the batch.
	//
	// Each event's changes are serializable, and a result is durable when it is returned.
	//
	// Every result is definite, be it yes, no, nothing to do or the answer to a repetition: it
	// rests on the latest state of its event, nothing that was decided about the event before
	// can be stored after it, however late it arrives, and what it rests on is durable too. So
	// who was told "sold out" never finds that an earlier request of theirs took a seat since.
	//
	// An error means that nothing, or an unknown part, was stored: the same batch may be
	// applied again, and each request that took its seat the first time is told so.
	// ErrNothingStored, and so ErrUnavailable and ErrStorageFull, means that surely nothing was.
	//
	// Apply tries again on its own while ctx allows and starts no write after it has
	// ended; it never waits longer than ctx for its answer. It is safe for concurrent use
	// by many goroutines and many processes.
	Apply(ctx context.Context, batch []SeatRequest) ([]SeatResult, error)
}

// Users keeps the people.
type Users interface {
	// CreateUser stores a new user durably. Errors: ErrEmailTaken, ErrUnavailable. Here and
	// everywhere below also ErrNothingStored: a fault of the store that does not pass.
	CreateUser(ctx context.Context, u User) error
	// UserByEmail finds a user by EmailKey. Errors: ErrUserNotFound, ErrUnavailable.
	UserByEmail(ctx context.Context, email string) (User, error)
}

// Events keeps the events and tells who is registered. Reads see everything that was
// acknowledged before they began.
type Events interface {
	// CreateEvent stores a new event durably, without registrations, as version 1. Errors:
	// ErrUnavailable.
	CreateEvent(ctx context.Context, e Event) error
	// Event reads one event. Errors: ErrEventNotFound, ErrUnavailable.
	Event(ctx context.Context, id ID) (Event, error)
	// Roster reads the registrations of an event that are not cancelled, by Number, in
	// constant memory: those with a number above `after` and at most `through`, and at most
	// limit of them (0: no limit). An unknown event has none. It yields an error at most
	// once, as the last thing.
	Roster(ctx context.Context, eventID ID, after, through int64, limit int) iter.Seq2[Registration, error]
	// Registration reads one that is not cancelled. Errors: ErrRegistrationNotFound,
	// ErrUnavailable.
	Registration(ctx context.Context, eventID, userID ID) (Registration, error)
	// Position counts the registrations of an event that wait with a number up to this
	// one: the place in the line of who has it, or 0 when it holds a place. While the line
	// moves the count may be off by what moved meanwhile. Errors: ErrEventNotFound,
	// ErrUnavailable.
	Position(ctx context.Context, eventID ID, number int64) (int64, error)
	// UserRegistrations reads what a user holds, waits for or has given back
	// (Registration.Cancelled), each with its event, the newest event first: those of events
	// older than `before` (zero: all), and at most limit of them. The cost grows with limit
	// only, which is why those given back are not left out. It yields an error at most once,
	// as the last thing.
	UserRegistrations(ctx context.Context, userID, before ID, limit int) iter.Seq2[Holding, error]
}

// Holding is a registration together with its event.
type Holding struct {
	Registration Registration
	Event        Event
}

// Store is all of it over one database.
type Store interface {
	Seats
	Users
	Identity
	Events
	Finder
	Idempotency
	// Ping reports whether the store can be written to now. Errors: ErrUnavailable,
	// ErrDatabaseReplaced.
	Ping(ctx context.Context) error
	// Close releases the store. No other call may be running.
	Close() error
}
