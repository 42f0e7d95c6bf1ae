package store

import (
	"context"
	"errors"
	"time"
)

// DeletedEvent remembers an event that was deleted.
type DeletedEvent struct {
	ID          ID
	OrganizerID ID
	// Registrations is how many numbers the event had given to registrations.
	Registrations int64
	DeletedAt     time.Time
}

// ErrNotCancelled means that an event must be cancelled first.
var ErrNotCancelled = errors.New("the event is not cancelled")

// Deletions removes events for good, which only operators do. Errors of every method, beside those
// that it names: ErrUnavailable, and ErrNothingStored for a fault that does not pass.
type Deletions interface {
	// DeleteEvent removes an event that is cancelled, with all its registrations, its record of changes and the marks of webhooks, and remembers that
	// it was deleted at the given time. It removes the registrations a few at a time, and at every
	// moment the event's counters are those of the registrations that are left, so that a batch of
	// requests is decided either before or after each part: who asks for a registration in the event
	// is told EventCancelled until the event is gone, and EventNotFound after that. It may be
	// repeated after any error, and goes on where it stopped. Errors: ErrNotCancelled;
	// ErrEventNotFound, also when the event was deleted before.
	DeleteEvent(ctx context.Context, id ID, at time.Time) (DeletedEvent, error)
	// DeletedEvent reads what is remembered of an event that was deleted. Errors: ErrEventNotFound.
	DeletedEvent(ctx context.Context, id ID) (DeletedEvent, error)
}

// DeleteBatch is how many registrations are removed at once.
const DeleteBatch = 500

// Without returns e with the counters as they are when these of its registrations are gone. Its record
// of changes does not tell of that: it goes too.
func (e Event) Without(gone []Registration) Event {
	for _, r := range gone {
		switch {
		case r.Cancelled:
		case e.Confirmed(r):
			e.TicketsSold--
		default:
			e.Waiting--
		}
	}
	e.Revision++
	e.Recorded = RemovingRecord
	return e
}
