package store

import (
	"fmt"
	"slices"
	"time"
)

// EventState is what the decision about one event needs to know. An adapter loads it, and stores
// the resulting Change only if the event's Revision is still the same.
type EventState struct {
	// Event needs no texts.
	Event Event
	// Registrations has those of the users in the batch, also cancelled ones, by user.
	Registrations map[ID]Registration
	// Waiting has the waiting registrations, the lowest number first: all of them, or at least as
	// many as Promotable says.
	Waiting []NumberedUser
	// Last takes the place of Waiting when Promotable says that nobody is named.
	Last LastWaiting
	// Proven has the users of the batch who have proven their addresses. It is needed when the event
	// asks for that.
	Proven map[ID]bool
	// Counts must be set when the batch recounts the event. Waiting then begins after the
	// ConfirmedThrough of the event that Counts.Repair returns.
	Counts    *Counts
	Elsewhere Elsewhere
}

// Elsewhere says until when, by the clock of this process, others may have decided about an event what this process
// had not seen. The zero value: they have not.
type Elsewhere struct {
	Decided time.Time // anything
	Refused time.Time // an outcome that Refuses
	// Seen are moments at which this process knew the event's revision: whoever's registration has not changed since
	// cannot have found it in the meantime.
	Seen [2]Sighting
}

// Sighting says that an event had at least a revision at a time.
type Sighting struct {
	At       time.Time
	Revision int64
}

// LastWaiting is the last of the Count registrations of a waiting list that have the lowest numbers.
type LastWaiting struct{ Count, Number int64 }

// Change is what a batch changes in one event.
type Change struct {
	Before Event // as loaded
	After  Event // Before with everything that the batch changed, texts that it edited included
	Edit   *Edit // the edits that were made, as one; nil: none
	// Added are new registrations. Replaced were there before, in another state. Both are in order
	// of their first request in the batch.
	Added    []Registration
	Replaced []Registration
	// Actions are the requests that made the change, in order of arrival, each with who acted. A
	// request that changed nothing, or was only remembered, is not among them.
	Actions []Action
	// At is the latest time of the batch's requests about the event.
	At time.Time
}

// Promotable returns how many waiting registrations of an event a batch can promote or remove at
// most. When named is true, so many must be in EventState.Waiting. Otherwise a single request, if it
// succeeds, promotes exactly n, more than a change names: then EventState.Last must say which number
// the n-th of them has.
func Promotable(e Event, batch []SeatRequest) (n int64, named bool) {
	var requests, cancels int64
	most, last := e.Capacity, e.Capacity
	for _, req := range batch {
		if req.EventID != e.ID {
			continue
		}
		requests++
		switch {
		case req.Kind == Cancel:
			cancels++
		case req.Kind == EditEvent && req.Edit.Capacity != nil:
			last = *req.Edit.Capacity
			most = max(most, last)
		}
	}
	if requests == 1 {
		most = last
	}
	n = min(cancels+max(0, most-e.TicketsSold), e.Waiting)
	switch {
	case requests != 1 || n <= maxNamed:
		return n, true
	case n == e.Waiting:
		return 0, true // room for all: they end where the list ends
	}
	return n, false
}

// Decide says what becomes of each request of a batch, and what changes. It is a pure function of
// the events' states and of the requests in their order of arrival. An event without a state does
// not exist. The results, one for each request in order, hold only if all changes are stored.
//
// Where several outcomes apply, the first of these is given: EventNotFound, NotOrganizer, AlreadyRegistered,
// then EventCancelled, RegistrationNotOpen or RegistrationClosed, then EmailUnproven, then SoldOut. LeaseOut comes before
// all of another kind than these, whatever the request would change. A request that
// succeeded and comes again, in the batch or later, changes nothing as long as its registration
// remembers it (Registration.RequestID and Past). Decide panics on a state that contradicts itself.
func Decide(states map[ID]EventState, batch []SeatRequest) ([]SeatResult, []Change) {
	d := decision{states: states, events: make(map[ID]*eventDecision)}
	results := make([]SeatResult, len(batch))
	for i, req := range batch {
		results[i] = d.decide(req, batch)
	}
	d.grantLeases(batch, results)
	var changes []Change
	for _, e := range d.order {
		if c, changed := e.change(); changed {
			changes = append(changes, c)
		}
	}
	return results, changes
}

