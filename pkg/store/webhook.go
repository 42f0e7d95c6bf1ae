package store

import (
	"context"
	"errors"
	"time"
)

// ErrWebhookNotFound means that no webhook has the id.
var ErrWebhookNotFound = errors.New("webhook not found")

// Webhook is an address that is told of changes. The fields with a name in JSON are stored packed.
type Webhook struct {
	ID      ID `json:"-"`
	OwnerID ID `json:"-"`
	// AllEvents says that it is told of all events, and not only of those that the owner organizes.
	AllEvents bool `json:"-"`
	// Active says that it is called. What happens while it is not is called about when it is again.
	Active bool `json:"-"`
	// NextAt is when it may be called, after a call that failed.
	NextAt time.Time `json:"-"`
	// Version grows with each change; ReplaceWebhook compares it.
	Version int64 `json:"-"`

	URL       string    `json:"url"`
	CreatedAt time.Time `json:"created_at"`
	// Secrets sign each call, the newest first: several while one is exchanged for another.
	Secrets []WebhookSecret `json:"secrets"`
	// Failures is how many calls in a row have failed, since FailingSince.
	Failures     int       `json:"failures,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	// LastError says why the last call failed; "": it did not.
	LastError string `json:"last_error,omitzero"`
	// OffSince says when it was switched off because its calls failed too long; zero: it was not.
	OffSince time.Time `json:"off_since,omitzero"`
	// ReplayFrom asks to tell again what changed since a time; zero: nothing is asked. See ReplayMark.
	ReplayFrom time.Time `json:"replay_from,omitzero"`
}

// WebhookConsumer returns the name of the consumer whose lease has who calls a webhook.
func WebhookConsumer(id ID) string { return "webhook " + id.Hex() }

// TestMark returns the EventID of the mark that asks for a test call. See hooks.Ask.
func TestMark() ID { return ID{11: 1} }

// ReplayMark returns the EventID of the mark that asks to tell again what changed since ReplayFrom.
func ReplayMark() ID { return ID{11: 2} }

// WebhookSecret is a key that signs calls.
type WebhookSecret struct {
	Key []byte `json:"key"`
	// EndsAt is when it does not sign any more; zero: it has no end.
	EndsAt time.Time `json:"ends_at,omitzero"`
}

// WebhookCall is one call of a webhook, for its owner to look at.
type WebhookCall struct {
	At        time.Time `json:"at"`
	MessageID string    `json:"message_id"`
	Test      bool      `json:"test,omitzero"`
	Changes   int       `json:"changes"` // how many it told of
	Millis    int64     `json:"ms"`
	Status    int       `json:"status,omitzero"` // of HTTP; 0: there was no answer
	Error     string    `json:"error,omitzero"`  // why there was no answer
	Answer    string    `json:"answer,omitzero"` // its beginning
}

// WebhookMark is how much of an event a webhook was told: the rows of the record up to the revision
// Told, and those up to Due are to be told.
type WebhookMark struct {
	WebhookID, EventID ID
	Told, Due          int64
}

// KeptCalls is how many calls of a webhook are remembered.
const KeptCalls = 20

// Webhooks keeps webhooks, and how much each of them was told. Errors of every method, beside those that
// it names: ErrUnavailable, ErrStorageFull, and ErrNothingStored for a fault that does not pass.
type Webhooks interface {
	// CreateWebhook stores a webhook. It may be repeated.
	CreateWebhook(ctx context.Context, w Webhook) error
	// Webhook reads a webhook. Errors: ErrWebhookNotFound.
	Webhook(ctx context.Context, id ID) (Webhook, error)
	// WebhooksOf reads the webhooks of the owners, by id, and with allEvents also everybody's that have
	// AllEvents. Those of an owner with AllEvents come once.
	WebhooksOf(ctx context.Context, owners []ID, allEvents bool) ([]Webhook, error)
	// ReplaceWebhook stores a webhook with the next Version if the stored one has the Version of w, and
	// reports whether it has.
	ReplaceWebhook(ctx context.Context, w Webhook) (bool, error)
	// DeleteWebhook forgets a webhook and what it was told. One that does not exist is no error.
	DeleteWebhook(ctx context.Context, id ID) error
	// MarkWebhooks raises the Due of each mark to what it is here. A mark that is new has the Told that
	// it has here; one that exists keeps its own.
	MarkWebhooks(ctx context.Context, marks []WebhookMark) error
	// RewindWebhook lowers the Told of a mark to what it is here, and raises its Due.
	RewindWebhook(ctx context.Context, mark WebhookMark) error
	// DueWebhooks reads which webhooks are active, may be called at the time now, and have a mark whose
	// Told is below its Due: those with an id above after, by id, at most limit.
	DueWebhooks(ctx context.Context, now time.Time, after ID, limit int) ([]ID, error)
	// DueMarks reads the marks of a webhook whose Told is below their Due: those of events with an id
	// above after, by event, at most limit.
	DueMarks(ctx context.Context, webhook, after ID, limit int) ([]WebhookMark, error)
	// ToldWebhook sets the Told of a mark to a revision if it is that of mark, and does nothing else.
	ToldWebhook(ctx context.Context, mark WebhookMark, told int64) error
	// KeepWebhookCall remembers a call, in place of the oldest of KeptCalls.
	KeepWebhookCall(ctx context.Context, webhook ID, call WebhookCall) error
	// WebhookCalls reads the calls that are remembered, the newest first.
	WebhookCalls(ctx context.Context, webhook ID) ([]WebhookCall, error)
}
