package api

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// seatTries is how often a PUT asks for the seat. A second time is needed when the
// registration that stood in the way was given up a moment later.
const seatTries = 3

// putSeat registers the user of the path unless they are registered: 201 for the request
// that took the seat, 200 for every later one.
func (a *API) putSeat(w http.ResponseWriter, r *http.Request) error {
	event, user, err := seatOf(r)
	if err != nil {
		return err
	}
	if err := noBody(w, r); err != nil {
		return err
	}
	if event.IsZero() {
		return store.ErrEventNotFound
	}
	// Once sent, a seat change does not die with the client's connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.config.RequestTimeout)
	defer cancel()
	for range seatTries {
		reply, err := a.seats.Request(ctx, messages.SeatRequest{
			Kind: messages.KindRegister, RequestID: rand.Text(), EventID: event, UserID: user, TraceID: requestID(w),
		})
		switch reply.Outcome {
		case messages.OutcomeRegistered:
			return writeCreated(w, seatPath(event, user), false, registration{event, user, reply.RegisteredAt})
		case messages.OutcomeAlreadyRegistered:
		default:
			return seatProblem(reply.Outcome, err)
		}
		held, err := a.store.Registration(ctx, event, user)
		if err == nil {
			return writeJSON(w, http.StatusOK, registrationOf(held))
		}
		if !errors.Is(err, store.ErrRegistrationNotFound) {
			return err
		}
	}
	return problem(CodeOverloaded, "The registration was given up and taken again meanwhile; nothing was changed, try again.")
}

// readSeat tells whether the user of the path is registered.
func (a *API) readSeat(w http.ResponseWriter, r *http.Request) error {
	event, user, err := seatOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	held, err := a.store.Registration(ctx, event, user)
	if errors.Is(err, store.ErrRegistrationNotFound) {
		if err := a.exists(ctx, event); err != nil { // the event's absence comes first
			return err
		}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	return writeRead(w, r, registrationOf(held))
}

func registrationOf(r store.Registration) registration {
	return registration{r.EventID, r.UserID, r.RegisteredAt}
}

// seatOf reads both ids in the path.
func seatOf(r *http.Request) (event, user store.ID, err error) {
	if event, err = eventID(r); err != nil {
		return event, user, err
	}
	var f fields
	user = f.id("user_id", chi.URLParam(r, "user_id"))
	return event, user, f.err()
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
