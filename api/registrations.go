package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// maxPage is the most registrations in one page.
const maxPage = 1000

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
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	if err := a.gate.passPerson(w, r, who); err != nil {
		return err
	}
	event, err := eventID(r)
	if err != nil {
		return err
	}
	var body newRegistration
	if err := decodeBody(w, r, &body); err != nil {
		return err
	}
	var f fields
	user := who.actor(&f, "user_id", body.UserID)
	requestID := r.Header.Get("Idempotency-Key")
	switch {
	case len(r.Header.Values("Idempotency-Key")) == 0:
		requestID = rand.Text()
	case !messages.ValidRequestID(requestID):
		f.add("Idempotency-Key", fmt.Sprintf("must be 1 to %d printable ASCII characters", messages.MaxRequestID))
	}
	if err := f.err(); err != nil {
		return err
	}
	if event.IsZero() { // the wire takes no zero id, and no event has it
		return store.ErrEventNotFound
	}
	if err := who.mayBe(user, "You can only register yourself: leave user_id out."); err != nil {
		if _, missing := a.event(r.Context(), event); missing != nil { // which comes first
			return missing
		}
		return err
	}
	// Once sent, a seat change does not die with the client's connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.config.RequestTimeout)
	defer cancel()
	reply, err := a.seats.Request(ctx, messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: requestID, EventID: event, UserID: user,
	})
	if reply.Outcome != messages.OutcomeRegistered {
		return seatProblem(reply.Outcome, err)
	}
	private(w)
	return writeJSON(w, http.StatusCreated, registration{event, user, reply.RegisteredAt})
}

func (a *API) roster(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	id, err := eventID(r)
	if err != nil {
		return err
	}
	after, limit, err := page(r.URL.Query())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if err := a.organizes(ctx, who, id); err != nil {
		return err
	}
	private(w)
	if limit > 0 {
		return a.rosterPage(w, r, id, after, limit)
	}
	seq := a.store.Roster(ctx, id, after, 0)
	return a.streamJSON(w, cancel, encoded(seq, func(reg store.Registration) any { return reg.UserID }))
}

// organizes is nil when there is such an event, and the caller is not proven to be somebody
// else than its organizer.
func (a *API) organizes(ctx context.Context, who caller, id store.ID) error {
	e, err := a.event(ctx, id)
	if err != nil {
		return err
	}
	return who.mayBe(e.OrganizerID, "Only the organizer sees who is registered.")
}

// event reads an event within the time of a request.
func (a *API) event(ctx context.Context, id store.ID) (store.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.RequestTimeout)
	defer cancel()
	return a.store.Event(ctx, id)
}

// rosterPage sends one page, and in Link where the next one is.
func (a *API) rosterPage(w http.ResponseWriter, r *http.Request, id store.ID, after int64, limit int) error {
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	users := make([]store.ID, 0, limit)
	more := false
	for reg, err := range a.store.Roster(ctx, id, after, limit+1) {
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
		next := url.Values{"limit": {strconv.Itoa(limit)}, "cursor": {strconv.FormatInt(after, 10)}}
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.EscapedPath(), next.Encode()))
	}
	return writeJSON(w, http.StatusOK, users)
}

// page reads where a page begins and how long it is; 0 means the whole list.
func page(q url.Values) (after int64, limit int, err error) {
	var f fields
	if q.Has("limit") {
		limit, err = strconv.Atoi(q.Get("limit"))
		if err != nil || limit < 1 || limit > maxPage || len(q["limit"]) > 1 {
			f.add("limit", fmt.Sprintf("must be one whole number from 1 to %d", maxPage))
		}
	}
	if q.Has("cursor") {
		after, err = strconv.ParseInt(q.Get("cursor"), 10, 64)
		if err != nil || after < 0 || len(q["cursor"]) > 1 {
			f.add("cursor", "must be one cursor from the Link of another page")
		}
	}
	return after, limit, f.err()
}
