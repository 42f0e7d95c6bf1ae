package store

import (
	"context"
	"slices"
	"time"
)

// Kind says what a SeatRequest asks for.
type Kind string

// The kinds. Never rename, never reuse.
const (
	Register  Kind = "register"   // a seat for UserID, or a position in the waiting list
	Cancel    Kind = "cancel"     // UserID's registration is cancelled
	EditEvent Kind = "edit_event" // the organizer changes the event
	Recount   Kind = "recount"    // an operator has the counters set from the registrations
)

// SeatRequest asks for a change of an event's registrations, or of the event.
type SeatRequest struct {
	Kind      Kind
	EventID   ID
	UserID    ID     // zero for EditEvent and Recount
	RequestID string // 1 to 255 printable bytes, unique within (event, user)
	// Keyed says that RequestID is an idempotency key of the client's own. Such a request may come
	// again at any time, so it is remembered also when it succeeds without a change: a Cancel that
	// finds no registration, a Register that finds one.
	Keyed bool
	// Number says which registration a Cancel means, by its Registration.Number; 0: whichever the
	// user has.
	Number int64
	// Actor is who made the request. It decides nothing but NotOrganizer.
	Actor Actor
	// At is the worker's clock when the batch was formed. It decides about opening hours.
	At   time.Time
	Edit *Edit // for EditEvent only
	// SentAt is when a Register was sent, by the clock of this process and rather too early than too late; zero: just
	// now. Refused says that this process may have refused the same request since. See Overtaken.
	SentAt  time.Time
	Refused bool
	// Lease is how long a lease may be that a Register which finds the event sold out is given; 0: it is given none.
	Lease time.Duration
	// LeasesEnded says that the leases up to the one that Event.LeasesGranted counted so have ended; 0: nothing is known. See LeaseOut.
	LeasesEnded int64
}

// Outcome is what became of a SeatRequest. It is the same word everywhere: on the wire of
// pkg/messages, in logs, and, when it is a refusal, as the code of its problem.
type Outcome string

// The outcomes of a seat request. Never rename, never reuse.
const (
	Registered        Outcome = "registered"         // the user has a seat, durably
	AlreadyRegistered Outcome = "already_registered" // the user has a seat, by another request
	Waitlisted        Outcome = "waitlisted"         // the user is in the waiting list, durably
	AlreadyWaitlisted Outcome = "already_waitlisted" // the user is in the waiting list, by another request
	SoldOut           Outcome = "sold_out"           // no seat is free and there is no waiting list
	EventNotFound     Outcome = "event_not_found"    // no event has this id

	RegistrationNotOpen   Outcome = "registration_not_open"  // too early
	RegistrationClosed    Outcome = "registration_closed"    // too late
	RegistrationCancelled Outcome = "registration_cancelled" // the registration that this request made was cancelled since
	EventCancelled        Outcome = "event_cancelled"        // the event takes no registrations and edits any more
	EmailUnproven         Outcome = "email_unproven"         // the event asks for proven addresses, and the user's is not

	Cancelled           Outcome = "cancelled"            // the user has no registration now, whether or not there was one
	RegistrationChanged Outcome = "registration_changed" // the user has another registration than the Number of the request, or never had that

	Edited            Outcome = "edited"              // the edit is stored
	VersionMismatch   Outcome = "version_mismatch"    // somebody else's edit came first, or moved a time that this one contradicts
	CapacityBelowSold Outcome = "capacity_below_sold" // more seats are taken than would be left
	NotOrganizer      Outcome = "not_organizer"       // the Actor claims to be the organizer of the event, and is not

	// Overtaken means that a seat is to be had, but the same request may have been refused since this one was sent: its
	// user repeated it, by another API process, and was told no. Nothing was changed. Who still waits for the answer
	// sends it anew.
	Overtaken Outcome = "overtaken"

	// LeaseOut means that the request might free a seat, or change who is refused and why, while API processes may refuse by
	// themselves because of leases. Nothing of it was decided, and no more leases are granted. Who knows that they have ended
	// sends it anew, with SeatRequest.LeasesEnded.
	LeaseOut Outcome = "lease_out"

	Recounted  Outcome = "recounted"  // the counters are as the registrations say
	Overbooked Outcome = "overbooked" // more registrations are confirmed than there are seats; nothing was changed
)

