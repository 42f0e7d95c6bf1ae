package store

import (
	"bytes"
	"context"
	"iter"
	"time"
)

// EventQuery says which events are wanted, in which order and how many. The zero value
// means all of them by StartsAt, then ID.
type EventQuery struct {
	From, To    time.Time // From <= StartsAt < To; zero: no bound
	OrganizerID ID        // zero: anybody's
	// Words are what Words makes of a search: each is the beginning of a word of the title,
	// the place or the description. nil: no search; none, but not nil: nothing is found.
	Words     []string
	Available bool // only events that are not cancelled and have places left
	// At, with Available, leaves only events for which one can register at that time (see
	// Event.States). It is compared with the events that the index of Available leads to.
	// Zero: opening hours and the end of the event do not count.
	At         time.Time
	Descending bool // the latest StartsAt first, then the highest ID
	// After begins behind this place in that order, whether or not an event is there.
	After *EventPlace
	Limit int // events at most; 0: DefaultPage
}

// DefaultPage is how many events a page has when its query does not say.
const DefaultPage = 250

// EventPlace is a place in the order of events.
type EventPlace struct {
	StartsAt time.Time
	ID       ID
}

// EventPage is a part of a list of events.
type EventPage struct {
	Events []Event
	// Next is the place behind which to go on; nil: there is no more. A page that has one may
	// have fewer events than were asked for, and even none: looking for more would have
	// meant to look at too many others.
	Next *EventPlace
}

// Finder reads by more than an event's id. Reads see everything that was acknowledged
// before they began.
type Finder interface {
	// FindEvents reads a page of the events that q asks for. What it looks at is bounded by a
	// small multiple of the page, however many events there are. Errors: ErrUnavailable.
	FindEvents(ctx context.Context, q EventQuery) (EventPage, error)
}

// AllEvents reads all events that q asks for, page by page, in bounded memory; q.Limit is the
// size of a page. An event that moves in the order meanwhile may be left out, or be there
// twice. It yields an error at most once, as the last thing.
func AllEvents(ctx context.Context, from Finder, q EventQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			page, err := from.FindEvents(ctx, q)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			q.After = page.Next
		}
	}
}

// IsAvailable reports whether an event takes people and has places left. Opening hours do
// not count.
func (e Event) IsAvailable() bool { return e.TicketsSold < e.Capacity && e.CancelledAt.IsZero() }

// At is where an event is in the order of events.
func (e Event) At() EventPlace { return EventPlace{e.StartsAt, e.ID} }

// Matches reports whether a query asks for an event, apart from After and Limit.
func (q EventQuery) Matches(e Event) bool {
	return (q.From.IsZero() || !e.StartsAt.Before(q.From)) && (q.To.IsZero() || e.StartsAt.Before(q.To)) &&
		(q.OrganizerID.IsZero() || e.OrganizerID == q.OrganizerID) &&
		(!q.Available || e.IsAvailable() && q.takes(e)) && (q.Words == nil || len(q.Words) > 0 && e.Contains(q.Words))
}

// takes reports whether one can register for an event at the time that the query names.
func (q EventQuery) takes(e Event) bool {
	_, registration := e.States(q.At)
	return q.At.IsZero() || registration == RegistrationIsOpen
}

// Compare orders places by StartsAt, then ID.
func (p EventPlace) Compare(other EventPlace) int {
	if c := p.StartsAt.Compare(other.StartsAt); c != 0 {
		return c
	}
	return bytes.Compare(p.ID[:], other.ID[:])
}

// following is the place next to p, behind it or, descending, before it.
func (p EventPlace) following(descending bool) EventPlace {
	step, turns, ms := byte(1), byte(0), time.Millisecond
	if descending {
		step, turns, ms = 0xff, 0xff, -ms
	}
	for i := len(p.ID) - 1; i >= 0; i-- {
		if p.ID[i] += step; p.ID[i] != turns {
			return p
		}
	}
	p.StartsAt = p.StartsAt.Add(ms) // times keep milliseconds
	return p
}
