package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/erasure"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func (a *API) readUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	u, err := a.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, wire.UserOf(u))
}

// editUser changes the name, and after a fresh log-in the e-mail address: who has the address can
// take the account over.
func (a *API) editUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	var body wire.UserEdit
	if err := input.Decode(r.body, &body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	u, err := a.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	before := u
	var f input.Fields
	if body.Name.Sent {
		u.Name = f.Line("name", body.Name.Value, input.MaxName)
	}
	if body.Email.Sent {
		u.Email = f.Email("email", body.Email.Value)
	}
	if err := f.Err(); err != nil {
		return err
	}
	if u.Email != before.Email {
		if err := r.caller.RequireFresh(time.Now()); err != nil {
			return err
		}
	}
	if u != before {
		if err := a.store.EditUser(r.Context(), u); err != nil {
			return unlessStored(err)
		}
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, wire.UserOf(u))
}

// deleteUser erases the person after a fresh log-in. When it runs out of time, repeating it goes on
// from there.
func (a *API) deleteUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	if err := r.caller.RequireFresh(time.Now()); err != nil {
		return err
	}
	by := actor(r.caller, messages.ActorPerson, id)
	err = erasure.Erase(r.Context(), a.store, a.seats, id, by)
	if refused, ok := errors.AsType[*erasure.ErrRefused](err); ok {
		return refusal(refused.Answer)
	}
	if err != nil {
		return unlessStored(err)
	}
	a.gate.Guard().Revoke(store.Revocation{UserID: id, PasswordVersion: store.ErasedVersion, ChangedAt: time.Now()})
	if r.caller.Cookie {
		a.gate.SetCookie(w, r.Request, "")
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// exportPage is how many records are read at once. The connection to the store is given back before
// they are sent.
const exportPage = 200

// exportUser sends everything that is stored about the person, but the hash of the password.
func (a *API) exportUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	noStore(w)
	w.Header().Set("Content-Disposition", `attachment; filename="eventio-`+id.Hex()+`.json"`)
	return a.streamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) {
			_ = a.export(ctx, id, r.caller.SessionID, yield)
		}
	})
}

// export yields the records of a person, and reports whether yield wants more.
func (a *API) export(ctx context.Context, id, current store.ID, yield func(any, error) bool) bool {
	u, sessions, err := a.currentSessions(ctx, id)
	if err != nil {
		return yield(nil, err)
	}
	body := wire.UserOf(u)
	if !yield(wire.Export{Type: wire.ExportUser, User: &body}, nil) {
		return false
	}
	for _, s := range sessions {
		body := sessionOf(s, current)
		if !yield(wire.Export{Type: wire.ExportSession, Session: &body}, nil) {
			return false
		}
	}
	for e, err := range store.AllEvents(ctx, a.store, store.EventQuery{OrganizerID: id, Limit: exportPage}) {
		if err != nil {
			return yield(nil, err)
		}
		body := wire.EventOf(e)
		if !yield(wire.Export{Type: wire.ExportEvent, Event: &body}, nil) {
			return false
		}
	}
	return a.exportRegistrations(ctx, id, yield)
}

// exportRegistrations yields the registrations of a person, also cancelled ones.
func (a *API) exportRegistrations(ctx context.Context, id store.ID, yield func(any, error) bool) bool {
	before := store.ID{}
	for {
		var page []store.UserRegistration
		for r, err := range a.store.UserRegistrations(ctx, id, before, exportPage) {
			if err != nil {
				return yield(nil, err)
			}
			page = append(page, r)
		}
		for _, r := range page {
			before = r.Event.ID
			if !yield(wire.Export{Type: wire.ExportRegistration, Registration: exported(r)}, nil) {
				return false
			}
		}
		if len(page) < exportPage {
			return true
		}
	}
}

func exported(r store.UserRegistration) *wire.ExportedAttendance {
	body := &wire.ExportedAttendance{
		EventID: r.Event.ID, EventTitle: r.Event.Title, RegisteredAt: r.Registration.RegisteredAt, Number: r.Registration.Number,
		Status: wire.Confirmed, CancelledAt: r.Registration.CancelledAt, RequestIDs: []string{r.Registration.RequestID},
	}
	switch {
	case r.Registration.Cancelled:
		body.Status = wire.Cancelled
	case !r.Event.Confirmed(r.Registration):
		body.Status = wire.Waitlisted
	}
	for _, past := range r.Registration.Past {
		if past.ID != r.Registration.RequestID {
			body.RequestIDs = append(body.RequestIDs, past.ID)
		}
	}
	return body
}