// decision is the decision about a batch, up to the request that is being decided.
type decision struct {
	states map[ID]EventState
	events map[ID]*eventDecision
	order  []*eventDecision // by first request, so that equal input gives equal changes
}

// decide decides about a request of a batch.
func (d *decision) decide(req SeatRequest, batch []SeatRequest) SeatResult {
	e, ok := d.events[req.EventID]
	if !ok {
		state, exists := d.states[req.EventID]
		if !exists {
			return SeatResult{Outcome: EventNotFound}
		}
		e = &eventDecision{
			Event: state.Event, before: state.Event, loaded: state.Registrations, line: slices.Clone(state.Waiting), last: state.Last,
			changed: make(map[ID]Registration), removed: make(map[int64]bool), proven: state.Proven, elsewhere: state.Elsewhere,
		}
		if !e.leasesOut(batch) {
			if state.Counts != nil {
				e.recount(*state.Counts)
			}
			e.endLeases(req.At)
		}
		d.events[req.EventID] = e
		d.order = append(d.order, e)
	}
	if !e.mayAct(req.Actor) {
		return SeatResult{Outcome: NotOrganizer}
	}
	if req.At.After(e.at) {
		e.at = req.At
	}
	if req.Kind != Register && e.LeaseMillis > 0 {
		return e.putAside()
	}
	switch req.Kind {
	case Register:
		return e.register(req)
	case Cancel:
		return e.cancel(req)
	case EditEvent:
		return e.edit(req)
	case Recount:
		if e.repaired {
			e.act(Action{Promoted: e.recountPromoted}, req)
			e.recountPromoted = Promotion{} // told once
		}
		return SeatResult{Outcome: e.recounted}
	}
	panic(fmt.Sprintf("store: a seat request of kind %q", req.Kind))
}

// eventDecision is the decision about one event: the embedded Event is as the batch has changed it
// so far. It never writes to what was loaded.
type eventDecision struct {
	Event
	before    Event
	loaded    map[ID]Registration // by user
	changed   map[ID]Registration // by user, as this batch has changed them
	users     []ID                // the keys of changed, by first change
	line      []NumberedUser      // the waiting list
	last      LastWaiting
	removed   map[int64]bool // numbers in line that have left the list
	at        time.Time      // the latest of the requests
	edits     *Edit
	proven    map[ID]bool // users who have proven their addresses
	elsewhere Elsewhere

	actions []Action

	recounted Outcome // of a recount; "": the batch has none
	repaired  bool    // whether the recount changed anything

	recountPromoted Promotion // who moved up by the recount
}

// registration returns the user's registration as it is now.
func (e *eventDecision) registration(user ID) (Registration, bool) {
	if r, ok := e.changed[user]; ok {
		return r, true
	}
	r, ok := e.loaded[user]
	return r, ok
}

func (e *eventDecision) put(r Registration) {
	if _, ok := e.changed[r.UserID]; !ok {
		e.users = append(e.users, r.UserID)
	}
	e.changed[r.UserID] = r
}

// act notes that a request changed a registration or the event. a says how; who, when and under
// which id is in the request.
func (e *eventDecision) act(a Action, req SeatRequest) {
	a.Kind, a.Actor, a.UserID, a.RequestID = req.Kind, req.Actor, req.UserID, req.RequestID
	a.At = req.At.UTC().Truncate(time.Millisecond)
	e.actions = append(e.actions, a)
}

// nextRevision returns the revision of the event when the batch is stored.
func (e *eventDecision) nextRevision() int64 { return e.before.Revision + 1 }

