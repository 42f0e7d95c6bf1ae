package client

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/eventio/eventio/api/wire"
)

// The bodies of changes.
type (
	// Change is one thing that happened to an event or to a registration: its Type says what.
	Change = wire.Change
	// Actor is who made a change.
	Actor = wire.Actor
	// NumberRange says who moved up when they are too many to be named.
	NumberRange = wire.NumberRange
	// Minute tells what happened to the registrations of an event in one minute.
	Minute = wire.Minute
)

// ChangesQuery says which changes of an event are wanted.
type ChangesQuery struct {
	After int64 // only changes of later revisions: the After of the page before; 0: from the beginning
	Limit int   // the page ends with the revision that brings it to so many changes, from 1 to 1000; 0: 100
	// Wait is how long the API holds its answer back while there is no change, up to 50 s, in whole
	// seconds. 0: it does not.
	Wait time.Duration
}

// ChangesPage is a part of the changes of an event.
type ChangesPage struct {
	Items []Change
	// After is where to go on: the revision of the last change, or that of the query when there is none.
	After int64
	More  bool // there are more already
}

// changesWait is how long FollowEvent has the API wait: below the usual time-out of gateways.
const changesWait = 25 * time.Second

// EventChangesPage returns a page of the changes of an event, whose organizer acts, in order. A caller
// who keeps After misses nothing and sees nothing twice, after a restart too.
func (c *Client) EventChangesPage(ctx context.Context, event ID, query ChangesQuery) (ChangesPage, error) {
	q := pageOf(query.Limit, "")
	q.Set("after", strconv.FormatInt(query.After, 10))
	if query.Wait > 0 {
		q.Set("wait", fmt.Sprintf("%ds", query.Wait/time.Second))
	}
	page := ChangesPage{After: query.After}
	err := c.do(ctx, call{name: "EventChangesPage", method: http.MethodGet, path: eventPath(event) + "/changes", query: q, wait: query.Wait},
		into(&page.Items, func(res *http.Response) { page.More = res.Header.Get("Link") != "" }))
	if n := len(page.Items); n > 0 {
		page.After = page.Items[n-1].Revision
	}
	return page, err
}

// Pace returns how many registrations of an event, whose organizer acts, were made and cancelled in each of
// the latest minutes, the oldest first; the last one is not over. They are at most so many, from 1 to
// 180; 0: 60. Minutes before the event was made are left out.
func (c *Client) Pace(ctx context.Context, event ID, minutes int) ([]Minute, error) {
	q := url.Values{}
	if minutes > 0 {
		q.Set("minutes", strconv.Itoa(minutes))
	}
	var told []Minute
	err := c.do(ctx, call{name: "Pace", method: http.MethodGet, path: eventPath(event) + "/pace", query: q}, into(&told, nil))
	return told, err
}

// FollowEvent gives the changes of an event after a revision, and then each new one as it comes, until
// ctx ends or the caller stops. The Revision of a change tells where to go on later; all changes of one
// revision belong together, so go on after a revision only when the next one has begun. An error ends
// it.
func (c *Client) FollowEvent(ctx context.Context, event ID, after int64) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for {
			page, err := c.EventChangesPage(ctx, event, ChangesQuery{After: after, Wait: changesWait})
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, change := range page.Items {
				if !yield(change, nil) {
					return
				}
			}
			after = page.After
		}
	}
}

// UserChangesPage returns a page of what happened to a user's registrations; the user acts. The newest
// event comes first, and its changes are in order.
func (c *Client) UserChangesPage(ctx context.Context, user ID, query UserChangesQuery) (Page[Change], error) {
	return readPage[Change](ctx, c, call{name: "UserChangesPage", path: userPath(user) + "/changes", query: pageOf(query.Limit, query.Cursor)})
}

// UserChangesQuery says which changes of a user's registrations are wanted.
type UserChangesQuery struct {
	Limit  int    // changes in a page, from 1 to 1000; 0: 100. Those of one registration stay together
	Cursor string // the Next of the page before
}

// UserChanges gives everything that happened to a user's registrations, from query.Cursor on, page by
// page. An error ends it.
func (c *Client) UserChanges(ctx context.Context, user ID, query UserChangesQuery) iter.Seq2[Change, error] {
	return eachOf(func(cursor string) (Page[Change], error) {
		query.Cursor = cursor
		return c.UserChangesPage(ctx, user, query)
	}, query.Cursor)
}
