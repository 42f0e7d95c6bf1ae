package api

import (
	"context"
	"encoding/binary"
	"iter"
	"net/http"
	"net/url"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// register registers the user of the body.
func (a *API) register(w http.ResponseWriter, r *request) error {
	event, err := eventID(r)
	if err != nil {
		return err
	}
	var body wire.NewRegistration
	if err := r.decode(&body); err != nil {
		return err
	}
	var f input.Fields
	user := actingFor(r.caller, &f, "user_id", body.UserID)
	key, _ := seatRequestID(&f, r.Header)
	if err := f.Err(); err != nil {
		return err
	}
	// Not Keyed: 400 already_registered is a refusal, and only successes are kept.
	req := messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: key, EventID: event, UserID: user, Actor: actor(r.caller, messages.ActorPerson, user),
	}
	if err := a.mayRegister(r, req); err != nil {
		return err
	}
	answer, got := a.sendRegister(w, r, req)
	switch got.Reply.Outcome {
	case store.Registered:
		return writeCreated(w, registrationPath(event, user), false, answer)
	case store.Waitlisted:
		return writeJSON(w, http.StatusAccepted, answer)
	}
	p := refusal(got)
	p.Position = answer.Position
	return p
}

// putRegistration registers the user of the path unless they are registered already: 201, or 202 on
// the waiting list, for the request that did it, 200 for every later one.
func (a *API) putRegistration(w http.ResponseWriter, r *request) error {
	req, err := seatRequestOf(r)
	if err != nil {
		return err
	}
	event, user := req.EventID, req.UserID
	if err := noPreconditions(r.Header, "If-Match", "If-None-Match"); err != nil {
		return err
	}
	if err := a.mayRegister(r, req); err != nil {
		return err
	}
	req.Kind, req.Actor = messages.KindRegister, actor(r.caller, messages.ActorPerson, user)
	answer, got := a.sendRegister(w, r, req)
	switch got.Reply.Outcome {
	case store.Registered:
		return writeCreated(w, registrationPath(event, user), false, answer)
	case store.Waitlisted:
		return writeJSON(w, http.StatusAccepted, answer)
	case store.AlreadyRegistered, store.AlreadyWaitlisted:
		return writeJSON(w, http.StatusOK, answer)
	}
	return refusal(got)
}

// readRegistration answers with the registration of the user of the path.
func (a *API) readRegistration(w http.ResponseWriter, r *request) error {
	event, user, err := registrationIDs(r)
	if err != nil {
		return err
	}
	e, err := a.store.Event(r.Context(), event)
	if err != nil {
		return err
	}
	if err := personOrOrganizer(r.caller, user, e); err != nil {
		return err
	}
	found, err := a.store.Registration(r.Context(), event, user)
	if err != nil {
		return err
	}
	answer := wire.Registration{EventID: event, UserID: user, RegisteredAt: found.RegisteredAt, Number: found.Number, Status: wire.StatusOf(e, found)}
	if answer.Status == wire.Waitlisted {
		if a.readPosition(r.Context(), &answer); answer.Status == wire.Waitlisted && answer.Position == 0 {
			return store.ErrUnavailable
		}
	}
	noStore(w)
	w.Header().Set("ETag", registrationTag(answer))
	return writeRead(w, r, answer)
}

