package describe

import (
	"net/http"
	"reflect"
	"time"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

// MaxWebhookURL is the longest URL of a webhook, in characters.
const MaxWebhookURL = 2000

// CreateWebhook documents POST /api/webhooks.
func CreateWebhook() Operation {
	body := exampleWebhook()
	body.Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	return Operation{
		ID: "createWebhook", Tag: "webhooks", Summary: "Create a webhook",
		Description: "The URL is called with every change of one's own events from now on, by the Standard Webhooks specification: see webhooks in this document. " +
			"The secret, which signs the calls, is in this answer and never told again. all_events asks to be told of everybody's events, which only operators may.",
		Body:    wire.NewWebhook{},
		Example: wire.NewWebhook{URL: body.URL},
		Answers: []Answer{{Status: http.StatusCreated, Description: "The new webhook.", Body: wire.Webhook{}, Headers: []string{"Location"}, Example: body,
			Links: map[string]openapi.Link{"read": {OperationID: "readWebhook", Parameters: map[string]string{"path.webhook_id": "$response.body#/id"}}}}},
		Problems: []problem.Code{problem.QuotaExceeded, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// ListWebhooks documents GET /api/webhooks.
func ListWebhooks() Operation {
	return Operation{
		ID: "listWebhooks", Tag: "webhooks", Summary: "List one's webhooks",
		Description: "All of them, without their secrets.",
		Parameters: []openapi.Parameter{{Name: "owner_id", In: "query", Schema: openapi.Ref("ID"),
			Description: "Whose. With a token it may be left out and is the token's user; without one, in trusted mode, it is required."}},
		Answers:  []Answer{{Status: http.StatusOK, Description: "The webhooks.", Body: []wire.Webhook{}, Example: []wire.Webhook{exampleWebhook()}}},
		Problems: []problem.Code{problem.Overloaded},
	}
}

// ReadWebhook documents GET /api/webhooks/{webhook_id}.
func ReadWebhook() Operation {
	return webhookOperation(Operation{
		ID: "readWebhook", Summary: "Read a webhook", Description: "By its owner: also whether its calls fail, why, and when it is called again.",
	})
}

// EditWebhook documents PATCH /api/webhooks/{webhook_id}.
func EditWebhook() Operation {
	o := webhookOperation(Operation{
		ID: "editWebhook", Summary: "Change a webhook",
		Description: "A JSON Merge Patch (RFC 7396): what is left out stays. While active is false it is not called; when it is true again, it is told what happened meanwhile. " +
			"The patch may be the whole webhook as it was read: read-only fields are refused when they differ, but for those that tell of failures.",
		Body: wire.WebhookEdit{}, Media: []string{"application/merge-patch+json"}, Example: wire.WebhookEdit{Active: wire.Set(true)},
	})
	o.Problems = append(o.Problems, problem.StorageFull, problem.UnknownOutcome)
	return o
}

// DeleteWebhook documents DELETE /api/webhooks/{webhook_id}.
func DeleteWebhook() Operation {
	return Operation{
		ID: "deleteWebhook", Tag: "webhooks", Summary: "Delete a webhook", Description: "A call that is under way ends.",
		Answers:  []Answer{{Status: http.StatusNoContent, Description: "It is not called any more."}},
		Problems: []problem.Code{problem.WebhookNotFound, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// RenewSecret documents POST /api/webhooks/{webhook_id}/secret.
func RenewSecret() Operation {
	o := webhookOperation(Operation{
		ID: "renewWebhookSecret", Summary: "Give a webhook a new secret",
		Description: "The answer has it, and it is never told again. For 24 hours calls are signed with the one before, too. At most three secrets sign: a third new one within 24 hours ends the oldest at once.",
	})
	o.Problems = append(o.Problems, problem.StorageFull, problem.UnknownOutcome)
	return o
}

// WebhookCalls documents GET /api/webhooks/{webhook_id}/calls.
func WebhookCalls() Operation {
	at := exampleUser().CreatedAt
	return Operation{
		ID: "listWebhookCalls", Tag: "webhooks", Summary: "List the last calls of a webhook",
		Description: "The last 20, the newest first: what was answered, how fast, and the first KiB of it.",
		Answers: []Answer{{Status: http.StatusOK, Description: "The calls.", Body: []wire.WebhookCall{},
			Example: []wire.WebhookCall{{At: at, MessageID: "msg_6b056f1db8a8b20890367b25", Changes: 1, Millis: 83, Status: http.StatusNoContent}}}},
		Problems: []problem.Code{problem.WebhookNotFound, problem.Overloaded},
	}
}

// TestWebhook documents POST /api/webhooks/{webhook_id}/test.
func TestWebhook() Operation {
	return asked(Operation{
		ID: "testWebhook", Summary: "Have a webhook called",
		Description: "A call of the type test, which tells of no change, is made at once; the list of calls shows what came of it.",
	})
}

// ReplayWebhook documents POST /api/webhooks/{webhook_id}/replay.
func ReplayWebhook() Operation {
	return asked(Operation{
		ID: "replayWebhook", Summary: "Tell a webhook again",
		Description: "Everything that changed since a time is told again, under the same ids, as far as the record of changes is kept.",
		Parameters: []openapi.Parameter{{Name: "since", In: "query", Required: true, Description: "RFC 3339, with any offset; not in the future.",
			Schema: &openapi.Schema{Type: "string", Format: "date-time"}}},
	})
}

// webhookOperation completes an operation that answers with a webhook.
func webhookOperation(o Operation) Operation {
	o.Tag = "webhooks"
	o.Answers = []Answer{{Status: http.StatusOK, Description: "The webhook.", Body: wire.Webhook{}, Example: exampleWebhook()}}
	o.Problems = []problem.Code{problem.WebhookNotFound, problem.Overloaded}
	return o
}

// asked completes an operation that a notifier carries out.
func asked(o Operation) Operation {
	o = webhookOperation(o)
	o.Answers[0].Status, o.Answers[0].Description = http.StatusAccepted, "It is going to be done."
	o.Problems = append(o.Problems, problem.WebhookOff, problem.StorageFull, problem.UnknownOutcome)
	return o
}

func exampleWebhook() wire.Webhook {
	u := exampleUser()
	return wire.Webhook{ID: u.ID, OwnerID: u.ID, URL: "https://example.org/eventio", Active: true, CreatedAt: u.CreatedAt}
}

// callbacks documents what webhooks are sent.
func callbacks(schemas *openapi.Schemas) map[string]*openapi.PathItem {
	header := func(name, description string) openapi.Parameter {
		return openapi.Parameter{Name: name, In: "header", Required: true, Description: description, Schema: &openapi.Schema{Type: "string"}}
	}
	message := wire.WebhookMessage{Type: wire.WebhookChanges, Timestamp: exampleUser().CreatedAt.Add(time.Second), Data: wire.WebhookData{
		WebhookID: exampleUser().ID, Changes: []wire.Change{exampleChange()},
	}}
	return map[string]*openapi.PathItem{"changes": {Post: &openapi.Operation{
		OperationID: "webhookCall", Tags: []string{"webhooks"}, Summary: "A call of a webhook",
		Description: "By the Standard Webhooks specification (standardwebhooks.com). Every change comes at least once, and those of an event in order; " +
			"its id stays the same, so that a receiver can leave out what it has had. At most 100 changes a call. " +
			"Any status from 200 to 299 within 15 s is a success; no redirect is followed. After a failure the same changes come again, with what happened meanwhile behind them, " +
			"after a pause that grows from seconds to two hours, or that of Retry-After. After three days of failures, or the status 410, the webhook is switched off.",
		Parameters: []openapi.Parameter{
			header("webhook-id", "Made of the changes that are told: a repetition has the same exactly when it tells the same changes and no others. Leave out what comes again by the id of each change."),
			header("webhook-timestamp", "When the call was made, in seconds since 1970."),
			header("webhook-signature", "v1, and the HMAC-SHA256 of webhook-id, webhook-timestamp and the body with dots between, in base64; one for each secret, with blanks between."),
		},
		RequestBody: &openapi.RequestBody{Required: true, Content: map[string]openapi.MediaType{
			"application/json": {Schema: schemas.Of(reflect.TypeFor[wire.WebhookMessage]()), Example: message},
		}},
		Responses: map[string]*openapi.Response{"2XX": {Description: "The receiver has what it was told."}, "410": {Description: "The webhook is not to be called any more."}},
	}}}
}
