package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/eventio/eventio/api/wire"
)

// Attendee is somebody who is registered for an event, as its organizer sees them. Who never signed
// up there has no Name and no Email.
type Attendee = wire.Attendee

// AttendeeOrder is the order of a guest list.
type AttendeeOrder string

// The orders. OrderName and OrderTime are for pages, and for events with at most 20,000 registrations.
const (
	OrderNumber           AttendeeOrder = wire.SortNumber // of admission; the zero value is the same
	OrderNumberDescending AttendeeOrder = wire.SortNumberDescending
	OrderName             AttendeeOrder = wire.SortName
	OrderTime             AttendeeOrder = wire.SortTime
)

// AttendeesQuery says which attendees of an event are wanted.
type AttendeesQuery struct {
	Status Status // zero: confirmed and waitlisted
	Search string // words, each in the name or the address, or the number or the user's id; for pages only
	Order  AttendeeOrder
	Limit  int    // attendees in a page, from 1 to 1000; 0: 100
	Cursor string // the Next of the page before
}

func attendeesPath(event ID) string { return eventPath(event) + "/attendees" }

// set adds the filters and the order to a query.
func (a AttendeesQuery) set(q url.Values) {
	for name, value := range map[string]string{"status": string(a.Status), "q": a.Search, "sort": string(a.Order)} {
		if value != "" {
			q.Set(name, value)
		}
	}
}

// AttendeesPage returns a page of an event's guest list; the organizer acts. A page of a search may
// be short, even empty, and still have a Next.
func (c *Client) AttendeesPage(ctx context.Context, event ID, query AttendeesQuery) (Page[Attendee], error) {
	q := pageOf(query.Limit, query.Cursor)
	query.set(q)
	return readPage[Attendee](ctx, c, call{name: "AttendeesPage", path: attendeesPath(event), query: q})
}

// Attendees gives an event's whole guest list, or the part with a status; the organizer acts. It is
// one request, read as it comes, in constant memory: the call is repeated until the list begins, and
// a connection that breaks later ends it with an error. With query.Search, or an order other than by
// number, it reads pages of query.Limit instead, from query.Cursor on.
func (c *Client) Attendees(ctx context.Context, event ID, query AttendeesQuery) iter.Seq2[Attendee, error] {
	byNumber := query.Order == "" || query.Order == OrderNumber || query.Order == OrderNumberDescending
	if query.Search != "" || !byNumber || query.Cursor != "" {
		return eachOf(func(cursor string) (Page[Attendee], error) {
			page := query
			page.Cursor = cursor
			return c.AttendeesPage(ctx, event, page)
		}, query.Cursor)
	}
	q := call{name: "Attendees", method: http.MethodGet, path: attendeesPath(event), query: url.Values{}}
	query.set(q.query)
	return stream[Attendee](ctx, c, q)
}
