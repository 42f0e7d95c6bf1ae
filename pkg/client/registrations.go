package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/eventio/eventio/api/wire"
)

func rosterPath(event ID) string             { return eventPath(event) + "/registrations" }
func registrationPath(event, user ID) string { return rosterPath(event) + "/" + user.Hex() }

// Register registers a user for an event, who acts, and returns the registration: confirmed, or
// waitlisted when the event is full and has a waiting list. With a token user may be the zero ID
// and is the token's user.
//
// It fails with CodeAlreadyRegistered, CodeAlreadyWaitlisted, CodeEventNotFound, CodeSoldOut and
// the other codes of docs/api.md. The repetition of a call that succeeded, under the same [Key],
// succeeds as long as the registration lives.
func (c *Client) Register(ctx context.Context, event, user ID, options ...WriteOption) (Registration, error) {
	var r Registration
	q := keyed(call{name: "Register", method: http.MethodPost, path: rosterPath(event), body: wire.NewRegistration{UserID: idOrNothing(user)}}, options)
	return r, c.do(ctx, q, into(&r, nil))
}

// PutRegistration registers a user for an event unless they are registered or wait already, and
// returns the registration. made tells whether this call made it. It fails as Register does, but
// for the codes of who is registered already.
func (c *Client) PutRegistration(ctx context.Context, event, user ID, options ...WriteOption) (r Registration, made bool, err error) {
	q := keyed(call{name: "PutRegistration", method: http.MethodPut, path: registrationPath(event, user)}, options)
	err = c.do(ctx, q, into(&r, func(res *http.Response) { made = res.StatusCode != http.StatusOK }))
	return r, made, err
}

// Registration returns the registration of a user, with its ETag. It fails with
// CodeRegistrationNotFound when there is none.
func (c *Client) Registration(ctx context.Context, event, user ID) (Registration, error) {
	var r Registration
	q := call{name: "Registration", method: http.MethodGet, path: registrationPath(event, user)}
	return r, c.do(ctx, q, into(&r, func(res *http.Response) { r.ETag = res.Header.Get("ETag") }))
}

// CancelRegistration cancels the registration of a user; the user or the event's organizer acts. It
// succeeds also when there is none. With [IfMatch] it cancels that registration only, and fails with
// CodeRegistrationChanged when the user holds another one.
func (c *Client) CancelRegistration(ctx context.Context, event, user ID, options ...CancelOption) error {
	q := keyed(call{name: "CancelRegistration", method: http.MethodDelete, path: registrationPath(event, user)}, nil)
	for _, o := range options {
		o.cancel(&q)
	}
	return c.do(ctx, q, into(nil, nil))
}

// RosterPage returns a page of the users who are registered for an event, in the order of
// registration, or of its waiting list.
func (c *Client) RosterPage(ctx context.Context, event ID, query RosterQuery) (Page[ID], error) {
	q := pageOf(query.Limit, query.Cursor)
	if query.Status != "" {
		q.Set("status", string(query.Status))
	}
	return readPage[ID](ctx, c, call{name: "RosterPage", path: rosterPath(event), query: q})
}

// Roster gives everybody who is registered for an event, in the order of registration, or its
// whole waiting list with StatusWaitlisted. It is one request, read as it comes, in constant
// memory: the call is repeated until the list begins, and a connection that breaks later ends it
// with an error. RosterPage can go on where it stopped.
func (c *Client) Roster(ctx context.Context, event ID, status Status) iter.Seq2[ID, error] {
	q := call{name: "Roster", method: http.MethodGet, path: rosterPath(event), query: url.Values{}}
	if status != "" {
		q.query.Set("status", string(status))
	}
	return stream[ID](ctx, c, q)
}
