package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/eventio/eventio/api/wire"
)

func userPath(user ID) string { return "/api/users/" + user.Hex() }

// SignUp creates a user and returns them with a token. It fails with CodeEmailTaken when another
// user has the address.
func (c *Client) SignUp(ctx context.Context, u NewUser, options ...WriteOption) (Session, error) {
	var s Session
	q := keyed(call{name: "SignUp", method: http.MethodPost, path: "/api/users", body: u}, options)
	return s, c.do(ctx, q, into(&s, nil))
}

// LogIn returns the user of an address with a new token. It fails with CodeUnauthenticated when
// the address or the password is wrong.
func (c *Client) LogIn(ctx context.Context, email, password string) (Session, error) {
	var s Session
	q := call{name: "LogIn", method: http.MethodPost, path: "/api/login", body: wire.Credentials{Email: email, Password: password}}
	return s, c.do(ctx, q, into(&s, nil))
}

// ChangePassword replaces the password of a user, who acts. All earlier tokens of the user end,
// that of this client too. It fails with CodeUnauthenticated when the old password is wrong.
//
// It is sent again only while surely nothing has happened. After ErrUnknownOutcome log in with
// the new password to learn whether it is in force.
func (c *Client) ChangePassword(ctx context.Context, user ID, oldPassword, newPassword string) error {
	return c.do(ctx, call{
		name: "ChangePassword", method: http.MethodPost, path: userPath(user) + "/password",
		body: wire.PasswordChange{OldPassword: oldPassword, NewPassword: newPassword}, changes: true, repetition: undoubted,
	}, into(nil, nil))
}

// UserRegistrationsPage returns a page of what a user is registered for, the newest event first.
func (c *Client) UserRegistrationsPage(ctx context.Context, user ID, query UserRegistrationsQuery) (Page[UserRegistration], error) {
	q := pageOf(query.Limit, query.Cursor)
	if query.When != "" {
		q.Set("when", string(query.When))
	}
	return readPage[UserRegistration](ctx, c, call{name: "UserRegistrationsPage", path: userPath(user) + "/registrations", query: q})
}

// UserRegistrations gives everything that a user is registered for, from query.Cursor on, page by
// page. An error ends it.
func (c *Client) UserRegistrations(ctx context.Context, user ID, query UserRegistrationsQuery) iter.Seq2[UserRegistration, error] {
	return eachOf(func(cursor string) (Page[UserRegistration], error) {
		query.Cursor = cursor
		return c.UserRegistrationsPage(ctx, user, query)
	}, query.Cursor)
}

// Ready returns nil when the API takes requests. It asks once: an API that is not ready says so
// with a *Problem of status 503, and that is the answer.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, call{name: "Ready", method: http.MethodGet, path: "/readyz", query: url.Values{}, repetition: never}, into(nil, nil))
}
