package api

import (
	"context"
	"net/http"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// newRegistration is the body that asks for a seat.
type newRegistration struct {
	UserID string `json:"user_id"`
}

// registration is the answer to who got a seat.
type registration struct {
	EventID      store.ID  `json:"event_id"`
	UserID       store.ID  `json:"user_id"`
	RegisteredAt time.Time `json:"registered_at"`
}

func (a *API) register(w http.ResponseWriter, r *http.Request) error {
	event, err := eventID(r)
	if err != nil {
		return err
	}
	var body newRegistration
	if err := decodeBody(w, r, &body); err != nil {
		return err
	}
	var f fields
	user := f.id("user_id", body.UserID)
	key := f.seatKey(r.Header)
	if err := f.err(); err != nil {
		return err
	}
	if event.IsZero() { // the wire takes no zero id, and no event has it
		return store.ErrEventNotFound
	}
	// Once sent, a seat change does not die with the client's connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.config.RequestTimeout)
	defer cancel()
	reply, err := a.seats.Request(ctx, messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: key, EventID: event, UserID: user, TraceID: requestID(w),
	})
	if reply.Outcome != messages.OutcomeRegistered {
		return seatProblem(reply.Outcome, err)
	}
	return writeCreated(w, seatPath(event, user), false, registration{event, user, reply.RegisteredAt})
}

func (a *API) roster(w http.ResponseWriter, r *http.Request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	var f fields
	limit, after := f.limit(q), f.rosterCursor(id, q)
	if err := f.err(); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "private, no-cache")
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	e, err := a.event(ctx, id)
	if err != nil {
		return err
	}
	if limit > 0 {
		return a.rosterPage(w, r, e, after, limit)
	}
	seq := a.store.Roster(ctx, id, after, e.ConfirmedThrough, 0)
	return a.streamJSON(w, r, cancel, encoded(seq, func(reg store.Registration) any { return reg.UserID }))
}

// event reads an event within the time of a request.
func (a *API) event(ctx context.Context, id store.ID) (store.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.RequestTimeout)
	defer cancel()
	return a.store.Event(ctx, id)
}

// exists is nil when there is such an event.
func (a *API) exists(ctx context.Context, id store.ID) error {
	_, err := a.event(ctx, id)
	return err
}

// rosterPage sends one page, and in Link where the next one is.
func (a *API) rosterPage(w http.ResponseWriter, r *http.Request, e store.Event, after int64, limit int) error {
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	users := make([]store.ID, 0, limit)
	more := false
	for reg, err := range a.store.Roster(ctx, e.ID, after, e.ConfirmedThrough, limit+1) {
		if err != nil {
			return err
		}
		if more = len(users) == limit; more {
			break
		}
		users = append(users, reg.UserID)
		after = reg.Number
	}
	if more {
		linkNext(w, rosterPath(e.ID), nil, limit, rosterCursor(e.ID, nil, after))
	}
	return writeRead(w, r, users)
}
