package store

import "slices"

// Counts is what the registrations of an event say, whatever its counters say.
type Counts struct {
	Holding    int64 // not cancelled, with a number up to the event's ConfirmedThrough
	Waiting    int64 // not cancelled, with a number above it
	LastNumber int64 // the highest number of all, cancelled ones too; 0 when there are none
}

// Recounts reports whether a batch recounts an event: an adapter must then load its Counts.
func Recounts(event ID, batch []SeatRequest) bool {
	return slices.ContainsFunc(batch, func(r SeatRequest) bool { return r.Kind == Recount && r.EventID == event })
}

// Mend sets the counters of an event from its registrations. ok is false when more people
// hold a place than there are: whatever is done then, somebody loses, so e stays as it is.
//
// ConfirmedThrough is not a counter but the truth about who holds a place. It is only
// brought back into the range of the numbers, where it means the same people.
func (c Counts) Mend(e Event) (_ Event, ok bool) {
	if c.Holding > e.Capacity {
		return e, false
	}
	e.TicketsSold, e.Waiting = c.Holding, c.Waiting
	e.LastNumber = max(e.LastNumber, c.LastNumber, 0)
	e.ConfirmedThrough = min(max(e.ConfirmedThrough, 0), e.LastNumber)
	return e, true
}

// recount comes before everything else in the batch, wherever in it the request is: what
// follows must rest on right counters.
func (e *eventDecision) recount(c Counts) {
	mended, ok := c.Mend(e.Event)
	if !ok {
		e.recounted = Overbooked
		return
	}
	e.Event, e.recounted = mended, Recounted
	e.promote()
	e.mended = e.Event != e.before
}
