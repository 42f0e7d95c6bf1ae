package api

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/reads"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// createEvent stores a new event, under its Idempotency-Key if there is one.
func (a *API) createEvent(w http.ResponseWriter, r *request) error {
	var body wire.NewEvent
	if err := r.decode(&body); err != nil {
		return err
	}
	var f input.Fields
	key, _ := idempotencyKey(&f, r.Header)
	e := store.Event{
		OrganizerID:         actingFor(r.caller, &f, "organizer_id", body.OrganizerID),
		Title:               f.Line("title", body.Title, input.MaxTitle),
		Description:         f.Text("description", body.Description, input.MaxDescription),
		Capacity:            f.Capacity("capacity", body.Capacity),
		StartsAt:            f.Instant("starts_at", body.StartsAt),
		EndsAt:              f.Instant("ends_at", body.EndsAt),
		Venue:               f.OptionalLine("place", body.Place, input.MaxPlace),
		TimeZone:            f.TimeZone("time_zone", body.TimeZone),
		Waitlist:            body.Waitlist,
		RequiresProvenEmail: body.RequiresProvenEmail,
		OpensAt:             f.OptionalInstant("registration_opens_at", body.OpensAt),
		ClosesAt:            f.OptionalInstant("registration_closes_at", body.ClosesAt),
	}
	checkOrder(&f, e)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.Require(e.OrganizerID, "You can only create events of your own: leave organizer_id out."); err != nil {
		return err
	}
	c, done, err := a.begin(r.Context(), key, keyScope(r.caller, "POST "+pathEvents), body)
	if err != nil {
		return err
	}
	e.ID, e.CreatedAt = c.Resource, c.CreatedAt
	if !done {
		create := func(ctx context.Context) error {
			if err := a.useEvents(ctx, r, e.OrganizerID, 1, textBytes(e.Title, e.Description, e.Venue)); err != nil {
				return err
			}
			return a.store.CreateEvent(ctx, e)
		}
		exists := func(ctx context.Context) error { return a.exists(ctx, e.ID) }
		if err := c.carryOut(r.Context(), create, exists); err != nil {
			return err
		}
	}
	e.Version, e.Revision = 1, 1
	w.Header().Set("ETag", eventTag(e))
	return writeCreated(w, eventPath(e.ID), done, wire.EventOf(e))
}

// readEvent answers with an event.
func (a *API) readEvent(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	answer, err := a.reads.EventAnswer(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", answer.Tag)
	writeTagged(w, r.Request, "application/json", answer.Body)
	return nil
}

// encodeEvent makes the answer of an event that was just read. Body and tag are of one moment.
func encodeEvent(e store.Event) (reads.Answer, error) {
	now := time.Now()
	body, err := encode(wire.EventAt(e, now))
	return reads.Answer{Body: body, Tag: eventTagAt(e, now)}, err
}

// listEvents answers with a page of the events that the filters leave, or streams all of them.
func (a *API) listEvents(w http.ResponseWriter, r *request) error {
	q := input.Query(r.URL)
	query, err := eventQuery(q)
	if err != nil {
		return err
	}
	if err := r.charge(eventsCost(query)); err != nil {
		return err
	}
	if query.Limit > 0 {
		return a.eventsPage(w, r, q, query)
	}
	return a.streamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		query.Limit = eventsPiece
		found := store.AllEvents(ctx, chunked{a.store, a}, query)
		return encoded(found, func(e store.Event) any { return wire.EventOf(e) })
	})
}

// What lists cost, in requests of the rate limit, by what the store does for them. A page without a
// search costs what reading an event does, up to pageOfOne events.
const (
	costOfSearch    = 5  // several indexes are read and compared
	costOfWholeList = 20 // the list is read to its end
	pageOfOne       = 100
)

// eventsCost returns what a list of events costs.
func eventsCost(q store.EventQuery) int {
	cost := max(1, q.Limit/pageOfOne)
	if q.Limit == 0 {
		cost = costOfWholeList
	}
	if len(q.Words) > 0 {
		cost *= costOfSearch
	}
	return cost
}

// eventsPiece is how many events of a list that is streamed are read at once: 2.5 MB of the largest.
const eventsPiece = 100

