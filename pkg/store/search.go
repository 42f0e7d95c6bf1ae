package store

import (
	"bytes"
	"time"
)

// EventQuery selects events, and says in which order and how many. The zero value selects all,
// ordered by StartsAt, then ID.
type EventQuery struct {
	From, To, EndsAfter time.Time // From <= StartsAt < To, EndsAfter < EndsAt (compared with what the others find); zero: no bound
	OrganizerID         ID        // zero: of any organizer
	// Words are what Words returns for the text of a search: each must be the beginning of a word
	// of the title, the venue or the description. nil: no search; empty but not nil: no event
	// matches.
	Words     []string
	Available bool // only events that are not cancelled and have a free seat
	// At, with Available, leaves only events for which one can register at that time (see
	// Event.States). It is compared with the events that the index of Available leads to.
	// Zero: opening hours and the end of the event do not count.
	At         time.Time
	Descending bool // the latest StartsAt first, then the highest ID
	// After excludes all events up to this cursor. No event needs to be there.
	After *EventCursor
	Limit int // events at most; 0: DefaultPage
}

// DefaultPage is how many events a page has when its query does not say.
const DefaultPage = 250

// EventCursor is a point in the order of events.
type EventCursor struct {
	StartsAt time.Time
	ID       ID
}

// EventPage is a part of a list of events.
type EventPage struct {
	Events []Event
	// Next is the cursor after which the list goes on; nil: it ends here. A page with a Next may
	// have fewer events than Limit, or none, when finding more would have meant to look at too
	// many other events.
	Next *EventCursor
}

// Compare orders cursors by StartsAt, then ID.
func (c EventCursor) Compare(other EventCursor) int {
	if n := c.StartsAt.Compare(other.StartsAt); n != 0 {
		return n
	}
	return bytes.Compare(c.ID[:], other.ID[:])
}
