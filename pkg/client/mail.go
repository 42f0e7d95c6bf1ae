package client

import (
	"context"
	"net/http"

	"github.com/eventio/eventio/api/wire"
)

// ResetPassword has a link sent to whoever has an address, by which they set a new password. It says
// nothing about whether anybody has it. It fails with CodeNoMail where no mail is sent.
func (c *Client) ResetPassword(ctx context.Context, email string) error {
	return c.do(ctx, call{
		name: "ResetPassword", method: http.MethodPost, path: "/api/password-resets", body: wire.PasswordReset{Email: email}, changes: true,
	}, into(nil, nil))
}

// SetNewPassword sets a new password by the token that follows the # in such a link. All earlier tokens of
// the user end. It fails with CodeLinkInvalid when the link does not count any more, and with
// CodeAccountLocked.
//
// It is sent again only while surely nothing has happened: the link works once. After
// ErrUnknownOutcome log in with the new password to learn whether it is in force.
func (c *Client) SetNewPassword(ctx context.Context, token, password string) error {
	return c.do(ctx, call{
		name: "SetNewPassword", method: http.MethodPost, path: "/api/password-resets/confirm",
		body: wire.NewPassword{Token: token, Password: password}, changes: true, repetition: undoubted,
	}, into(nil, nil))
}

// AskForProof has a link sent to an address that is that of a user, who acts; "": the address of the
// account. Another one fails with CodeLoginTooOld unless the token is of the last 5 minutes. It fails with
// CodeNoMail where no mail is sent.
func (c *Client) AskForProof(ctx context.Context, user ID, email string) error {
	return c.do(ctx, call{
		name: "AskForProof", method: http.MethodPost, path: userPath(user) + "/email-proof", body: wire.EmailProof{Email: email}, changes: true,
	}, into(nil, nil))
}

// ProveEmail proves an address of a user, who acts, by the token that follows the # in such a link, and
// returns the account as it is then. It fails with CodeLinkInvalid when the link does not count any
// more, and with CodeEmailTaken when another user has proven the address.
//
// It is sent again only while surely nothing has happened. After ErrUnknownOutcome read the user.
func (c *Client) ProveEmail(ctx context.Context, user ID, token string) (User, error) {
	var u User
	return u, c.do(ctx, call{
		name: "ProveEmail", method: http.MethodPost, path: userPath(user) + "/email-proof/confirm", body: wire.ProofToken{Token: token}, changes: true,
		repetition: undoubted,
	}, into(&u, nil))
}