// eventsPage sends one page, and in Link where the next one is.
func (a *API) eventsPage(w http.ResponseWriter, r *request, q url.Values, query store.EventQuery) error {
	found, err := a.store.FindEvents(r.Context(), query)
	if err != nil {
		return err
	}
	if found.Next != nil {
		linkNext(w, pathEvents, q, query.Limit, nextEvents(q, *found.Next))
	}
	page := make([]wire.Event, len(found.Events))
	for i, e := range found.Events {
		page[i] = wire.EventOf(e)
	}
	return writeRead(w, r, page)
}

// eventQuery reads which events a list is to have.
func eventQuery(q url.Values) (query store.EventQuery, err error) {
	var f input.Fields
	query.Limit = f.Limit(q)
	if q.Has("from") {
		query.From = f.QueryInstant("from", q.Get("from"))
	}
	if q.Has("to") {
		query.To = f.QueryInstant("to", q.Get("to"))
	}
	if q.Has("organizer_id") {
		query.OrganizerID = f.ID("organizer_id", q.Get("organizer_id"))
	}
	if q.Has("q") {
		query.Words = f.Search("q", q.Get("q"))
	}
	if q.Has("available") {
		query.Available, query.At = f.Bool("available", q), time.Now()
	}
	if q.Has("sort") {
		f.OneOf("sort", q.Get("sort"), wire.SortEarliest, wire.SortLatest)
		query.Descending = q.Get("sort") == wire.SortLatest
	}
	query.After = eventsCursor(&f, q)
	if f.OK() && q.Has("from") && q.Has("to") && query.From.After(query.To) {
		f.Add("to", "must not be before from")
	}
	return query, f.Err()
}

// eventPlaceSize is the length of a place in a list of events: the start in milliseconds, and the id.
const eventPlaceSize = 8 + len(store.ID{})

// nextEvents makes the cursor of the page that begins at a place.
func nextEvents(q url.Values, at store.EventCursor) string {
	place := binary.BigEndian.AppendUint64(nil, uint64(at.StartsAt.UnixMilli()))
	return input.ListOf(pathEvents, q).Cursor(append(place, at.ID[:]...))
}

// eventsCursor reads the place after which a page begins; nil when it is the first one.
func eventsCursor(f *input.Fields, q url.Values) *store.EventCursor {
	place := f.Cursor(input.ListOf(pathEvents, q), q, eventPlaceSize)
	if place == nil {
		return nil
	}
	return &store.EventCursor{
		StartsAt: time.UnixMilli(int64(binary.BigEndian.Uint64(place))).UTC(),
		ID:       store.ID(place[8:]),
	}
}

// cancelEvent cancels an event for good.
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
	if err := a.sendEdit(w, r, e.ID, &store.Edit{Version: store.AnyVersion, Cancel: true}); err != nil {
		return err
	}
	a.tell(r, security.EventCancelled, messages.ActorOrganizer, security.About{Event: e.ID})
	return nil
}

// sendEdit sends an edit to the workers, since it may change registrations, and answers with the event
// as it is then.
func (a *API) sendEdit(w http.ResponseWriter, r *request, event store.ID, edit *store.Edit) error {
	got := a.send(w, r, messages.SeatRequest{
		Kind: messages.KindEditEvent, RequestID: rand.Text(), EventID: event, Edit: edit,
		Actor: actor(r.caller, messages.ActorOrganizer, store.ID{}),
	})
	if got.Reply.Outcome != store.Edited {
		return refusal(got)
	}
	e, err := a.store.Event(r.Context(), event)
	if err != nil { // the edit is stored, and the event cannot be read
		return problem.New(problem.UnknownOutcome).Because(err)
	}
	w.Header().Set("ETag", eventTag(e))
	return writeJSON(w, http.StatusOK, wire.EventOf(e))
}

// eventID reads the event's id in the path. No event has the zero id.
func eventID(r *request) (store.ID, error) {
	id, err := store.ParseID(r.urlParam("id"))
	if err != nil {
		return id, problem.InvalidField("id", "must be an id of 24 hexadecimal digits")
	}
	if id.IsZero() {
		return id, store.ErrEventNotFound
	}
	return id, nil
}

// exists returns the error of reading an event: nil when there is one.
func (a *API) exists(ctx context.Context, id store.ID) error {
	_, err := a.store.Event(ctx, id)
	return err
}
