package verify

import (
	"context"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

// Reader reads a whole database so that this package can check it. It takes nothing of
// what is checked for granted, changes nothing, and works while others write.
//
// An error that matches ErrDamaged is about one record, and the sequence goes on after it. Any
// other error is the last element of its sequence.
type Reader interface {
	// DatabaseID returns the database id, as a Store over the same database does. Errors:
	// ErrNoDatabaseID, ErrUnavailable.
	DatabaseID(ctx context.Context) (string, error)
	// Size returns about how many records there are to read.
	Size(ctx context.Context) (Size, error)
	// CheckConstraints checks what the database itself enforces, such as unique indexes. It yields
	// an ErrDamaged for each constraint that is missing or broken.
	CheckConstraints(ctx context.Context) iter.Seq[error]
	// ReadUsers reads all users, ordered by EmailKey: two with the same address are neighbours.
	ReadUsers(ctx context.Context) iter.Seq2[StoredUser, error]
	// ReadEventIDs reads the ids of all events, and the ids of events that do not exist but have
	// registrations.
	ReadEventIDs(ctx context.Context) iter.Seq2[store.ID, error]
	// ReadEvents calls read with the state of each event, in the order of ids, which must ascend.
	// Each state is of one moment; events that are small may be read at the same one. It ends with
	// the first error of read or of its own, which leaves only the last one in doubt that read was called with.
	ReadEvents(ctx context.Context, ids []store.ID, read func(Snapshot) error) error
	// Close releases the database.
	Close() error
}

// StoredUser is a user with the key of the address as it is stored, one of store.EmailKeys.
type StoredUser struct {
	store.User
	EmailKey string
}

// KeepsOlderKey reports whether the address is stored under a key of before store.EmailKey: see store.KeptKey.
func (u StoredUser) KeepsOlderKey() bool {
	_, ok := store.RenewedEmailKey(u.Email, u.EmailKey)
	return ok
}

// Size counts records.
type Size struct{ Users, Events, Registrations int64 }

// Snapshot is an event and all its registrations at one moment.
type Snapshot struct {
	ID    store.ID
	Event store.Event
	// Damaged is an ErrDamaged that says why the event cannot be read, and then there is nothing
	// beside it.
	Damaged        error
	Found          bool // false: no event has this id
	OrganizerKnown bool // whether the organizer is a user
	// StaleSearch says which of the values that lists and searches find the event by differ from
	// the event: "its words", for example. "": none.
	StaleSearch string
	// Registrations yields all registrations by Number, also cancelled ones, in constant memory.
	// It is valid during the call of read only.
	Registrations iter.Seq2[store.Registration, error]
	// Changes yields the rows of the record by Revision, in constant memory; an ErrDamaged for a
	// row that cannot be read. It is valid during the call of read only. nil: the schema has no
	// record yet.
	Changes iter.Seq2[store.ChangeRecord, error]
}
