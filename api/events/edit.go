package events

import (
	"net/http"
	"slices"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

// EditEvent applies a JSON Merge Patch of the organizer, under the version in If-Match. The patch may
// be a whole event as it was read, with some fields changed.
func (a *Handlers) EditEvent(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	var body wire.EventPatch
	if err := input.Decode(r.Sent, &body); err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	var f input.Fields
	edit := editOf(&f, body.EventEdit, e)
	var moved []string
	if !knowsLatest(r.Header, e) {
		moved = []string{"tickets_sold", "waiting", "state", "registration_state"} // by registrations and the time
	}
	if err := input.ReadOnly(&f, body.Others, wire.EventOf(e), moved...); err != nil {
		return err
	}
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.Caller.Require(e.OrganizerID, "Only the organizer may edit this event."); err != nil {
		return err
	}
	if edit.Version, err = editVersion(r.Header, e); err != nil {
		return err
	}
	if err := a.UseEvents(r.Context(), r, e.OrganizerID, 0, serve.TextBytes(body.Title.Value, body.Description.Value, body.Place.Value)); err != nil {
		return err
	}
	return a.sendEdit(w, r, e.ID, edit)
}

// knowsLatest reports whether a client says by If-Match that it has read e as it is now. * says nothing
// of what was read, and a list not which of it.
func knowsLatest(h http.Header, e store.Event) bool {
	sent := h.Values("If-Match")
	return len(serve.TagNumbers(sent)) == 1 && serve.Matches(sent, eventTag(e))
}

// editOf checks the fields of an edit of an event, as those of a new event are, and says what of
// the event changes. What stays as it is may be what new events cannot have any more, and is left out
// then: a worker would refuse it.
func editOf(f *input.Fields, b wire.EventEdit, e store.Event) *store.Edit {
	before, edit := e, &store.Edit{}
	text := func(m wire.Optional[string], event *string, to **string, check func(*input.Fields, string) string) {
		var own input.Fields
		value := check(&own, m.Value)
		switch {
		case m.Sent && m.Value == *event && (!own.OK() || value != *event): // left out
		case m.Sent:
			apply(m, event, to, func(v string) string { return check(f, v) })
		}
	}
	text(b.Title, &e.Title, &edit.Title, func(f *input.Fields, v string) string { return f.Line("title", v, input.MaxTitle) })
	text(b.Description, &e.Description, &edit.Description, func(f *input.Fields, v string) string { return f.Text("description", v, input.MaxDescription) })
	text(b.Place, &e.Venue, &edit.Venue, func(f *input.Fields, v string) string { return f.OptionalLine("place", v, input.MaxPlace) })
	text(b.TimeZone, &e.TimeZone, &edit.TimeZone, func(f *input.Fields, v string) string { return f.TimeZone("time_zone", v) })
	apply(b.Waitlist, &e.Waitlist, &edit.Waitlist, func(v bool) bool { return v })
	apply(b.RequiresProvenEmail, &e.RequiresProvenEmail, &edit.RequiresProvenEmail, func(v bool) bool { return v })
	apply(b.Capacity, &e.Capacity, &edit.Capacity, func(v int64) int64 { return f.Capacity("capacity", v) })
	apply(b.StartsAt, &e.StartsAt, &edit.StartsAt, func(v string) time.Time { return f.Instant("starts_at", v) })
	apply(b.EndsAt, &e.EndsAt, &edit.EndsAt, func(v string) time.Time { return f.Instant("ends_at", v) })
	apply(b.OpensAt, &e.OpensAt, &edit.OpensAt, func(v *string) time.Time { return f.OptionalInstant("registration_opens_at", v) })
	apply(b.ClosesAt, &e.ClosesAt, &edit.ClosesAt, func(v *string) time.Time { return f.OptionalInstant("registration_closes_at", v) })
	if sameTimes(before, e) && len(e.CheckTimes()) > 0 {
		edit.StartsAt, edit.EndsAt, edit.OpensAt, edit.ClosesAt = nil, nil, nil, nil
		return edit
	}
	checkOrder(f, e)
	return edit
}

// sameTimes reports whether two events have the same times.
func sameTimes(a, b store.Event) bool {
	return a.StartsAt.Equal(b.StartsAt) && a.EndsAt.Equal(b.EndsAt) && a.OpensAt.Equal(b.OpensAt) && a.ClosesAt.Equal(b.ClosesAt)
}

// apply takes over a field that was sent, both into the event and into the edit.
func apply[B, T any](m wire.Optional[B], event *T, edit **T, check func(B) T) {
	if m.Sent {
		value := check(m.Value)
		*event, *edit = value, &value
	}
}

// checkOrder checks the times of an event against each other, once each of them is right.
func checkOrder(f *input.Fields, e store.Event) {
	if !f.OK() {
		return
	}
	for _, wrong := range e.CheckTimes() {
		f.Add(wrong.Field, wrong.Reason)
	}
}

// editVersion reads the version that an edit of e is based on, from If-Match. Of several versions it is
// that of e, if it is among them.
func editVersion(h http.Header, e store.Event) (int64, error) {
	sent := h.Values("If-Match")
	numbers := serve.TagNumbers(sent)
	switch {
	case len(sent) == 0:
		return 0, problem.New(problem.PreconditionRequired)
	case serve.AnyTag(sent):
		return store.AnyVersion, nil
	case len(numbers) == 0: // an ETag that the API never gave matches no event
		return 0, problem.New(problem.VersionMismatch)
	case slices.Contains(numbers, e.Version):
		return e.Version, nil
	}
	return slices.Max(numbers), nil
}
