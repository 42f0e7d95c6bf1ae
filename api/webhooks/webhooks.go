// Package webhooks answers requests about webhooks. Package relay/webhooks calls them.
package webhooks

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
)

// Handlers answers requests about webhooks.
type Handlers struct{ *serve.Core }

// New makes the handlers over what all share.
func New(core *serve.Core) *Handlers { return &Handlers{core} }

const (
	// maxWebhooks is how many webhooks a person may have at once.
	maxWebhooks = 20
	// secretBytes is the size of a secret: the specification recommends 24 to 64 bytes.
	secretBytes = 32
	// secretOverlap is how long a secret that was replaced goes on signing, beside the new one.
	secretOverlap = 24 * time.Hour
	// maxSecrets bounds how many secrets sign a call.
	maxSecrets = 3
	// secretPrefix is that of the Standard Webhooks specification.
	secretPrefix = "whsec_"
)

func newSecret() (key []byte, text string) {
	key = make([]byte, secretBytes)
	_, _ = rand.Read(key) // it never fails
	return key, secretText(key)
}

func secretText(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }

// Create stores a new webhook, and tells its secret.
func (a *Handlers) Create(w http.ResponseWriter, r *serve.Request) error {
	var body wire.NewWebhook
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	owner := serve.ActingFor(r.Caller, &f, "owner_id", body.OwnerID)
	a.checkURL(&f, body.URL)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.Caller.Require(owner, "You can only create webhooks of your own: leave owner_id out."); err != nil {
		return err
	}
	if body.AllEvents && !slices.Contains(a.Config.Webhooks.Operators, owner) {
		return problem.Newf(problem.Forbidden, "Only operators may be told of everybody's events: leave all_events out.")
	}
	have, err := a.Store.WebhooksOf(r.Context(), []store.ID{owner}, false)
	if err != nil {
		return err
	}
	if len(have) >= maxWebhooks {
		return problem.Newf(problem.Forbidden, "A person may have %d webhooks; delete one first.", maxWebhooks)
	}
	if err := a.UseWebhook(r.Context(), r, owner); err != nil {
		return err
	}
	key, secret := newSecret()
	hook := store.Webhook{
		ID: store.NewID(), OwnerID: owner, AllEvents: body.AllEvents, Active: true, Version: 1, URL: body.URL,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Secrets: []store.WebhookSecret{{Key: key}},
	}
	if err := a.Store.CreateWebhook(r.Context(), hook); err != nil {
		return serve.UnlessStored(err)
	}
	a.tellWebhook(r, hook, "created")
	answer := wire.WebhookOf(hook)
	answer.Secret = secret
	serve.NoStore(w)
	return serve.WriteCreated(w, serve.WebhookPath(hook.ID), false, answer)
}

func (a *Handlers) checkURL(f *input.Fields, url string) {
	if a.Config.Webhooks.CheckURL == nil {
		f.Add("url", "is not taken here: this service calls no webhooks")
		return
	}
	f.Check("url", a.Config.Webhooks.CheckURL(url))
}

func (a *Handlers) tellWebhook(r *serve.Request, hook store.Webhook, what string) {
	a.Tell(r, security.WebhookChanged, messages.ActorPerson, security.About{User: hook.OwnerID, Reason: what})
}

// List answers with the webhooks of a person.
func (a *Handlers) List(w http.ResponseWriter, r *serve.Request) error {
	var f input.Fields
	var sent *string
	if text := input.Query(r.URL).Get("owner_id"); text != "" {
		sent = &text
	}
	owner := serve.ActingFor(r.Caller, &f, "owner_id", sent)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.Caller.Require(owner, "You can only list webhooks of your own: leave owner_id out."); err != nil {
		return err
	}
	hooks, err := a.Store.WebhooksOf(r.Context(), []store.ID{owner}, false)
	if err != nil {
		return err
	}
	return serve.WriteOwn(w, hooks, wire.WebhookOf)
}

// ownWebhook reads the webhook of the path, if the caller is its owner.
func (a *Handlers) ownWebhook(r *serve.Request) (store.Webhook, error) {
	id, err := store.ParseID(r.URLParam("webhook_id"))
	if err != nil {
		return store.Webhook{}, problem.InvalidField("webhook_id", "must be an id of 24 hexadecimal digits")
	}
	hook, err := a.Store.Webhook(r.Context(), id)
	if err != nil {
		return hook, err
	}
	return hook, r.Caller.Require(hook.OwnerID, "Only its owner may see or change a webhook.")
}

// Read answers with one webhook.
func (a *Handlers) Read(w http.ResponseWriter, r *serve.Request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, wire.WebhookOf(hook))
}

