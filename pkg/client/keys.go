package client

import (
	"context"
	"net/http"
	"time"

	"github.com/eventio/eventio/api/wire"
)

// APIKey is what the owner of a key is told of it. Its Key goes to [Client.As], or into the Config of a program's client.
type APIKey = wire.APIKey

// NewAPIKey says which key for a program is wanted.
type NewAPIKey struct {
	Name string
	// Scopes are what it may do: ScopeRead, ScopeRegister, ScopeOrganize.
	Scopes []string
	// ExpiresAt is when it ends, within 2 years; the zero time: after 90 days.
	ExpiresAt time.Time
}

// The scopes of keys.
const (
	ScopeRead     = "read"
	ScopeRegister = "register"
	ScopeOrganize = "organize"
)

const keysPath = "/api/keys"

// CreateAPIKey makes a key with which a program acts for who acts, and returns it with its Key, which nobody is told again. It
// fails with CodeLoginTooOld unless the token is of the last 5 minutes.
//
// It is sent again only while surely nothing has happened. After ErrUnknownOutcome end one that is in APIKeys and has no known
// Key.
func (c *Client) CreateAPIKey(ctx context.Context, k NewAPIKey) (APIKey, error) {
	body := wire.NewAPIKey{Name: k.Name, Scopes: k.Scopes}
	if !k.ExpiresAt.IsZero() {
		body.ExpiresAt = &k.ExpiresAt
	}
	var made APIKey
	return made, c.do(ctx, call{name: "CreateAPIKey", method: http.MethodPost, path: keysPath, body: body, changes: true, repetition: undoubted}, into(&made, nil))
}

// APIKeys returns the keys of who acts that have not ended, the newest first, without their Key.
func (c *Client) APIKeys(ctx context.Context) ([]APIKey, error) {
	var all []APIKey
	return all, c.do(ctx, call{name: "APIKeys", method: http.MethodGet, path: keysPath}, into(&all, nil))
}

// EndAPIKey ends a key of who acts, in every process of the service within 5 s. One that has ended already is no error.
func (c *Client) EndAPIKey(ctx context.Context, id ID) error {
	return c.do(ctx, call{name: "EndAPIKey", method: http.MethodDelete, path: keysPath + "/" + id.Hex(), changes: true}, into(nil, nil))
}