func (e *eventDecision) register(req SeatRequest) SeatResult {
	r, ok := e.registration(req.UserID)
	switch {
	case ok && r.Past.Has(PastRequest{ID: req.RequestID}):
		return SeatResult{Outcome: RegistrationCancelled}
	case ok && !r.Cancelled:
		return e.alreadyRegistered(r, req)
	case ok && r.Past.Has(PastRequest{ID: req.RequestID, FoundRegistration: true}): // and that one is cancelled now
		return SeatResult{Outcome: RegistrationCancelled}
	case !e.CancelledAt.IsZero():
		return SeatResult{Outcome: EventCancelled}
	case !e.OpensAt.IsZero() && req.At.Before(e.OpensAt):
		return SeatResult{Outcome: RegistrationNotOpen, OpensAt: e.OpensAt}
	case !e.ClosesAt.IsZero() && !req.At.Before(e.ClosesAt):
		return SeatResult{Outcome: RegistrationClosed}
	case e.RequiresProvenEmail && !e.proven[req.UserID]:
		return SeatResult{Outcome: EmailUnproven}
	}
	free := e.TicketsSold < e.Capacity && e.Waiting == 0
	if !free && !e.Waitlist {
		return SeatResult{Outcome: SoldOut}
	}
	if e.LeaseMillis > 0 { // a worker of a version before leases has freed a seat
		return e.putAside()
	}
	if e.overtaken(req, r) {
		return SeatResult{Outcome: Overtaken}
	}
	e.LastNumber++
	r = Registration{
		EventID: e.ID, UserID: req.UserID, Number: e.LastNumber, RequestID: req.RequestID,
		RegisteredAt: req.At.UTC().Truncate(time.Millisecond), Past: r.Past, Revisions: r.Revisions.add(e.nextRevision()),
	}
	e.put(r)
	e.act(Action{Number: r.Number, Waiting: !free}, req)
	if free {
		e.TicketsSold++
		e.ConfirmedThrough = r.Number
		return SeatResult{Outcome: Registered, Registration: r}
	}
	e.Waiting++
	e.line = append(e.line, NumberedUser{r.Number, r.UserID})
	return SeatResult{Outcome: Waitlisted, Registration: r, Position: e.Waiting}
}

// overtaken reports whether a Register that is due may have been refused since it was sent: for what the event was, for having come before it opened, or because
// it found the user's last registration r, which was cancelled since.
func (e *eventDecision) overtaken(req SeatRequest, r Registration) bool {
	before := req.SentAt.Before
	switch {
	case req.Refused, req.SentAt.IsZero():
		return req.Refused
	case before(e.OpensAt.Add(-time.Second / 2)): // an API process may have refused it by its own clock
		return true
	case r.Number == 0 || !before(e.elsewhere.Decided):
		return before(e.elsewhere.Refused)
	}
	return before(e.elsewhere.Refused) || !slices.ContainsFunc(e.elsewhere.Seen[:], func(s Sighting) bool {
		return !s.At.IsZero() && !before(s.At) && len(r.Revisions) > 0 && slices.Max(r.Revisions) <= s.Revision
	})
}

// alreadyRegistered answers a Register of a user whose registration r is not cancelled.
func (e *eventDecision) alreadyRegistered(r Registration, req SeatRequest) SeatResult {
	res := SeatResult{Outcome: AlreadyWaitlisted, Registration: r}
	repeated, confirmed := r.RequestID == req.RequestID, e.Confirmed(r)
	switch {
	case confirmed && repeated:
		res.Outcome = Registered
	case confirmed:
		res.Outcome = AlreadyRegistered
	case repeated:
		res.Outcome = Waitlisted
	}
	found := PastRequest{ID: req.RequestID, FoundRegistration: true}
	if req.Keyed && !repeated && !r.Past.Has(found) {
		r.Past = r.Past.add(maxPast, found)
		e.put(r)
		res.Registration = r
	}
	return res
}

func (e *eventDecision) cancel(req SeatRequest) SeatResult {
	r, ok := e.registration(req.UserID)
	if ok && r.Past.Has(PastRequest{ID: req.RequestID}) {
		// The request comes again, and must not cancel a registration that was made since.
		return SeatResult{Outcome: Cancelled}
	}
	live := ok && !r.Cancelled
	switch {
	case req.Number == 0, live && req.Number == r.Number:
	case ok && !live && req.Number <= r.Number: // cancelled, like all with lower numbers
	default:
		return SeatResult{Outcome: RegistrationChanged}
	}
	if !live {
		if req.Keyed {
			e.rememberCancel(r, req)
		}
		return SeatResult{Outcome: Cancelled}
	}
	r.Cancelled, r.CancelledAt, r.Revisions = true, req.At.UTC().Truncate(time.Millisecond), r.Revisions.add(e.nextRevision())
	r.Past = r.Past.add(maxPast, PastRequest{ID: r.RequestID}, PastRequest{ID: req.RequestID})
	e.put(r)
	action := Action{Number: r.Number, Waiting: !e.Confirmed(r)}
	if e.Confirmed(r) {
		e.TicketsSold--
		action.Promoted = e.promote()
	} else {
		e.Waiting--
		e.removed[r.Number] = true
	}
	e.act(action, req)
	return SeatResult{Outcome: Cancelled}
}