// Edit changes a webhook. A new URL, and switching it on, begin anew with it: what failed before
// does not count. The patch may be a whole webhook as it was read, also as it was made, with its secret.
func (a *Handlers) Edit(w http.ResponseWriter, r *serve.Request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	var body wire.WebhookPatch
	if err := input.Decode(r.Sent, &body); err != nil {
		return err
	}
	var f input.Fields
	if err := input.ReadOnly(&f, body.Others, told(hook), "failures", "failing_since", "last_error", "next_call_at", "switched_off_at"); err != nil {
		return err
	}
	if body.URL.Sent && body.URL.Value != hook.URL {
		a.checkURL(&f, body.URL.Value)
	}
	if err := f.Err(); err != nil {
		return err
	}
	hook, err = hooks.Edit(r.Context(), a.Store, hook.ID, func(hook *store.Webhook) error {
		anew := false
		if body.URL.Sent && body.URL.Value != hook.URL {
			hook.URL, anew = body.URL.Value, true
		}
		if body.Active.Sent && body.Active.Value != hook.Active {
			hook.Active, anew = body.Active.Value, true
		}
		if anew {
			hook.NextAt, hook.Failures, hook.FailingSince, hook.LastError, hook.OffSince = time.Time{}, 0, time.Time{}, "", time.Time{}
		}
		return nil
	})
	if err != nil {
		return serve.UnlessStored(err)
	}
	a.tellWebhook(r, hook, "edited")
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, wire.WebhookOf(hook))
}

// told returns what an owner has been told of a webhook: the secret, too, when it was made or renewed.
func told(hook store.Webhook) wire.Webhook {
	w := wire.WebhookOf(hook)
	if len(hook.Secrets) > 0 {
		w.Secret = secretText(hook.Secrets[0].Key)
	}
	return w
}

// Delete removes a webhook, and what waits for it.
func (a *Handlers) Delete(w http.ResponseWriter, r *serve.Request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	if err := hooks.Remove(r.Context(), a.Store, hook.ID); err != nil {
		return serve.UnlessStored(err)
	}
	a.tellWebhook(r, hook, "deleted")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// RenewSecret gives a webhook a new secret, and tells it. The one before goes on signing for a while.
func (a *Handlers) RenewSecret(w http.ResponseWriter, r *serve.Request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	key, secret := newSecret()
	now := time.Now().UTC().Truncate(time.Millisecond)
	hook, err = hooks.Edit(r.Context(), a.Store, hook.ID, func(hook *store.Webhook) error {
		hook.Secrets = slices.DeleteFunc(hook.Secrets, func(s store.WebhookSecret) bool { return !s.EndsAt.IsZero() && s.EndsAt.Before(now) })
		for i := range hook.Secrets {
			if hook.Secrets[i].EndsAt.IsZero() {
				hook.Secrets[i].EndsAt = now.Add(secretOverlap)
			}
		}
		hook.Secrets = slices.Insert(hook.Secrets, 0, store.WebhookSecret{Key: key})
		hook.Secrets = hook.Secrets[:min(len(hook.Secrets), maxSecrets)]
		return nil
	})
	if err != nil {
		return serve.UnlessStored(err)
	}
	a.tellWebhook(r, hook, "secret")
	answer := wire.WebhookOf(hook)
	answer.Secret = secret
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, answer)
}

// ListCalls answers with the last calls of a webhook.
func (a *Handlers) ListCalls(w http.ResponseWriter, r *serve.Request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	calls, err := a.Store.WebhookCalls(r.Context(), hook.ID)
	if err != nil {
		return err
	}
	return serve.WriteOwn(w, calls, wire.WebhookCallOf)
}

// Test asks for a test call, which a notifier makes.
func (a *Handlers) Test(w http.ResponseWriter, r *serve.Request) error {
	return a.askWebhook(w, r, store.TestMark(), func(hook *store.Webhook) { hook.NextAt = time.Time{} })
}

// Replay asks to tell a webhook again what changed since a time.
func (a *Handlers) Replay(w http.ResponseWriter, r *serve.Request) error {
	var f input.Fields
	since := f.QueryInstant("since", input.Query(r.URL).Get("since"))
	if f.OK() && since.After(time.Now()) {
		f.Add("since", "must not be in the future")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return a.askWebhook(w, r, store.ReplayMark(), func(hook *store.Webhook) {
		if hook.ReplayFrom.IsZero() || since.Before(hook.ReplayFrom) { // two that meet become one
			hook.ReplayFrom = since
		}
	})
}

func (a *Handlers) askWebhook(w http.ResponseWriter, r *serve.Request, what store.ID, edit func(*store.Webhook)) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	if !hook.Active {
		return problem.Newf(problem.WebhookOff, "Switch the webhook on first: PATCH {\"active\":true}.")
	}
	hook, err = hooks.Ask(r.Context(), a.Store, hook.ID, what, func(hook *store.Webhook) error { edit(hook); return nil })
	if err != nil {
		return serve.UnlessStored(err)
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusAccepted, wire.WebhookOf(hook))
}