// deleteRegistration cancels the registration of the user of the path: 204, also when there is none.
// If-Match says which registration is meant.
func (a *API) deleteRegistration(w http.ResponseWriter, r *request) error {
	req, err := seatRequestOf(r)
	if err != nil {
		return err
	}
	if err := noPreconditions(r.Header, "If-None-Match"); err != nil {
		return err
	}
	if req.Number, err = a.registrationNumber(r.Context(), r.Header, req.EventID, req.UserID); err != nil {
		return err
	}
	role := messages.ActorPerson
	if !r.caller.ActsFor(req.UserID) {
		e, err := a.store.Event(r.Context(), req.EventID)
		if err != nil {
			return err
		}
		if err := personOrOrganizer(r.caller, req.UserID, e); err != nil {
			return err
		}
		role = messages.ActorOrganizer
	}
	req.Kind, req.Actor = messages.KindCancel, actor(r.caller, role, req.UserID)
	got := a.send(w, r, req)
	if got.Reply.Outcome != store.Cancelled {
		return refusal(got)
	}
	if role == messages.ActorOrganizer {
		a.tell(r, security.RegistrationRemoved, role, security.About{Event: req.EventID, User: req.UserID})
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// seatRequestOf makes the seat request about the registration of a path: both ids and the key.
func seatRequestOf(r *request) (req messages.SeatRequest, err error) {
	if req.EventID, req.UserID, err = registrationIDs(r); err != nil {
		return req, err
	}
	var f input.Fields
	req.RequestID, req.Keyed = seatRequestID(&f, r.Header)
	return req, f.Err()
}

// personOrOrganizer returns the problem Forbidden when the caller may act neither for the user nor
// for the organizer.
func personOrOrganizer(who gate.Caller, user store.ID, e store.Event) error {
	if who.ActsFor(user) {
		return nil
	}
	return who.Require(e.OrganizerID, "Only the registered user and the organizer may do this.")
}

// registrationIDs reads both ids in the path.
func registrationIDs(r *request) (event, user store.ID, err error) {
	if event, err = eventID(r); err != nil {
		return event, user, err
	}
	user, err = userID(r)
	return event, user, err
}

// sendRegister sends a request to register, and returns what can be told of the registration,
// with the position of who waits.
func (a *API) sendRegister(w http.ResponseWriter, r *request, req messages.SeatRequest) (wire.Registration, messages.Answer) {
	got := a.send(w, r, req)
	answer := registrationOf(req.EventID, req.UserID, got.Reply)
	if answer.Status == wire.Waitlisted && got.Reply.Position == 0 {
		a.readPosition(r.Context(), &answer)
	}
	noStore(w)
	return answer, got
}

// mayRegister returns the problem Forbidden when the caller may not act for the user, NotAdmitted when
// nobody has admitted the user, and that of an unknown event before either.
func (a *API) mayRegister(r *request, req messages.SeatRequest) error {
	denied := r.caller.Require(req.UserID, "You can only register yourself: leave user_id out.")
	if denied == nil {
		denied = a.gate.RequireAdmission(r.Request, req.EventID, req.UserID)
	}
	if denied == nil {
		return nil
	}
	if err := a.exists(r.Context(), req.EventID); err != nil {
		return err
	}
	return denied
}

// send sends a seat request to the workers and returns their answer. The requester keeps to the
// deadline by itself.
func (a *API) send(w http.ResponseWriter, r *request, req messages.SeatRequest) messages.Answer {
	a.throttle.seatRequests.Add(1)
	defer a.throttle.seatRequests.Add(-1)
	req.TraceID = requestID(w)
	return a.seats.Request(r.lasting, req, r.deadline)
}

// registrationOf makes the body of a registration from a reply.
func registrationOf(event, user store.ID, reply messages.SeatReply) wire.Registration {
	answer := wire.Registration{
		EventID: event, UserID: user, RegisteredAt: reply.RegisteredAt, Number: reply.Number,
		Status: wire.Confirmed, Position: reply.Position,
	}
	switch reply.Outcome {
	case store.Waitlisted, store.AlreadyWaitlisted:
		answer.Status = wire.Waitlisted
	}
	return answer
}

// readPosition reads the position on the waiting list, which a reply tells only to who has just
// joined. An answer can do without: when the position cannot be read, that is logged.
func (a *API) readPosition(ctx context.Context, answer *wire.Registration) {
	n, err := a.store.Position(ctx, answer.EventID, answer.Number)
	if err != nil {
		a.log.Warn().Err(err).Str("event_id", answer.EventID.Hex()).Msg("a position on the waiting list cannot be read")
		return
	}
	answer.Position = n
	if n == 0 { // promoted meanwhile
		answer.Status = wire.Confirmed
	}
}

// actingFor reads the id of the user for whom a request acts. Who is proven may leave it out.
func actingFor(who gate.Caller, f *input.Fields, field string, id *string) store.ID {
	switch {
	case id != nil:
		return f.ID(field, *id)
	case who.Proven:
		return who.ID
	}
	return f.ID(field, "")
}

// actor makes what tells the workers who acts, and in which role. Somebody unproven acts as the user
// whom the request is for, or as the zero id where it is for nobody.
func actor(who gate.Caller, role messages.ActorKind, user store.ID) messages.Actor {
	if !who.Proven {
		return messages.Actor{Kind: messages.ActorUnproven, ID: user}
	}
	return messages.Actor{Kind: role, ID: who.ID}
}

// listRegistrations answers with a page of the roster or of the waiting list, or streams the whole of it.
func (a *API) listRegistrations(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	q := input.Query(r.URL)
	var f input.Fields
	limit, after, status := f.Limit(q), rosterCursor(&f, id, q), wire.Status(q.Get("status"))
	if q.Has("status") {
		f.OneOf("status", q.Get("status"), string(wire.Confirmed), string(wire.Waitlisted))
	}
	if err := f.Err(); err != nil {
		return err
	}
	e, err := a.store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.caller.Require(e.OrganizerID, "Only the organizer may list the registrations."); err != nil {
		return err
	}
	cost := max(1, limit/pageOfOne)
	if limit == 0 {
		cost = costOfWholeList
	}
	if err := r.charge(cost); err != nil {
		return err
	}
	noStore(w)
	through := e.ConfirmedThrough
	if status == wire.Waitlisted {
		after, through = max(after, e.ConfirmedThrough), e.LastNumber
	}
	if limit > 0 {
		return a.rosterPage(w, r, e.ID, rosterRange{after, through, limit})
	}
	return a.streamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return encoded(a.wholeRoster(ctx, id, after, through), func(reg store.Registration) any { return reg.UserID })
	})
}