// rememberCancel remembers a cancellation that found nothing to cancel: in the user's cancelled
// registration r, or, when r is the zero value, in a new one that is cancelled from the start. The
// new one gets a number of its own, like every registration.
func (e *eventDecision) rememberCancel(r Registration, req SeatRequest) {
	if r.Number == 0 {
		e.LastNumber++
		r = Registration{
			EventID: e.ID, UserID: req.UserID, Number: e.LastNumber, RequestID: req.RequestID,
			RegisteredAt: req.At.UTC().Truncate(time.Millisecond), Cancelled: true,
		}
	}
	r.CancelledAt = req.At.UTC().Truncate(time.Millisecond)
	r.Past = r.Past.add(maxPast, PastRequest{ID: req.RequestID})
	e.put(r)
}

func (e *eventDecision) edit(req SeatRequest) SeatResult {
	edit, this := req.Edit, PastRequest{ID: req.RequestID}
	switch {
	case e.LastEdits.Has(this), edit.Cancel && !e.CancelledAt.IsZero():
		return SeatResult{Outcome: Edited}
	case edit.Version != AnyVersion && edit.Version != e.Version:
		return SeatResult{Outcome: VersionMismatch}
	case !e.CancelledAt.IsZero():
		return SeatResult{Outcome: EventCancelled}
	case edit.Capacity != nil && *edit.Capacity < e.TicketsSold:
		return SeatResult{Outcome: CapacityBelowSold}
	case len(edit.disorder(e.Event)) > 0:
		return SeatResult{Outcome: VersionMismatch}
	}
	if e.edits == nil {
		e.edits = &Edit{}
	}
	e.edits.merge(edit)
	if edit.OpensAt != nil { // API processes have refused by the hour of before, of which nobody else knows
		e.elsewhere.Refused = req.At
	}
	e.Event = edit.Apply(e.Event)
	e.Version++
	e.LastEdits = e.LastEdits.add(maxEdits, this)
	if edit.Cancel {
		e.CancelledAt = req.At.UTC().Truncate(time.Millisecond)
	}
	action := Action{CancelsEvent: edit.Cancel, Promoted: e.promote()}
	for f := range edit.Fields() {
		action.Edited = append(action.Edited, f.Key)
	}
	e.act(action, req)
	return SeatResult{Outcome: Edited}
}

// promote gives free seats to waiting registrations, the lowest number first.
func (e *eventDecision) promote() Promotion {
	free := min(e.Capacity-e.TicketsSold, e.Waiting)
	if free <= 0 || !e.CancelledAt.IsZero() {
		return Promotion{}
	}
	p := Promotion{After: e.ConfirmedThrough, Count: free}
	for len(e.line) > 0 && int64(len(p.Users)) < free {
		next := e.line[0]
		e.line = e.line[1:]
		if !e.removed[next.Number] {
			p.Users = append(p.Users, next)
		}
	}
	switch named := int64(len(p.Users)) == free; {
	case free == e.Waiting: // room for all, who need not be loaded
		e.ConfirmedThrough = e.LastNumber
		e.line = nil
		if !named {
			p.Users = nil
		}
	case !named && e.last.Count == free: // a single request: none of them has left since it was loaded
		e.ConfirmedThrough = e.last.Number
	case !named:
		panic(fmt.Sprintf("store: event %s has %d waiting and none of them is loaded", e.ID.Hex(), e.Waiting))
	default:
		e.ConfirmedThrough = p.Users[free-1].Number
	}
	e.TicketsSold += free
	e.Waiting -= free
	p.Through = e.ConfirmedThrough
	if free > maxNamed {
		p.Users = nil
	}
	return p
}

// changes reports whether the batch changes anything but leases in the event.
func (e *eventDecision) changes() bool { return len(e.users) > 0 || e.edits != nil || e.repaired }

// change returns what the batch changed in the event, if it changed anything.
func (e *eventDecision) change() (Change, bool) {
	if !e.changes() {
		return Change{Before: e.before, After: e.Event}, !e.Equal(e.before)
	}
	e.Revision++
	if recording {
		e.Recorded = e.Revision
	}
	at := e.at.UTC().Truncate(time.Millisecond)
	c := Change{Before: e.before, After: e.Event, Edit: e.edits, Actions: e.actions, At: at}
	for _, user := range e.users {
		if _, ok := e.loaded[user]; ok {
			c.Replaced = append(c.Replaced, e.changed[user])
		} else {
			c.Added = append(c.Added, e.changed[user])
		}
	}
	return c, true
}
