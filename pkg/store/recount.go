package store

import "slices"

// Counts is what the registrations of an event say, whatever the event's counters say.
type Counts struct {
	Confirmed  int64 // not cancelled, with a number up to the event's ConfirmedThrough
	Waiting    int64 // not cancelled, with a number above it
	LastNumber int64 // the highest number of all, cancelled ones too; 0: there are none
}

// Recounts reports whether a batch recounts an event: an adapter must then load its Counts. While leases are out it does not.
func Recounts(e Event, batch []SeatRequest) bool {
	return !e.leasesOut(batch) && slices.ContainsFunc(batch, func(r SeatRequest) bool { return r.Kind == Recount && r.EventID == e.ID })
}

// Repair returns e with its counters set from its registrations. When more registrations are
// confirmed than there are seats, ok is false and e stays as it is: any repair would take
// somebody's seat.
//
// ConfirmedThrough is not a counter: it alone says who holds a seat. It is only brought back into
// the range of the numbers, where it confirms the same registrations.
func (c Counts) Repair(e Event) (_ Event, ok bool) {
	if c.Confirmed > e.Capacity {
		return e, false
	}
	e.TicketsSold, e.Waiting = c.Confirmed, c.Waiting
	e.LastNumber = max(e.LastNumber, c.LastNumber, 0)
	e.ConfirmedThrough = min(max(e.ConfirmedThrough, 0), e.LastNumber)
	return e, true
}

// recount repairs the event before everything else in the batch, wherever in it the Recount is:
// all other decisions must rest on right counters.
func (e *eventDecision) recount(c Counts) {
	repaired, ok := c.Repair(e.Event)
	if !ok {
		e.recounted = Overbooked
		return
	}
	e.Event, e.recounted = repaired, Recounted
	e.recountPromoted = e.promote()
	e.repaired = !e.Event.Equal(e.before)
}
