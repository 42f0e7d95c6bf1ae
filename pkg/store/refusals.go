package store

import (
	"context"
	"time"
)

// RefusalsKept is how long it is remembered how many were refused in a minute, from its beginning.
const RefusalsKept = 48 * time.Hour

// RefusedMinute says how often people were told in one minute that an event is sold out.
type RefusedMinute struct {
	EventID ID
	At      time.Time // when the minute began, in UTC
	Refused int64     // answers; who asks three times counts three times
}

// Refusals counts refusals for organizers. A refusal changes nothing, so it has no row in the record of changes:
// whoever gives the answers counts them, and has the store add them up now and then. What a process that dies had
// not handed on is missing: it was at least as many. Nothing is decided by it.
type Refusals interface {
	// AddRefusals adds to what is counted of each minute. Errors: ErrUnavailable, ErrStorageFull; after
	// any other some or all of them may be counted.
	AddRefusals(ctx context.Context, counted []RefusedMinute) error
	// RefusedMinutes returns what was counted of an event in the minutes that began at since or later, the oldest
	// first, without minutes in which nobody was refused. There is nothing of an unknown event. Errors:
	// ErrUnavailable.
	RefusedMinutes(ctx context.Context, eventID ID, since time.Time) ([]RefusedMinute, error)
}