// numberSize is the length of a place in a roster: the number of a registration.
const numberSize = 8

// rosterList names the list of an event's registrations, for cursors.
func rosterList(event store.ID, q url.Values) input.List { return input.ListOf(rosterPath(event), q) }

// rosterCursor reads the number after which a page begins; 0 when it is the first one.
func rosterCursor(f *input.Fields, event store.ID, q url.Values) int64 {
	place := f.Cursor(rosterList(event, q), q, numberSize)
	if place == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(place))
}

// rosterPiece is how many registrations of a whole roster are read at once.
const rosterPiece = 2000

// wholeRoster reads a roster piece by piece, each within its own time limit, so that a slow reader
// keeps nothing open in the store.
func (a *API) wholeRoster(ctx context.Context, id store.ID, after, through int64) iter.Seq2[store.Registration, error] {
	read := func() (piece []store.Registration, err error) {
		err = a.chunk(ctx, func(ctx context.Context) error {
			for reg, err := range a.store.Roster(ctx, id, after, through, rosterPiece) {
				if err != nil {
					return err
				}
				piece = append(piece, reg)
			}
			return nil
		})
		return piece, err
	}
	return func(yield func(store.Registration, error) bool) {
		for {
			piece, err := read()
			for _, reg := range piece {
				if !yield(reg, nil) {
					return
				}
				after = reg.Number
			}
			if err != nil {
				yield(store.Registration{}, err)
			}
			if err != nil || len(piece) < rosterPiece {
				return
			}
		}
	}
}

// rosterRange says which registrations a page has: those with numbers above after, up to through.
type rosterRange struct {
	after, through int64
	limit          int
}

// rosterPage sends one page, and in Link where the next one is.
func (a *API) rosterPage(w http.ResponseWriter, r *request, id store.ID, page rosterRange) error {
	users := make([]store.ID, 0, page.limit)
	var last int64
	for reg, err := range a.store.Roster(r.Context(), id, page.after, page.through, page.limit+1) {
		if err != nil {
			return err
		}
		if len(users) == page.limit { // one more tells whether there is a next page
			q := input.Query(r.URL)
			linkNext(w, rosterPath(id), q, page.limit, rosterList(id, q).Cursor(binary.BigEndian.AppendUint64(nil, uint64(last))))
			break
		}
		users, last = append(users, reg.UserID), reg.Number
	}
	return writeRead(w, r, users)
}
