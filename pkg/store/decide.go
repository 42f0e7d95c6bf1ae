package store

import (
	"fmt"
	"slices"
	"time"
)

// EventState is what the decision about one event rests on. An adapter loads it, and its
// write must fail when the event's Revision has moved on since.
type EventState struct {
	Event Event // at least its seats, hours, Waitlist, Version, Revision and LastEdit
	// Held has the registrations, also cancelled ones, of those users who are in the batch.
	Held map[ID]Registration
	// Next has the numbers of those who wait, the first in line first: all of them, or at
	// least as many as Promotable says.
	Next []int64
	// Counts must be set when the batch recounts the event. Next then begins after the
	// ConfirmedThrough of the mended event.
	Counts *Counts
}

// Change is what a batch changes in one event.
type Change struct {
	Before Event // as loaded
	After  Event // the same with its seats, hours, Waitlist, Version, Revision and LastEdit changed
	Edit   *Edit // the edits that were made, as one
	// Added are new registrations, Replaced have another state than before. Both are in
	// order of first request.
	Added    []Registration
	Replaced []Registration
	// Actions are the requests that made the change, in order of arrival, each with who acted.
	// A request that changed nothing, or whose id alone is kept, is not among them.
	Actions []Action
}

// Promotable is how many of those who wait for an event a batch could promote or remove at
// most: how many numbers an adapter must load into Next.
func Promotable(e Event, batch []SeatRequest) int64 {
	var requests, cancels int64
	places := e.Capacity
	for _, req := range batch {
		if req.EventID != e.ID {
			continue
		}
		requests++
		switch {
		case req.Kind == Cancel:
			cancels++
		case req.Kind == EditEvent && req.Edit.Capacity != nil:
			places = max(places, *req.Edit.Capacity)
		}
	}
	free := max(0, places-e.TicketsSold)
	if requests == 1 && cancels == 0 && free >= e.Waiting {
		return 0 // alone, an edit that makes room for all promotes all, and needs no numbers
	}
	return min(cancels+free, e.Waiting)
}

