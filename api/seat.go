package api

import (
	"net/http"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// putRegistration registers the user of the path unless they are registered: 201 (or 202, when they
// wait) for the request that did it, 200 for every later one.
func (a *API) putRegistration(w http.ResponseWriter, r *request) error {
	change, err := seatChange(r)
	if err != nil {
		return err
	}
	event, user := change.EventID, change.UserID
	if err := noPreconditions(r.Header, "If-Match", "If-None-Match"); err != nil {
		return err
	}
	if err := a.mayRegister(r, change); err != nil {
		return err
	}
	change.Kind, change.Actor = messages.KindRegister, actor(r.caller, messages.ActorPerson, user)
	answer, got := a.take(w, r, change)
	switch got.Reply.Outcome {
	case messages.OutcomeRegistered:
		return writeCreated(w, seatPath(event, user), false, answer)
	case messages.OutcomeWaitlisted:
		return writeJSON(w, http.StatusAccepted, answer)
	case messages.OutcomeAlreadyRegistered, messages.OutcomeAlreadyWaitlisted:
		return writeJSON(w, http.StatusOK, answer)
	}
	return refusal(got)
}

// readRegistration tells whether the user of the path is registered or waits, and where.
func (a *API) readRegistration(w http.ResponseWriter, r *request) error {
	event, user, err := seatOf(r)
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
	held, err := a.store.Registration(r.Context(), event, user)
	if err != nil {
		return err
	}
	answer := wire.Registration{EventID: event, UserID: user, RegisteredAt: held.RegisteredAt, Number: held.Number, Status: wire.Confirmed}
	if !e.Confirmed(held) {
		answer.Status = wire.Waitlisted
		if a.position(r.Context(), &answer); answer.Status == wire.Waitlisted && answer.Position == 0 {
			return store.ErrUnavailable
		}
	}
	noStore(w)
	w.Header().Set("ETag", registrationTag(answer))
	return writeRead(w, r, answer)
}

// deleteRegistration gives up the seat of the user of the path, or their place in the waiting list:
// 204, also when there is none. If-Match says which registration is meant.
func (a *API) deleteRegistration(w http.ResponseWriter, r *request) error {
	change, err := seatChange(r)
	if err != nil {
		return err
	}
	if err := noPreconditions(r.Header, "If-None-Match"); err != nil {
		return err
	}
	if change.Number, err = registrationNumber(r.Header); err != nil {
		return err
	}
	role := messages.ActorPerson
	if !r.caller.ActsFor(change.UserID) {
		e, err := a.store.Event(r.Context(), change.EventID)
		if err != nil {
			return err
		}
		if err := personOrOrganizer(r.caller, change.UserID, e); err != nil {
			return err
		}
		role = messages.ActorOrganizer
	}
	change.Kind, change.Actor = messages.KindCancel, actor(r.caller, role, change.UserID)
	got := a.ask(w, r, change)
	if got.Reply.Outcome != messages.OutcomeCancelled {
		return refusal(got)
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// seatChange reads what a change of the path's registration is about: both ids and the key.
func seatChange(r *request) (req messages.SeatRequest, err error) {
	if req.EventID, req.UserID, err = seatOf(r); err != nil {
		return req, err
	}
	var f input.Fields
	req.RequestID, req.Keyed = seatKey(&f, r.Header)
	return req, f.Err()
}

// personOrOrganizer is nil unless the caller is proven to be neither the person nor the organizer.
func personOrOrganizer(who gate.Caller, user store.ID, e store.Event) error {
	if who.ActsFor(user) {
		return nil
	}
	return who.Require(e.OrganizerID, "Only the registered user and the organizer may do this.")
}

// seatOf reads both ids in the path.
func seatOf(r *request) (event, user store.ID, err error) {
	if event, err = eventID(r); err != nil {
		return event, user, err
	}
	user, err = userID(r)
	return event, user, err
}

// userID reads the user's id in the path.
func userID(r *request) (store.ID, error) {
	var f input.Fields
	id := f.ID("user_id", r.urlParam("user_id"))
	return id, f.Err()
}

const (
	pathEvents = "/api/events"
	pathUsers  = "/api/users"
)

func eventPath(id store.ID) string         { return pathEvents + "/" + id.Hex() }
func rosterPath(event store.ID) string     { return eventPath(event) + "/registrations" }
func seatPath(event, user store.ID) string { return rosterPath(event) + "/" + user.Hex() }
func userPath(id store.ID) string          { return pathUsers + "/" + id.Hex() }
func holdingsPath(user store.ID) string    { return userPath(user) + "/registrations" }
