package wire

import (
	"time"

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
