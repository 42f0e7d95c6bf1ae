package store

import (
	"context"
	"iter"
	"time"
)

// EventQuery says which events are wanted, in which order and how many. The zero value
// means all of them by StartsAt, then ID.
type EventQuery struct {
	From, To    time.Time // From <= StartsAt < To; zero: no bound
	OrganizerID ID        // zero: anybody's
	Words       []string  // each is in the title or the description (see Words)
	Available   bool      // only events with places left
	Descending  bool      // the latest StartsAt first, then the highest ID
	// After begins behind this place in that order, whether or not an event is there.
	After *EventPlace
	Limit int // events at most; 0: no limit
}

// EventPlace is a place in the order of events.
type EventPlace struct {
	StartsAt time.Time
	ID       ID
}

// Finder reads by more than an event's id. Reads see everything that was acknowledged
// before they began.
type Finder interface {
	// FindEvents reads the events that q asks for, in constant memory. It yields an error
	// at most once, as the last thing.
	FindEvents(ctx context.Context, q EventQuery) iter.Seq2[Event, error]
}
