package store

import (
	"context"
	"errors"
	"iter"
)

// ErrDamaged marks an error about one record that cannot be what this program wrote. Its
// text names the record and what is wrong with it.
var ErrDamaged = errors.New("damaged")

// VerifyReader reads a whole database for a proof. It takes nothing for granted that the proof
// is about, changes nothing, and works while others write.
//
// An error that matches ErrDamaged is about one record, and the reading goes on after it.
// Any other error is the last thing yielded.
type VerifyReader interface {
	// DatabaseID is that of a Store over the same database. Errors: ErrNoDatabaseID,
	// ErrUnavailable.
	DatabaseID(ctx context.Context) (string, error)
	// Size tells about how much there is to read.
	Size(ctx context.Context) (Size, error)
	// CheckConstraints checks what the database itself is there to prevent, and yields an
	// ErrDamaged for each protection that is missing or has failed.
	CheckConstraints(ctx context.Context) iter.Seq[error]
	// ReadUsers reads all users by address, so that two with one address are neighbours.
	ReadUsers(ctx context.Context) iter.Seq2[User, error]
	// ReadEventIDs reads the ids of all events, and of all events that registrations name
	// and that do not exist.
	ReadEventIDs(ctx context.Context) iter.Seq2[ID, error]
	// ReadEvent calls look with one event as it was at one moment. An ErrDamaged instead
	// says that the event itself cannot be read.
	ReadEvent(ctx context.Context, id ID, look func(EventSnapshot) error) error
	// Close releases the database.
	Close() error
}

// Size counts records.
type Size struct{ Users, Events, Registrations int64 }

// EventSnapshot is an event and everything that belongs to it, as it was at one moment.
type EventSnapshot struct {
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
