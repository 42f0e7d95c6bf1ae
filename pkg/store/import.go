package store

import "context"

// ImportOutcome is what became of a record that was to be taken over.
type ImportOutcome string

// The outcomes of an import.
const (
	Imported      ImportOutcome = "imported"
	AlreadyThere  ImportOutcome = "already there"      // one with this id is stored; it stays as it is
	AddressInUse  ImportOutcome = "address in use"     // another user has the address; nothing is stored
	NotFromImport ImportOutcome = "not from an import" // see ImportEvent
)

// ImportRequestID is the request id of the registrations that were imported.
const ImportRequestID = "import"

// Importer takes over what another system has kept, under the ids it had there. All of it
// may be interrupted at any moment and repeated, by one process at a time: what is stored
// under an id is never changed. Others may use the store meanwhile.
type Importer interface {
	// KnownUsers tells which of these ids users have.
	KnownUsers(ctx context.Context, ids []ID) (map[ID]bool, error)
	// ImportUsers stores users, one after the other, and returns one outcome for each. An
	// error means that some may be stored.
	ImportUsers(ctx context.Context, users []User) ([]ImportOutcome, error)
	// ImportEvent stores an event and its roster: users in order of admission, none twice
	// and at most e.Capacity, who get the numbers from 1 and hold a place each. Nobody sees
	// the event before it is complete. moved, when it is not nil, is told about progress:
	// how many registrations more are stored.
	//
	// NotFromImport says that the store has no such event and yet registrations of it that
	// no import has made: nothing is stored.
	ImportEvent(ctx context.Context, e Event, roster []ID, moved func(int)) (ImportOutcome, error)
}

// ImportedRegistration is how the i-th of a roster, from 0, is stored.
func ImportedRegistration(e Event, i int, user ID) Registration {
	return Registration{
		EventID: e.ID, UserID: user, Number: int64(i) + 1, RequestID: ImportRequestID, RegisteredAt: e.CreatedAt,
	}
}

// ImportedEvent is e as it is stored with a roster of n.
func ImportedEvent(e Event, n int) Event {
	e.Version, e.Revision = 1, 1
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = int64(n), 0, int64(n), int64(n)
	return e
}
