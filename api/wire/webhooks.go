package wire

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/pkg/store"
)

// The types of a WebhookMessage.
const (
	WebhookChanges = "changes"
	WebhookTest    = "test"
)

// WebhookMessage is the body of a call of a webhook.
type WebhookMessage struct {
	Type      string      `json:"type"`      // changes or test
	Timestamp time.Time   `json:"timestamp"` // of the call
	Data      WebhookData `json:"data"`
}

// WebhookData is what a call of a webhook tells.
type WebhookData struct {
	WebhookID store.ID `json:"webhook_id"`
	// Changes are at most 100, those of an event in order.
	Changes []Change `json:"changes"`
}

// NewWebhook is the body that creates a webhook.
type NewWebhook struct {
	URL string `json:"url"`
	// OwnerID is whose events it is told of. With a token it may be left out.
	OwnerID *string `json:"owner_id,omitzero"`
	// AllEvents asks to be told of everybody's events, which only operators may.
	AllEvents bool `json:"all_events,omitzero"`
}

// WebhookEdit is the body that changes a webhook. What is left out stays.
type WebhookEdit struct {
	URL    Optional[string] `json:"url,omitzero"`
	Active Optional[bool]   `json:"active,omitzero"`
}

// WebhookPatch is the body of an edit as it is read: what it changes, and all that it has beside that,
// which may be the rest of a webhook that was read.
type WebhookPatch struct {
	WebhookEdit
	Others jsontext.Value `json:",embed"`
}

// Webhook is what the owner of a webhook is told of it.
type Webhook struct {
	ID        store.ID  `json:"id"`
	OwnerID   store.ID  `json:"owner_id"`
	URL       string    `json:"url"`
	AllEvents bool      `json:"all_events,omitzero"`
	Active    bool      `json:"active"` // it is called
	CreatedAt time.Time `json:"created_at"`
	// Secret signs the calls. It is told once: to who creates the webhook or asks for a new secret.
	Secret string `json:"secret,omitzero"`
	// Failures is how many calls in a row have failed, since FailingSince. LastError says why the last
	// one did, and NextCallAt when it is called again.
	Failures     int       `json:"failures,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitzero"`
	NextCallAt   time.Time `json:"next_call_at,omitzero"`
	// SwitchedOffAt is when it was switched off because its calls failed too long.
	SwitchedOffAt time.Time `json:"switched_off_at,omitzero"`
}

// WebhookOf makes the body of a webhook, without a secret.
func WebhookOf(w store.Webhook) Webhook {
	return Webhook{
		ID: w.ID, OwnerID: w.OwnerID, URL: w.URL, AllEvents: w.AllEvents, Active: w.Active, CreatedAt: w.CreatedAt, Failures: w.Failures,
		FailingSince: w.FailingSince, LastError: w.LastError, NextCallAt: w.NextAt, SwitchedOffAt: w.OffSince,
	}
}

// WebhookCall is one call of a webhook.
type WebhookCall struct {
	At        time.Time `json:"at"`
	MessageID string    `json:"message_id"` // the header webhook-id
	Test      bool      `json:"test,omitzero"`
	Changes   int       `json:"changes"`         // how many it told of
	Millis    int64     `json:"ms"`              // until the answer
	Status    int       `json:"status,omitzero"` // of the answer; left out when there was none
	Error     string    `json:"error,omitzero"`  // why the call failed
	Answer    string    `json:"answer,omitzero"` // its first KiB
}

// WebhookCallOf makes the body of a call.
func WebhookCallOf(c store.WebhookCall) WebhookCall { return WebhookCall(c) }
