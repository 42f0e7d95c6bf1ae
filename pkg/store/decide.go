package store

import "time"

// EventState is what the decision about one event rests on. An adapter loads it, and its
// write must fail when the event has moved on since.
type EventState struct {
	Capacity    int64
	TicketsSold int64
	LastNumber  int64 // the highest Registration.Number given so far
	// Held has the registrations of those users who are in the batch.
	Held map[ID]Registration
}

// Change is what a batch changes in one event: tickets_sold grows by len(Added), and the
// last number becomes that of the last one added.
type Change struct {
	EventID ID
	Added   []Registration
}

// Decide says who gets a seat. It is a pure function of the events' states and the
// requests in their order of arrival; an event without a state does not exist. The
// answers, one per request in order, hold only if all the changes are stored.
//
// Where several answers apply: no such event, then already registered, then sold out.
// A request that is repeated, within the batch or since, gets its first answer.
func Decide(states map[ID]EventState, batch []SeatRequest) ([]SeatResult, []Change) {
	d := decision{states: states, events: make(map[ID]*eventDecision)}
	results := make([]SeatResult, len(batch))
	for i, req := range batch {
		results[i] = d.decide(req)
	}
	var changes []Change
	for _, e := range d.order {
		if len(e.change.Added) > 0 {
			changes = append(changes, e.change)
		}
	}
	return results, changes
}

// decision is a batch under way.
type decision struct {
	states map[ID]EventState
	events map[ID]*eventDecision
	order  []*eventDecision // by first request, so that equal input gives equal changes
}

// eventDecision is one event under way: its state when it was loaded, and what this batch
// has changed so far. The loaded state itself is never written to.
type eventDecision struct {
	EventState
	added  map[ID]Registration
	change Change
}

func (d *decision) event(id ID) *eventDecision {
	if e, ok := d.events[id]; ok {
		return e
	}
	state, ok := d.states[id]
	if !ok {
		return nil
	}
	e := &eventDecision{EventState: state, added: make(map[ID]Registration), change: Change{EventID: id}}
	d.events[id] = e
	d.order = append(d.order, e)
	return e
}

func (d *decision) decide(req SeatRequest) SeatResult {
	e := d.event(req.EventID)
	if e == nil {
		return SeatResult{Outcome: EventNotFound}
	}
	held, ok := e.added[req.UserID]
	if !ok {
		held, ok = e.Held[req.UserID]
	}
	switch {
	case ok && held.RequestID == req.RequestID:
		return SeatResult{Outcome: Registered, Registration: held}
	case ok:
		return SeatResult{Outcome: AlreadyRegistered}
	case e.TicketsSold >= e.Capacity:
		return SeatResult{Outcome: SoldOut}
	}
	e.TicketsSold++
	e.LastNumber++
	r := Registration{
		EventID:      req.EventID,
		UserID:       req.UserID,
		Number:       e.LastNumber,
		RequestID:    req.RequestID,
		RegisteredAt: req.At.UTC().Truncate(time.Millisecond),
	}
	e.added[req.UserID] = r
	e.change.Added = append(e.change.Added, r)
	return SeatResult{Outcome: Registered, Registration: r}
}
