package api

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// editOf checks the fields of an edit of an event, as those of a new event are, and says what of
// the event changes.
func editOf(b wire.EventEdit, f *input.Fields, e store.Event) *messages.EventEdit {
	edit := &messages.EventEdit{}
	change(b.Title, &e.Title, &edit.Title, func(v string) string { return f.Line("title", v, input.MaxTitle) })
	change(b.Description, &e.Description, &edit.Description, func(v string) string { return f.Text("description", v, input.MaxDescription) })
	change(b.Place, &e.Place, &edit.Place, func(v string) string { return f.OptionalLine("place", v, input.MaxPlace) })
	change(b.TimeZone, &e.TimeZone, &edit.TimeZone, func(v string) string { return f.TimeZone("time_zone", v) })
	change(b.Waitlist, &e.Waitlist, &edit.Waitlist, func(v bool) bool { return v })
	change(b.Capacity, &e.Capacity, &edit.Capacity, func(v int64) int64 { return f.Between("capacity", v, 1, input.MaxCapacity) })
	change(b.StartsAt, &e.StartsAt, &edit.StartsAt, func(v string) time.Time { return f.Instant("starts_at", v) })
	change(b.EndsAt, &e.EndsAt, &edit.EndsAt, func(v string) time.Time { return f.Instant("ends_at", v) })
	change(b.OpensAt, &e.OpensAt, &edit.OpensAt, func(v *string) time.Time { return f.OptionalInstant("registration_opens_at", v) })
	change(b.ClosesAt, &e.ClosesAt, &edit.ClosesAt, func(v *string) time.Time { return f.OptionalInstant("registration_closes_at", v) })
	checkOrder(f, e)
	return edit
}

// change takes over a field that was sent, both into the event and into the edit.
func change[B, T any](m wire.Optional[B], event *T, edit **T, check func(B) T) {
	if m.Sent {
		value := check(m.Value)
		*event, *edit = value, &value
	}
}

func (a *API) editEvent(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	var body wire.EventEdit
	if err := input.Decode(r.body, &body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	e, err := a.store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	var f input.Fields
	edit := editOf(body, &f, e)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.Require(e.OrganizerID, "Only the organizer may edit this event."); err != nil {
		return err
	}
	if edit.Version, err = editVersion(r.Header); err != nil {
		return err
	}
	return a.storeEdit(w, r, e.ID, edit)
}

func (a *API) cancelEvent(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	e, err := a.store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.caller.Require(e.OrganizerID, "Only the organizer may cancel this event."); err != nil {
		return err
	}
	return a.storeEdit(w, r, e.ID, &messages.EventEdit{Version: store.AnyVersion, Cancel: true})
}

// storeEdit sends an edit through the queue, since it may move seats, and answers with the
// event as it is then.
func (a *API) storeEdit(w http.ResponseWriter, r *request, event store.ID, edit *messages.EventEdit) error {
	got := a.ask(w, r, messages.SeatRequest{
		Kind: messages.KindEditEvent, RequestID: rand.Text(), EventID: event, Edit: edit,
		Actor: actor(r.caller, messages.ActorOrganizer, store.ID{}),
	})
	if got.Reply.Outcome != messages.OutcomeEdited {
		return refusal(got)
	}
	e, err := a.store.Event(r.Context(), event)
	if err != nil { // it is made, and cannot be shown
		return problem.New(problem.UnknownOutcome).Because(err)
	}
	w.Header().Set("ETag", eventTag(e))
	return writeJSON(w, http.StatusOK, wire.EventOf(e))
}