// Decide says who gets a seat. It is a pure function of the events' states and the
// requests in their order of arrival; an event without a state does not exist. The
// answers, one per request in order, hold only if all the changes are stored.
//
// Where several answers apply: no such event, then already registered, then what keeps
// anybody out, then sold out. A request that succeeded and is repeated, within the batch or
// since, changes nothing, as long as Registration.Past has it. Decide panics on a state that
// contradicts itself.
func Decide(states map[ID]EventState, batch []SeatRequest) ([]SeatResult, []Change) {
	d := decision{states: states, events: make(map[ID]*eventDecision)}
	results := make([]SeatResult, len(batch))
	for i, req := range batch {
		results[i] = d.decide(req)
	}
	var changes []Change
	for _, e := range d.order {
		if c, changed := e.change(); changed {
			changes = append(changes, c)
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

func (d *decision) decide(req SeatRequest) SeatResult {
	e, ok := d.events[req.EventID]
	if !ok {
		state, exists := d.states[req.EventID]
		if !exists {
			return SeatResult{Outcome: EventNotFound}
		}
		e = &eventDecision{
			Event: state.Event, before: state.Event, held: state.Held, next: slices.Clone(state.Next),
			rows: make(map[ID]Registration), gone: make(map[int64]bool),
		}
		if state.Counts != nil {
			e.recount(*state.Counts)
		}
		d.events[req.EventID] = e
		d.order = append(d.order, e)
	}
	switch req.Kind {
	case Register:
		return e.register(req)
	case Cancel:
		return e.cancel(req)
	case EditEvent:
		return e.edit(req)
	case Recount:
		if e.mended {
			e.act(req, 0)
		}
		return SeatResult{Outcome: e.recounted}
	}
	panic(fmt.Sprintf("store: a seat request of kind %q", req.Kind))
}

// eventDecision is one event under way: as this batch has changed it so far. What was
// loaded is never written to.
type eventDecision struct {
	Event
	before Event
	held   map[ID]Registration // as loaded
	rows   map[ID]Registration // changed by this batch
	users  []ID                // the keys of rows, by first change
	next   []int64             // numbers in the waiting list
	gone   map[int64]bool      // numbers in next that have left the list
	edits  *Edit

	actions []Action

	recounted Outcome // what became of a recount; none without one
	mended    bool    // whether it changed anything
}

func (e *eventDecision) row(user ID) (Registration, bool) {
	if r, ok := e.rows[user]; ok {
		return r, true
	}
	r, ok := e.held[user]
	return r, ok
}

func (e *eventDecision) put(r Registration) {
	if _, ok := e.rows[r.UserID]; !ok {
		e.users = append(e.users, r.UserID)
	}
	e.rows[r.UserID] = r
}

// act notes that a request changed the registration with this number, or, with 0, the event.
func (e *eventDecision) act(req SeatRequest, number int64) {
	e.actions = append(e.actions, Action{Kind: req.Kind, Actor: req.Actor, UserID: req.UserID, Number: number})
}

// Confirmed reports whether a registration that is not cancelled holds a place.
func (e Event) Confirmed(r Registration) bool { return r.Number <= e.ConfirmedThrough }

func (e *eventDecision) register(req SeatRequest) SeatResult {
	row, ok := e.row(req.UserID)
	switch {
	case ok && row.done(req.RequestID):
		return SeatResult{Outcome: RegistrationCancelled}
	case ok && !row.Cancelled:
		return e.registered(row, req)
	case ok && row.foundBy(req.RequestID): // the one that it was told of is gone
		return SeatResult{Outcome: RegistrationCancelled}
	case !e.CancelledAt.IsZero():
		return SeatResult{Outcome: EventCancelled}
	case !e.OpensAt.IsZero() && req.At.Before(e.OpensAt):
		return SeatResult{Outcome: RegistrationNotOpen, OpensAt: e.OpensAt}
	case !e.ClosesAt.IsZero() && !req.At.Before(e.ClosesAt):
		return SeatResult{Outcome: RegistrationClosed}
	}
	free := e.TicketsSold < e.Capacity && e.Waiting == 0
	if !free && !e.Waitlist {
		return SeatResult{Outcome: SoldOut}
	}
	e.LastNumber++
	row = Registration{
		EventID: e.ID, UserID: req.UserID, Number: e.LastNumber, RequestID: req.RequestID,
		RegisteredAt: req.At.UTC().Truncate(time.Millisecond), Past: row.Past,
	}
	e.put(row)
	e.act(req, row.Number)
	if free {
		e.TicketsSold++
		e.ConfirmedThrough = row.Number
		return SeatResult{Outcome: Registered, Registration: row}
	}
	e.Waiting++
	e.next = append(e.next, row.Number)
	return SeatResult{Outcome: Waitlisted, Registration: row, Position: e.Waiting}
}

// registered answers a request for a seat of somebody who is registered.
func (e *eventDecision) registered(row Registration, req SeatRequest) SeatResult {
	res := SeatResult{Outcome: AlreadyWaitlisted, Registration: row}
	again, confirmed := row.RequestID == req.RequestID, e.Confirmed(row)
	switch {
	case confirmed && again:
		res.Outcome = Registered
	case confirmed:
		res.Outcome = AlreadyRegistered
	case again:
		res.Outcome = Waitlisted
	}
	if req.Keyed && !again && !row.foundBy(req.RequestID) {
		row.keep(found + req.RequestID)
		e.put(row)
		res.Registration = row
	}
	return res
}

func (e *eventDecision) cancel(req SeatRequest) SeatResult {
	row, ok := e.row(req.UserID)
	if ok && row.done(req.RequestID) {
		// It comes a second time, and must not hit the registration made since.
		return SeatResult{Outcome: Cancelled}
	}
	live := ok && !row.Cancelled
	switch {
	case req.Number == 0, live && req.Number == row.Number:
	case ok && !live && req.Number <= row.Number: // it is over, like all before it
	default:
		return SeatResult{Outcome: RegistrationChanged}
	}
	if !live {
		if req.Keyed {
			e.keepCancel(row, req)
		}
		return SeatResult{Outcome: Cancelled}
	}
	row.Cancelled = true
	row.keep(row.RequestID, req.RequestID)
	e.put(row)
	e.act(req, row.Number)
	if e.Confirmed(row) {
		e.TicketsSold--
		e.promote()
	} else {
		e.Waiting--
		e.gone[row.Number] = true
	}
	return SeatResult{Outcome: Cancelled}
}

// keepCancel keeps the id of a cancellation that found nothing to cancel: in the row of the
// last registration, or in a row that is cancelled from the start. That has a number of its
// own, as every row.
func (e *eventDecision) keepCancel(row Registration, req SeatRequest) {
	if row.Number == 0 {
		e.LastNumber++
		row = Registration{
			EventID: e.ID, UserID: req.UserID, Number: e.LastNumber, RequestID: req.RequestID,
			RegisteredAt: req.At.UTC().Truncate(time.Millisecond), Cancelled: true,
		}
	}
	row.keep(req.RequestID)
	e.put(row)
}

func (e *eventDecision) edit(req SeatRequest) SeatResult {
	edit := req.Edit
	switch {
	case keeps(e.LastEdit, req.RequestID), edit.Cancel && !e.CancelledAt.IsZero():
		return SeatResult{Outcome: Edited}
	case edit.Version != AnyVersion && edit.Version != e.Version:
		return SeatResult{Outcome: VersionMismatch}
	case !e.CancelledAt.IsZero():
		return SeatResult{Outcome: EventCancelled}
	case edit.Capacity != nil && *edit.Capacity < e.TicketsSold:
		return SeatResult{Outcome: CapacityBelowSold}
	}
	if e.edits == nil {
		e.edits = &Edit{}
	}
	e.edits.merge(edit)
	e.act(req, 0)
	e.Version++
	e.LastEdit = keep(e.LastEdit, maxEdits, req.RequestID)
	set(&e.Event.Waitlist, edit.Waitlist)
	set(&e.Event.OpensAt, edit.OpensAt)
	set(&e.Event.ClosesAt, edit.ClosesAt)
	set(&e.Event.Capacity, edit.Capacity)
	if edit.Cancel {
		e.CancelledAt = req.At.UTC().Truncate(time.Millisecond)
	}
	e.promote()
	return SeatResult{Outcome: Edited}
}

// Texts is an event with the texts that an edit gives it.
func (e *Edit) Texts(event Event) Event {
	set(&event.Title, e.Title)
	set(&event.Description, e.Description)
	set(&event.Place, e.Place)
	return event
}

// merge adds a later edit to an earlier one.
func (e *Edit) merge(later *Edit) {
	replace(&e.Title, later.Title)
	replace(&e.Description, later.Description)
	replace(&e.Place, later.Place)
	replace(&e.TimeZone, later.TimeZone)
	replace(&e.Waitlist, later.Waitlist)
	replace(&e.StartsAt, later.StartsAt)
	replace(&e.EndsAt, later.EndsAt)
	replace(&e.OpensAt, later.OpensAt)
	replace(&e.ClosesAt, later.ClosesAt)
	replace(&e.Capacity, later.Capacity)
	e.Cancel = e.Cancel || later.Cancel
}

func replace[T any](to **T, with *T) {
	if with != nil {
		*to = with
	}
}

func set[T any](to *T, value *T) {
	if value != nil {
		*to = *value
	}
}

// promote gives free places to those who wait, the first in line first.
func (e *eventDecision) promote() {
	for e.TicketsSold < e.Capacity && e.Waiting > 0 && e.CancelledAt.IsZero() {
		if e.Capacity-e.TicketsSold >= e.Waiting { // room for all
			e.TicketsSold += e.Waiting
			e.Waiting = 0
			e.ConfirmedThrough = e.LastNumber
			e.next = nil
			return
		}
		for len(e.next) > 0 && e.gone[e.next[0]] {
			e.next = e.next[1:]
		}
		if len(e.next) == 0 {
			panic(fmt.Sprintf("store: event %s has %d waiting and none of them is loaded", e.ID.Hex(), e.Waiting))
		}
		e.ConfirmedThrough = e.next[0]
		e.next = e.next[1:]
		e.TicketsSold++
		e.Waiting--
	}
}

// change sums up what this batch did to the event.
func (e *eventDecision) change() (Change, bool) {
	if len(e.users) == 0 && e.edits == nil && !e.mended {
		return Change{}, false
	}
	e.Revision++
	c := Change{Before: e.before, After: e.Event, Edit: e.edits, Actions: e.actions}
	for _, user := range e.users {
		if _, ok := e.held[user]; ok {
			c.Replaced = append(c.Replaced, e.rows[user])
		} else {
			c.Added = append(c.Added, e.rows[user])
		}
	}
	return c, true
}