// outcomes has the outcomes of each kind of request. It is the only such table: what a requester
// believes, and which problems a route documents, follow from it. NotOrganizer, Overtaken and LeaseOut are in no row, because a
// worker tells nobody: no API process asks for the first, and the others are no decisions. Nothing changes the table.
var outcomes = map[Kind][]Outcome{
	Register: {
		Registered, AlreadyRegistered, Waitlisted, AlreadyWaitlisted, SoldOut, EventNotFound,
		RegistrationNotOpen, RegistrationClosed, RegistrationCancelled, EventCancelled, EmailUnproven,
	},
	Cancel:    {Cancelled, RegistrationChanged, EventNotFound},
	EditEvent: {Edited, VersionMismatch, CapacityBelowSold, EventCancelled, EventNotFound},
	Recount:   {Recounted, Overbooked, EventNotFound},
}

// Outcomes returns what may become of a request of kind k as others are told it: all but
// NotOrganizer, Overtaken and LeaseOut. It is empty for an unknown kind. The caller must not change the list.
func (k Kind) Outcomes() []Outcome { return outcomes[k] }

// Valid reports whether o may become of a request of some kind, as Kind.Outcomes says.
func (o Outcome) Valid() bool {
	for _, row := range outcomes {
		if slices.Contains(row, o) {
			return true
		}
	}
	return false
}

// Refuses reports whether o is a no to a Register, after which the same request may still succeed without any
// doing of its user: a seat becomes free, the hour comes.
func (o Outcome) Refuses() bool {
	switch o {
	case SoldOut, RegistrationNotOpen, RegistrationClosed, EmailUnproven:
		return true
	}
	return false
}

// SeatResult answers one SeatRequest.
type SeatResult struct {
	Outcome Outcome
	// Registration is set when Outcome is Registered, AlreadyRegistered, Waitlisted or
	// AlreadyWaitlisted.
	Registration Registration
	// Position is the position in the waiting list, from 1, when Outcome is Waitlisted and this
	// request made the registration.
	Position int64
	// OpensAt is set when Outcome is RegistrationNotOpen.
	OpensAt time.Time
	// Lease is for how long nobody gets a seat in the event who has no row in it, counted from when the request was sent. It
	// is set only when Outcome is SoldOut and the request asked for it. LastNumber is that of the event then. When Outcome
	// is LeaseOut, Lease is how long the longest lease is that may be out.
	Lease      time.Duration
	LastNumber int64
	// LeasesGranted is that of the event when Lease is set; also for who is refused as SoldOut and asked for a lease, when
	// none is granted because leases are ending.
	LeasesGranted int64
}

// toldKey is the key of a context's function for changes.
type toldKey struct{}

// WithChanges returns a context under which Seats.Apply hands on what it has stored: it calls take once,
// with the changes of the batch but those of leases only, before it returns without an error. take must not block and not change
// them. A batch that was stored by an attempt whose answer was lost is handed on by nobody: the record
// of changes alone has everything.
func WithChanges(ctx context.Context, take func([]Change)) context.Context {
	return context.WithValue(ctx, toldKey{}, take)
}

// TellChanges is for adapters: it hands the stored changes of a batch to whoever asked for them with
// WithChanges.
func TellChanges(ctx context.Context, changes []Change) {
	take, ok := ctx.Value(toldKey{}).(func([]Change))
	if changes = slices.DeleteFunc(slices.Clone(changes), Change.OnlyLeases); ok && len(changes) > 0 {
		take(changes)
	}
}

// Seats decides who gets a seat, and stores it.
type Seats interface {
	Database
	// Apply decides a batch of requests and stores all that it decided in one atomic change. It
	// returns one result for each request, in the order of the batch. It is safe for concurrent
	// use by many goroutines and many processes; the changes of one event are serializable.
	//
	// Definite answers. Every result is definite, whether it is a yes, a no, or "you had that
	// already":
	//   - it was decided on the latest state of its event;
	//   - whatever was decided about the event on an earlier state, and is not stored by now, can
	//     never be stored: such as the batch of a worker that was frozen, or an earlier attempt
	//     of the same request that is still on its way;
	//   - everything that it rests on is durable, also when the result changes nothing.
	//
	// So a user who was told SoldOut never finds out later that an earlier request of theirs took
	// a seat, and who was told Registered never loses the seat to a failover. That goes for an earlier
	// attempt, too, about which nobody has decided yet, because it waits in another worker: with its
	// SentAt it becomes Overtaken.
	//
	// Errors. An error means that it is unknown whether the batch is stored: all of it, or
	// nothing. The caller may apply the same batch again, now or later, here or in another
	// process: each request that succeeded the first time gets the same outcome again, by its
	// RequestID. An error that matches ErrNothingStored, as ErrUnavailable and ErrStorageFull do,
	// means that surely nothing is stored.
	//
	// Time. Apply retries by itself while ctx allows. It begins no write after ctx has ended, and
	// never waits longer than ctx for an answer.
	Apply(ctx context.Context, batch []SeatRequest) ([]SeatResult, error)
}
