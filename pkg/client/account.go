package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/eventio/eventio/api/wire"
)

// LogOut ends the token of this client, with all its copies, in every process of the service within
// 5 s. A token that has ended already is no error.
func (c *Client) LogOut(ctx context.Context) error {
	return c.do(ctx, call{name: "LogOut", method: http.MethodPost, path: "/api/logout", changes: true}, into(nil, nil))
}

// User returns the account of a user, who acts.
func (c *Client) User(ctx context.Context, user ID) (User, error) {
	var u User
	return u, c.do(ctx, call{name: "User", method: http.MethodGet, path: userPath(user)}, into(&u, nil))
}

// EditUser changes the account of a user, who acts, and returns it as it is then. Another e-mail
// address fails with CodeLoginTooOld unless the token is of the last 5 minutes, and with
// CodeEmailTaken when another user has it.
//
// It is sent again only while surely nothing has happened. After ErrUnknownOutcome read the user.
func (c *Client) EditUser(ctx context.Context, user ID, edit UserEdit) (User, error) {
	var u User
	return u, c.do(ctx, call{
		name: "EditUser", method: http.MethodPatch, path: userPath(user), body: edit.body(), changes: true, repetition: undoubted,
	}, into(&u, nil))
}

// DeleteUser erases a user, who acts, for good: their registrations for events that have not ended
// are cancelled, and so are their own such events. All tokens of the user end. It fails with
// CodeLoginTooOld unless the token is of the last 5 minutes.
//
// A repetition goes on where the first attempt stopped. After ErrUnknownOutcome log in: who cannot
// is erased, and else the call may be repeated with the new token.
func (c *Client) DeleteUser(ctx context.Context, user ID) error {
	return c.do(ctx, call{name: "DeleteUser", method: http.MethodDelete, path: userPath(user), changes: true}, into(nil, nil))
}

// ExportUser gives everything that the service stores of a user, who acts, but the hash of the
// password. An error ends it.
func (c *Client) ExportUser(ctx context.Context, user ID) iter.Seq2[ExportRecord, error] {
	return stream[ExportRecord](ctx, c, call{name: "ExportUser", method: http.MethodGet, path: userPath(user) + "/export"})
}

// LogIns returns the log-ins of a user, who acts, whose tokens still count: the newest first, at
// most 200.
func (c *Client) LogIns(ctx context.Context, user ID) ([]LogIn, error) {
	var all []LogIn
	return all, c.do(ctx, call{name: "LogIns", method: http.MethodGet, path: userPath(user) + "/sessions"}, into(&all, nil))
}

// EndLogIn ends the tokens of one log-in of a user, who acts, in every process of the service
// within 5 s. One that has ended already is no error.
func (c *Client) EndLogIn(ctx context.Context, user, logIn ID) error {
	path := userPath(user) + "/sessions/" + logIn.Hex()
	return c.do(ctx, call{name: "EndLogIn", method: http.MethodDelete, path: path, changes: true}, into(nil, nil))
}

// EndLogIns ends all tokens of a user, who acts, also that of this client, in every process of the
// service within 5 s.
//
// It is sent again only while surely nothing has happened: a repetition is CodeUnauthenticated when
// the first attempt was carried out.
func (c *Client) EndLogIns(ctx context.Context, user ID) error {
	return c.do(ctx, call{
		name: "EndLogIns", method: http.MethodDelete, path: userPath(user) + "/sessions", changes: true, repetition: undoubted,
	}, into(nil, nil))
}

// body makes the body of a request.
func (e UserEdit) body() wire.UserEdit {
	return wire.UserEdit{Name: given(e.Name, as), Email: given(e.Email, as)}
}
