package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/api/wire"
)

// The bodies of webhooks.
type (
	// Webhook is an address that is told of changes.
	Webhook = wire.Webhook
	// WebhookCall is one call of a webhook.
	WebhookCall = wire.WebhookCall
	// WebhookMessage is what a call of a webhook brings: the body of the request.
	WebhookMessage = wire.WebhookMessage
)

// NewWebhook says which webhook is wanted.
type NewWebhook struct {
	URL string
	// OwnerID is whose events it is told of; the zero ID: those of who acts.
	OwnerID ID
	// AllEvents asks to be told of everybody's events, which only operators may.
	AllEvents bool
}

// WebhookEdit says what of a webhook changes; nil: it stays.
type WebhookEdit struct {
	URL    *string
	Active *bool
}

const webhooksPath = "/api/webhooks"

func webhookPath(id ID) string { return webhooksPath + "/" + id.Hex() }

// CreateWebhook creates a webhook, and returns it with its Secret, which nobody is told again.
//
// It is sent again only while surely nothing has happened. After ErrUnknownOutcome delete one that is in
// Webhooks and has no known secret.
func (c *Client) CreateWebhook(ctx context.Context, w NewWebhook) (Webhook, error) {
	body := wire.NewWebhook{URL: w.URL, AllEvents: w.AllEvents}
	if !w.OwnerID.IsZero() {
		owner := w.OwnerID.Hex()
		body.OwnerID = &owner
	}
	return c.webhook(ctx, call{name: "CreateWebhook", method: http.MethodPost, path: webhooksPath, body: body, changes: true, repetition: undoubted})
}

// Webhooks returns the webhooks of a user, who acts; the zero ID: of who acts.
func (c *Client) Webhooks(ctx context.Context, owner ID) ([]Webhook, error) {
	q := url.Values{}
	if !owner.IsZero() {
		q.Set("owner_id", owner.Hex())
	}
	var all []Webhook
	return all, c.do(ctx, call{name: "Webhooks", method: http.MethodGet, path: webhooksPath, query: q}, into(&all, nil))
}

// Webhook returns a webhook, whose owner acts.
func (c *Client) Webhook(ctx context.Context, id ID) (Webhook, error) {
	return c.webhook(ctx, call{name: "Webhook", method: http.MethodGet, path: webhookPath(id)})
}

// EditWebhook changes a webhook, whose owner acts, and returns it as it is then.
func (c *Client) EditWebhook(ctx context.Context, id ID, edit WebhookEdit) (Webhook, error) {
	body := wire.WebhookEdit{URL: given(edit.URL, as), Active: given(edit.Active, as)}
	return c.webhook(ctx, call{name: "EditWebhook", method: http.MethodPatch, path: webhookPath(id), body: body, changes: true})
}

// DeleteWebhook deletes a webhook, whose owner acts.
//
// It is sent again only while surely nothing has happened: a repetition is CodeWebhookNotFound when the
// first attempt was carried out.
func (c *Client) DeleteWebhook(ctx context.Context, id ID) error {
	return c.do(ctx, call{name: "DeleteWebhook", method: http.MethodDelete, path: webhookPath(id), changes: true, repetition: undoubted}, into(nil, nil))
}

// RenewWebhookSecret gives a webhook a new secret, and returns it with its Secret, which nobody is told
// again. For 24 hours calls are signed with the one before, too.
//
// It is sent again only while surely nothing has happened. After ErrUnknownOutcome it may be called again.
func (c *Client) RenewWebhookSecret(ctx context.Context, id ID) (Webhook, error) {
	return c.webhook(ctx, call{name: "RenewWebhookSecret", method: http.MethodPost, path: webhookPath(id) + "/secret", changes: true, repetition: undoubted})
}

// WebhookCalls returns the last calls of a webhook, the newest first, at most 20.
func (c *Client) WebhookCalls(ctx context.Context, id ID) ([]WebhookCall, error) {
	var all []WebhookCall
	return all, c.do(ctx, call{name: "WebhookCalls", method: http.MethodGet, path: webhookPath(id) + "/calls"}, into(&all, nil))
}

// TestWebhook has a webhook called without a change. WebhookCalls shows what came of it.
func (c *Client) TestWebhook(ctx context.Context, id ID) error {
	return c.do(ctx, call{name: "TestWebhook", method: http.MethodPost, path: webhookPath(id) + "/test", changes: true}, into(nil, nil))
}

// ReplayWebhook has a webhook told again what changed since a time.
func (c *Client) ReplayWebhook(ctx context.Context, id ID, since time.Time) error {
	q := url.Values{"since": {since.Format(time.RFC3339Nano)}}
	return c.do(ctx, call{name: "ReplayWebhook", method: http.MethodPost, path: webhookPath(id) + "/replay", query: q, changes: true}, into(nil, nil))
}

func (c *Client) webhook(ctx context.Context, q call) (Webhook, error) {
	var w Webhook
	return w, c.do(ctx, q, into(&w, nil))
}
