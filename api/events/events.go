// Package events answers requests about events and their changes.
package events

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/live"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/reads"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
)

// Handlers answers requests about events and their changes.
type Handlers struct {
	*serve.Core
	waits *changeWaits
	live  *live.Streams
	pages *reads.Pages
}

// New makes the handlers over what all share.
func New(core *serve.Core) *Handlers {
	news := core.Seats.Link()
	a := &Handlers{Core: core}
	a.waits = newChangeWaits(core.Store, core.Config.ChangeWaits, core.Config.RequestTimeout, &core.Background, news)
	a.live = live.New(live.Config{
		Store: core.Store, News: news, Timeout: core.Config.RequestTimeout, Most: core.Config.LiveStreams, Busy: core.Busy, Running: &core.Background,
	})
	a.pages = core.Reads.NewPages(a.readPage)
	return a
}

// EndWaits answers everybody who waits for changes, ends the live streams, and lets nobody begin any more.
func (a *Handlers) EndWaits() {
	a.waits.end()
	a.live.End()
}

// Listening returns how many live streams there are.
func (a *Handlers) Listening() int { return a.live.Open() }

// Waiting returns how many clients wait for changes.
func (a *Handlers) Waiting() int { return a.waits.count() }

// CreateEvent stores a new event, under its Idempotency-Key if there is one.
func (a *Handlers) CreateEvent(w http.ResponseWriter, r *serve.Request) error {
	var body wire.NewEvent
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	key, _ := serve.IdempotencyKey(&f, r.Header)
	e := store.Event{
		OrganizerID:         serve.ActingFor(r.Caller, &f, "organizer_id", body.OrganizerID),
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
	if err := r.Caller.Require(e.OrganizerID, "You can only create events of your own: leave organizer_id out."); err != nil {
		return err
	}
	c, done, err := a.Begin(r.Context(), key, serve.KeyScope(r.Caller, "POST "+serve.PathEvents), body)
	if err != nil {
		return err
	}
	e.ID, e.CreatedAt = c.Resource, c.CreatedAt
	if !done {
		create := func(ctx context.Context) error {
			if err := a.UseEvents(ctx, r, e.OrganizerID, 1, serve.TextBytes(e.Title, e.Description, e.Venue)); err != nil {
				return err
			}
			return a.Store.CreateEvent(ctx, e)
		}
		exists := func(ctx context.Context) error { return a.Exists(ctx, e.ID) }
		if err := c.CarryOut(r.Context(), create, exists); err != nil {
			return err
		}
	}
	e.Version, e.Revision = 1, 1
	w.Header().Set("ETag", eventTag(e))
	return serve.WriteCreated(w, serve.EventPath(e.ID), done, wire.EventOf(e))
}

// ReadEvent answers with an event.
func (a *Handlers) ReadEvent(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	answer, err := a.Reads.EventAnswer(r.Context(), id, encodeEvent)
	if err != nil {
		return err
	}
	send(w, r, answer)
	return nil
}

// send sends an answer, or 304 when the client has it already.
func send(w http.ResponseWriter, r *serve.Request, answer reads.Answer) {
	h := w.Header()
	h.Set("ETag", answer.Tag)
	if answer.Link != "" {
		h.Set("Link", answer.Link)
	}
	serve.WriteTagged(w, r.Request, "application/json", answer.Body)
}

// encodeEvent makes the answer of an event that was just read. Body and tag are of one moment.
func encodeEvent(e store.Event) (reads.Answer, error) {
	now := time.Now()
	body, err := serve.Encode(wire.EventAt(e, now))
	return reads.Answer{Body: body, Tag: eventTagAt(e, now)}, err
}

// ListEvents answers with a page of the events that the filters leave, or streams all of them.
func (a *Handlers) ListEvents(w http.ResponseWriter, r *serve.Request) error {
	q := input.Query(r.URL)
	query, err := eventQuery(q)
	if err != nil {
		return err
	}
	if err := r.Charge(eventsCost(query)); err != nil {
		return err
	}
	if query.Limit > 0 {
		return a.eventsPage(w, r, q)
	}
	return a.StreamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		query.Limit = eventsPiece
		found := search.All(ctx, a.Chunked(), query)
		return serve.Encoded(found, func(e store.Event) any { return wire.EventOf(e) })
	})
}

