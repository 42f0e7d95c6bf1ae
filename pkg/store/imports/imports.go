// Package imports defines how a store takes what another system has kept. Both adapters of pkg/store implement it.
package imports

import (
	"context"

	"github.com/eventio/eventio/pkg/store"
)

// Outcome is what became of a record that was to be imported.
type Outcome string

// The outcomes of an import.
const (
	Imported      Outcome = "imported"
	AlreadyThere  Outcome = "already there"      // one with this id is stored, and stays as it is
	AddressInUse  Outcome = "address in use"     // another user has the e-mail address; nothing is stored
	NotFromImport Outcome = "not from an import" // see Store.ImportEvent
)

// Store takes what another system has kept, under the ids that it had there. Every method may
// be interrupted at any moment and repeated, by one process at a time, while others use the
// store. A record that is stored under an id is never changed.
type Store interface {
	// KnownUsers returns which of these ids are ids of users.
	KnownUsers(ctx context.Context, ids []store.ID) (map[store.ID]bool, error)
	// ImportUsers stores users, one after the other, and returns one outcome for each. After an
	// error some may be stored.
	ImportUsers(ctx context.Context, users []store.User) ([]Outcome, error)
	// ImportEvent stores an event and its roster: users in order of admission, none twice and at
	// most e.Capacity, who get the numbers from 1 and a seat each. The event cannot be seen before
	// it is complete. ImportEvent calls progress, when it is not nil, with the number of
	// registrations that were stored since the call before.
	//
	// NotFromImport means that the event does not exist, and yet has registrations that no import
	// made. Nothing is stored then.
	ImportEvent(ctx context.Context, e store.Event, roster []store.ID, progress func(int)) (Outcome, error)
}

// Registration returns the registration of the user at index i, from 0, of an imported
// roster.
func Registration(e store.Event, i int, user store.ID) store.Registration {
	return store.Registration{
		EventID: e.ID, UserID: user, Number: int64(i) + 1, RequestID: store.ImportRequestID, RegisteredAt: e.CreatedAt,
		Revisions: store.Revisions{1},
	}
}
