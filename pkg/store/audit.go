package store

import (
	"context"
	"errors"
	"iter"
)

// ErrDamaged marks an error about one record that cannot be what this program wrote. Its
// text names the record and what is wrong with it.
var ErrDamaged = errors.New("damaged")

// Auditor reads a whole database for a proof. It takes nothing for granted that the proof
// is about, changes nothing, and works while others write.
//
// An error that matches ErrDamaged is about one record, and the reading goes on after it.
// Any other error is the last thing yielded.
type Auditor interface {
	// DatabaseID is that of a Store over the same database. Errors: ErrNoDatabaseID,
	// ErrUnavailable.
	DatabaseID(ctx context.Context) (string, error)
	// Size tells about how much there is to read.
	Size(ctx context.Context) (Size, error)
	// Protections checks what the database itself is there to prevent, and yields an
	// ErrDamaged for each protection that is missing or has failed.
	Protections(ctx context.Context) iter.Seq[error]
	// AuditUsers reads all users by address, so that two with one address are neighbours.
	AuditUsers(ctx context.Context) iter.Seq2[User, error]
	// AuditEvents reads the ids of all events, and of all events that registrations name
	// and that do not exist.
	AuditEvents(ctx context.Context) iter.Seq2[ID, error]
	// AuditEvent calls look with one event as it was at one moment. An ErrDamaged instead
	// says that the event itself cannot be read.
	AuditEvent(ctx context.Context, id ID, look func(View) error) error
	// Close releases the database.
	Close() error
}

// Size counts records.
type Size struct{ Users, Events, Registrations int64 }

// View is an event and everything that belongs to it, as it was at one moment.
type View struct {
	Event Event
	Found bool // false: no event has this id
	// OrganizerKnown says that the organizer is a user.
	OrganizerKnown bool
	// Unfindable says what of the event lists and searches would not find, because what they
	// go by is not what the event says; "" when all is well.
	Unfindable string
	// Rows are all its registrations by Number, the cancelled ones too, in constant memory.
	Rows iter.Seq2[Registration, error]
}
