package api

import (
	"errors"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// putSeat registers the user of the path unless they are registered: 201 (or 202, when they
// wait) for the request that did it, 200 for every later one.
func (a *API) putSeat(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	if err := a.gate.passPerson(w, r, who); err != nil {
		return err
	}
	change, err := seatChange(w, r)
	if err != nil {
		return err
	}
	event, user := change.EventID, change.UserID
	if err := noPreconditions(r.Header, "If-Match", "If-None-Match"); err != nil {
		return err
	}
	deadline := a.deadline()
	if err := a.registersOneself(r.Context(), who, change, deadline); err != nil {
		return err
	}
	change.Kind, change.Actor = messages.KindRegister, who.acting(messages.ActorPerson, user)
	answer, got := a.take(w, r, change, deadline)
	switch got.Reply.Outcome {
	case messages.OutcomeRegistered:
		return writeCreated(w, seatPath(event, user), false, answer)
	case messages.OutcomeWaitlisted:
		return writeJSON(w, http.StatusAccepted, answer)
	case messages.OutcomeAlreadyRegistered, messages.OutcomeAlreadyWaitlisted:
		return writeJSON(w, http.StatusOK, answer)
	}
	return seatProblem(got.Reply, got.Cause)
}

// readSeat tells whether the user of the path is registered or waits, and where.
func (a *API) readSeat(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	event, user, err := seatOf(r)
	if err != nil {
		return err
	}
	deadline := a.deadline()
	e, err := a.event(r.Context(), event, deadline)
	if err != nil {
		return err
	}
	if err := concerns(who, user, e); err != nil {
		return err
	}
	ctx, cancel := detached(r, deadline)
	defer cancel()
	held, err := a.store.Registration(ctx, event, user)
	if err != nil {
		return err
	}
	answer := registration{EventID: event, UserID: user, RegisteredAt: held.RegisteredAt, Number: held.Number, Status: statusConfirmed}
	if !e.Confirmed(held) {
		answer.Status = statusWaitlisted
		if a.position(ctx, &answer); answer.Status == statusWaitlisted && answer.Position == 0 {
			return store.ErrUnavailable
		}
	}
	private(w)
	w.Header().Set("ETag", registrationTag(answer))
	return writeRead(w, r, answer)
}

// deleteSeat gives up the seat of the user of the path, or their place in the waiting list:
// 204, also when there is none. If-Match says which registration is meant.
func (a *API) deleteSeat(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	change, err := seatChange(w, r)
	if err != nil {
		return err
	}
	if err := noPreconditions(r.Header, "If-None-Match"); err != nil {
		return err
	}
	if change.Number, err = registrationNumber(r.Header); err != nil {
		return err
	}
	event, user, deadline := change.EventID, change.UserID, a.deadline()
	role := messages.ActorPerson
	if who.mayBe(user, "") != nil || event.IsZero() {
		e, err := a.event(r.Context(), event, deadline)
		if err != nil {
			return err
		}
		if err := concerns(who, user, e); err != nil {
			return err
		}
		if who.mayBe(user, "") != nil {
			role = messages.ActorOrganizer
		}
	}
	change.Kind, change.Actor = messages.KindCancel, who.acting(role, user)
	got := a.ask(w, r, change, deadline)
	if got.Reply.Outcome != messages.OutcomeCancelled {
		return seatProblem(got.Reply, got.Cause)
	}
	private(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// seatChange reads what a change of the path's seat is about: both ids and the key. There is
// no body.
func seatChange(w http.ResponseWriter, r *http.Request) (req messages.SeatRequest, err error) {
	if req.EventID, req.UserID, err = seatOf(r); err != nil {
		return req, err
	}
	if err := noBody(w, r); err != nil {
		return req, err
	}
	var f fields
	req.RequestID, req.Keyed = f.seatKey(r.Header)
	return req, f.err()
}

// concerns is nil unless the caller is proven to be neither the person nor the organizer.
func concerns(who caller, user store.ID, e store.Event) error {
	if who.mayBe(user, "") == nil {
		return nil
	}
	return who.mayBe(e.OrganizerID, "Only the person and the organizer may do this.")
}

// seatOf reads both ids in the path.
func seatOf(r *http.Request) (event, user store.ID, err error) {
	if event, err = eventID(r); err != nil {
		return event, user, err
	}
	user, err = userID(r)
	return event, user, err
}

// userID reads the user's id in the path.
func userID(r *http.Request) (store.ID, error) {
	var f fields
	id := f.id("user_id", chi.URLParam(r, "user_id"))
	return id, f.err()
}

// noBody refuses a body that says anything: the path says it all.
func noBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil
	}
	if err := checkType(r.Header); err != nil {
		return err
	}
	var one [1]byte
	if n, err := io.ReadFull(http.MaxBytesReader(w, r.Body, 1), one[:]); n > 0 || !errors.Is(err, io.EOF) {
		return invalid(FieldError{"body", "must be empty; the path says who and where"})
	}
	return nil
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
