package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/eventio/eventio/api/wire"
)

const eventsPath = "/api/events"

func eventPath(event ID) string { return eventsPath + "/" + event.Hex() }

// CreateEvent creates an event.
func (c *Client) CreateEvent(ctx context.Context, e NewEvent, options ...WriteOption) (Event, error) {
	return c.event(ctx, keyed(call{name: "CreateEvent", method: http.MethodPost, path: eventsPath, body: e.body()}, options))
}

// Event returns an event. It fails with CodeEventNotFound when there is none.
func (c *Client) Event(ctx context.Context, event ID) (Event, error) {
	return c.event(ctx, call{name: "Event", method: http.MethodGet, path: eventPath(event)})
}

// EditEvent changes an event, whose organizer acts, and returns it as it is then. ifMatch is the
// [Event].ETag on which the edit is based: CodeVersionMismatch says that somebody else edited the
// event since, and nothing is changed. "*" edits whatever there is.
//
// After ErrUnknownOutcome read the event: a repetition is refused with CodeVersionMismatch
// whether the edit or another one was made.
func (c *Client) EditEvent(ctx context.Context, event ID, ifMatch string, edit EventEdit) (Event, error) {
	q := call{name: "EditEvent", method: http.MethodPatch, path: eventPath(event), body: edit.body(), changes: true, ifMatch: ifMatch}
	if ifMatch == "*" { // a late repetition would undo what came between
		q.repetition = undoubted
	}
	return c.event(ctx, q)
}

// CancelEvent cancels an event, whose organizer acts, for good. An event that is cancelled already
// stays as it is.
func (c *Client) CancelEvent(ctx context.Context, event ID) (Event, error) {
	return c.event(ctx, call{name: "CancelEvent", method: http.MethodPost, path: eventPath(event) + "/cancel", changes: true})
}

// event sends a call whose answer is an event with its ETag.
func (c *Client) event(ctx context.Context, q call) (Event, error) {
	var e Event
	err := c.do(ctx, q, into(&e, func(res *http.Response) { e.ETag = res.Header.Get("ETag") }))
	return e, err
}

// EventsPage returns a page of the events that a query wants.
func (c *Client) EventsPage(ctx context.Context, query EventQuery) (Page[Event], error) {
	q := pageOf(query.Limit, query.Cursor)
	for name, value := range map[string]time.Time{"from": query.From, "to": query.To, "ends_after": query.EndsAfter} {
		if !value.IsZero() {
			q.Set(name, value.Format(time.RFC3339Nano))
		}
	}
	if query.Search != "" {
		q.Set("q", query.Search)
	}
	if !query.OrganizerID.IsZero() {
		q.Set("organizer_id", query.OrganizerID.Hex())
	}
	if query.Available {
		q.Set("available", "true")
	}
	if query.LatestFirst {
		q.Set("sort", wire.SortLatest)
	}
	return readPage[Event](ctx, c, call{name: "EventsPage", path: eventsPath, query: q})
}

// Events gives every event that a query wants, from query.Cursor on, page by page. Events that
// are created meanwhile behind the last one given are found too. An error ends it.
func (c *Client) Events(ctx context.Context, query EventQuery) iter.Seq2[Event, error] {
	return eachOf(func(cursor string) (Page[Event], error) {
		query.Cursor = cursor
		return c.EventsPage(ctx, query)
	}, query.Cursor)
}
