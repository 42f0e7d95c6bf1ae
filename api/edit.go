package api

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// eventEdit is the body of an edit: a JSON Merge Patch (RFC 7396). What is left out stays
// as it is; null takes away what an event need not have.
type eventEdit struct {
	Title       optional[string]  `json:"title,omitzero"`
	Description optional[string]  `json:"description,omitzero"`
	Place       optional[string]  `json:"place,omitzero"`
	TimeZone    optional[string]  `json:"time_zone,omitzero"`
	Waitlist    optional[bool]    `json:"waitlist,omitzero"`
	Capacity    optional[int64]   `json:"capacity,omitzero"`
	StartsAt    optional[string]  `json:"starts_at,omitzero"`
	EndsAt      optional[string]  `json:"ends_at,omitzero"`
	OpensAt     optional[*string] `json:"registration_opens_at,omitzero"`
	ClosesAt    optional[*string] `json:"registration_closes_at,omitzero"`
}

// optional is a field that may be left out. null is sent with the zero value.
type optional[T any] struct {
	sent  bool
	value T
}

// UnmarshalJSONFrom notes that the field was sent.
func (m *optional[T]) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	m.sent = true
	return json.UnmarshalDecode(from, &m.value)
}

// MarshalJSONTo writes the value, for examples.
func (m optional[T]) MarshalJSONTo(to *jsontext.Encoder) error {
	return json.MarshalEncode(to, m.value)
}

func sent[T any](value T) optional[T] { return optional[T]{true, value} }

// edit applies a body to an event as it is, and says what of it changes. The fields are
// checked as those of a new event are.
func (b eventEdit) edit(f *input.Fields, e store.Event) *messages.EventEdit {
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
func change[B, T any](m optional[B], event *T, edit **T, check func(B) T) {
	if m.sent {
		value := check(m.value)
		*event, *edit = value, &value
	}
}

func (a *API) editEvent(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	var body eventEdit
	if err := input.Decode(r.body, &body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	e, err := a.store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	var f input.Fields
	edit := body.edit(&f, e)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.mayBe(e.OrganizerID, "Only the organizer may edit this event."); err != nil {
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
	if err := r.caller.mayBe(e.OrganizerID, "Only the organizer may cancel this event."); err != nil {
		return err
	}
	return a.storeEdit(w, r, e.ID, &messages.EventEdit{Version: store.AnyVersion, Cancel: true})
}

// storeEdit sends an edit through the queue, since it may move seats, and answers with the
// event as it is then.
func (a *API) storeEdit(w http.ResponseWriter, r *request, event store.ID, edit *messages.EventEdit) error {
	got := a.ask(w, r, messages.SeatRequest{
		Kind: messages.KindEditEvent, RequestID: rand.Text(), EventID: event, Edit: edit,
		Actor: r.caller.acting(messages.ActorOrganizer, store.ID{}),
	})
	if got.Reply.Outcome != messages.OutcomeEdited {
		return refusal(got)
	}
	e, err := a.store.Event(r.Context(), event)
	if err != nil { // it is made, and cannot be shown
		return problem.New(problem.UnknownOutcome).Because(err)
	}
	w.Header().Set("ETag", eventTag(e))
	return writeJSON(w, http.StatusOK, eventOf(e))
}