// eventsCost returns what a list of events costs.
func eventsCost(q store.EventQuery) int {
	cost := serve.CostOfPage(q.Limit)
	if len(q.Words) > 0 {
		cost *= serve.CostOfSearch
	}
	return cost
}

// eventsPiece is how many events of a list that is streamed are read at once: 2.5 MB of the largest.
const eventsPiece = 100

// eventsPage sends one page, and in Link where the next one is.
func (a *Handlers) eventsPage(w http.ResponseWriter, r *serve.Request, q url.Values) error {
	page, err := a.pages.Read(r.Context(), q.Encode())
	if err != nil {
		return err
	}
	send(w, r, page)
	return nil
}

// readPage reads the page of a query.
func (a *Handlers) readPage(ctx context.Context, text string) (page reads.Answer, err error) {
	q, err := url.ParseQuery(text)
	if err != nil {
		return page, err
	}
	query, err := eventQuery(q)
	if err != nil {
		return page, err
	}
	found, err := a.Store.FindEvents(ctx, query)
	if err != nil {
		return page, err
	}
	if found.Next != nil {
		page.Link = serve.NextLink(serve.PathEvents, q, query.Limit, nextEvents(q, *found.Next))
	}
	events := make([]wire.Event, len(found.Events))
	for i, e := range found.Events {
		events[i] = wire.EventOf(e)
	}
	page.Body, err = serve.Encode(events)
	page.Tag = serve.TagOf(page.Body)
	return page, err
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
	if q.Has("ends_after") {
		query.EndsAfter = f.QueryInstant("ends_after", q.Get("ends_after"))
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
	return input.ListOf(serve.PathEvents, q).Cursor(append(place, at.ID[:]...))
}

// eventsCursor reads the place after which a page begins; nil when it is the first one.
func eventsCursor(f *input.Fields, q url.Values) *store.EventCursor {
	place := f.Cursor(input.ListOf(serve.PathEvents, q), q, eventPlaceSize)
	if place == nil {
		return nil
	}
	return &store.EventCursor{
		StartsAt: time.UnixMilli(int64(binary.BigEndian.Uint64(place))).UTC(),
		ID:       store.ID(place[8:]),
	}
}

// CancelEvent cancels an event for good.
func (a *Handlers) CancelEvent(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.Caller.Require(e.OrganizerID, "Only the organizer may cancel this event."); err != nil {
		return err
	}
	if err := a.sendEdit(w, r, e.ID, &store.Edit{Version: store.AnyVersion, Cancel: true}); err != nil {
		return err
	}
	a.Tell(r, security.EventCancelled, messages.ActorOrganizer, security.About{Event: e.ID})
	return nil
}

// sendEdit sends an edit to the workers, since it may change registrations, and answers with the event
// as it is then.
func (a *Handlers) sendEdit(w http.ResponseWriter, r *serve.Request, event store.ID, edit *store.Edit) error {
	got := a.Send(w, r, messages.SeatRequest{
		Kind: messages.KindEditEvent, EventID: event, Edit: edit,
		Actor: serve.Actor(r.Caller, messages.ActorOrganizer, store.ID{}),
	})
	if got.Reply.Outcome != store.Edited {
		return serve.Refusal(got)
	}
	e, err := a.Store.Event(r.Context(), event)
	if err != nil { // the edit is stored, and the event cannot be read
		return problem.New(problem.UnknownOutcome).Because(err)
	}
	w.Header().Set("ETag", eventTag(e))
	return serve.WriteJSON(w, http.StatusOK, wire.EventOf(e))
}

// eventTag makes the ETag of an event: the organizer's version, the revision of everything, and the
// states, which change with time alone. The whole of it tells whether the event is as it was
// (If-None-Match); for an edit only the version counts (If-Match), so that seats which are taken
// meanwhile do not make it fail.
func eventTag(e store.Event) string { return eventTagAt(e, time.Now()) }

// eventTagAt makes the ETag of an event as it is at a time.
func eventTagAt(e store.Event, now time.Time) string {
	life, registration := e.States(now)
	return fmt.Sprintf(`"%d.%d.%s.%s"`, e.Version, e.Revision, life, registration)
}
