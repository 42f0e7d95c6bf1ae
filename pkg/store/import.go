package store

import "context"

// ImportOutcome is what became of a record that was to be imported.
type ImportOutcome string

// The outcomes of an import.
const (
	Imported      ImportOutcome = "imported"
	AlreadyThere  ImportOutcome = "already there"      // one with this id is stored, and stays as it is
	AddressInUse  ImportOutcome = "address in use"     // another user has the e-mail address; nothing is stored
	NotFromImport ImportOutcome = "not from an import" // see Importer.ImportEvent
)

// ImportRequestID is the RequestID of imported registrations.
const ImportRequestID = "import"

// Importer stores what another system has kept, under the ids that it had there. Every method may
// be interrupted at any moment and repeated, by one process at a time, while others use the
// store. A record that is stored under an id is never changed.
type Importer interface {
	// KnownUsers returns which of these ids are ids of users.
	KnownUsers(ctx context.Context, ids []ID) (map[ID]bool, error)
	// ImportUsers stores users, one after the other, and returns one outcome for each. After an
	// error some may be stored.
	ImportUsers(ctx context.Context, users []User) ([]ImportOutcome, error)
	// ImportEvent stores an event and its roster: users in order of admission, none twice and at
	// most e.Capacity, who get the numbers from 1 and a seat each. The event cannot be seen before
	// it is complete. ImportEvent calls progress, when it is not nil, with the number of
	// registrations that were stored since the call before.
	//
	// NotFromImport means that the event does not exist, and yet has registrations that no import
	// made. Nothing is stored then.
	ImportEvent(ctx context.Context, e Event, roster []ID, progress func(int)) (ImportOutcome, error)
}

// ImportedRegistration returns the registration of the user at index i, from 0, of an imported
// roster.
func ImportedRegistration(e Event, i int, user ID) Registration {
	return Registration{
		EventID: e.ID, UserID: user, Number: int64(i) + 1, RequestID: ImportRequestID, RegisteredAt: e.CreatedAt,
		Revisions: Revisions{1},
	}
}

// ImportedEvent returns e as it is stored with an imported roster of n users.
func ImportedEvent(e Event, n int) Event {
	e.Version, e.Revision, e.Recorded = 1, 1, 1
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = int64(n), 0, int64(n), int64(n)
	return e
}
