package api

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Webhooks has the settings of webhooks. The zero value takes no URL.
type Webhooks struct {
	// CheckURL returns why a URL is not taken, for the client, or nil.
	CheckURL func(url string) error
	// Operators are the users who may be told of everybody's events.
	Operators []store.ID
}

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
	return key, secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// createWebhook stores a new webhook, and tells its secret.
func (a *API) createWebhook(w http.ResponseWriter, r *request) error {
	var body wire.NewWebhook
	if err := r.decode(&body); err != nil {
		return err
	}
	var f input.Fields
	owner := actingFor(r.caller, &f, "owner_id", body.OwnerID)
	a.checkURL(&f, body.URL)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.Require(owner, "You can only create webhooks of your own: leave owner_id out."); err != nil {
		return err
	}
	if body.AllEvents && !slices.Contains(a.config.Webhooks.Operators, owner) {
		return problem.Newf(problem.Forbidden, "Only operators may be told of everybody's events: leave all_events out.")
	}
	have, err := a.store.WebhooksOf(r.Context(), []store.ID{owner}, false)
	if err != nil {
		return err
	}
	if len(have) >= maxWebhooks {
		return problem.Newf(problem.Forbidden, "A person may have %d webhooks; delete one first.", maxWebhooks)
	}
	if err := a.use(r.Context(), r, "person "+owner.Hex(), quota(quotaWebhooks, 1, a.config.Quotas.Webhooks, DefaultWebhooks)); err != nil {
		return err
	}
	key, secret := newSecret()
	hook := store.Webhook{
		ID: store.NewID(), OwnerID: owner, AllEvents: body.AllEvents, Active: true, Version: 1, URL: body.URL,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Secrets: []store.WebhookSecret{{Key: key}},
	}
	if err := a.store.CreateWebhook(r.Context(), hook); err != nil {
		return unlessStored(err)
	}
	a.tellWebhook(r, hook, "created")
	answer := wire.WebhookOf(hook)
	answer.Secret = secret
	noStore(w)
	return writeCreated(w, webhookPath(hook.ID), false, answer)
}

func (a *API) checkURL(f *input.Fields, url string) {
	if a.config.Webhooks.CheckURL == nil {
		f.Add("url", "is not taken here: this service calls no webhooks")
		return
	}
	f.Check("url", a.config.Webhooks.CheckURL(url))
}

func (a *API) tellWebhook(r *request, hook store.Webhook, what string) {
	a.tell(r, security.WebhookChanged, messages.ActorPerson, security.About{User: hook.OwnerID, Reason: what})
}

// listWebhooks answers with the webhooks of a person.
func (a *API) listWebhooks(w http.ResponseWriter, r *request) error {
	var f input.Fields
	var sent *string
	if text := input.Query(r.URL).Get("owner_id"); text != "" {
		sent = &text
	}
	owner := actingFor(r.caller, &f, "owner_id", sent)
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.Require(owner, "You can only list webhooks of your own: leave owner_id out."); err != nil {
		return err
	}
	hooks, err := a.store.WebhooksOf(r.Context(), []store.ID{owner}, false)
	if err != nil {
		return err
	}
	list := make([]wire.Webhook, len(hooks))
	for i, hook := range hooks {
		list[i] = wire.WebhookOf(hook)
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, list)
}

// ownWebhook reads the webhook of the path, if the caller is its owner.
func (a *API) ownWebhook(r *request) (store.Webhook, error) {
	id, err := store.ParseID(r.urlParam("webhook_id"))
	if err != nil {
		return store.Webhook{}, problem.InvalidField("webhook_id", "must be an id of 24 hexadecimal digits")
	}
	hook, err := a.store.Webhook(r.Context(), id)
	if err != nil {
		return hook, err
	}
	return hook, r.caller.Require(hook.OwnerID, "Only its owner may see or change a webhook.")
}

func (a *API) readWebhook(w http.ResponseWriter, r *request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, wire.WebhookOf(hook))
}

// editWebhook changes a webhook. A new URL, and switching it on, begin anew with it: what failed before
// does not count.
func (a *API) editWebhook(w http.ResponseWriter, r *request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	var body wire.WebhookEdit
	if err := r.decode(&body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	var f input.Fields
	if body.URL.Sent {
		a.checkURL(&f, body.URL.Value)
	}
	if err := f.Err(); err != nil {
		return err
	}
	hook, err = store.EditWebhook(r.Context(), a.store, hook.ID, func(hook *store.Webhook) error {
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
		return unlessStored(err)
	}
	a.tellWebhook(r, hook, "edited")
	noStore(w)
	return writeJSON(w, http.StatusOK, wire.WebhookOf(hook))
}

func (a *API) deleteWebhook(w http.ResponseWriter, r *request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	if err := store.RemoveWebhook(r.Context(), a.store, hook.ID); err != nil {
		return unlessStored(err)
	}
	a.tellWebhook(r, hook, "deleted")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// renewSecret gives a webhook a new secret, and tells it. The one before goes on signing for a while.
func (a *API) renewSecret(w http.ResponseWriter, r *request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	key, secret := newSecret()
	now := time.Now().UTC().Truncate(time.Millisecond)
	hook, err = store.EditWebhook(r.Context(), a.store, hook.ID, func(hook *store.Webhook) error {
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
		return unlessStored(err)
	}
	a.tellWebhook(r, hook, "secret")
	answer := wire.WebhookOf(hook)
	answer.Secret = secret
	noStore(w)
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) listWebhookCalls(w http.ResponseWriter, r *request) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	calls, err := a.store.WebhookCalls(r.Context(), hook.ID)
	if err != nil {
		return err
	}
	list := make([]wire.WebhookCall, len(calls))
	for i, c := range calls {
		list[i] = wire.WebhookCallOf(c)
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, list)
}

// testWebhook asks for a test call, which a notifier makes.
func (a *API) testWebhook(w http.ResponseWriter, r *request) error {
	return a.askWebhook(w, r, store.TestMark(), func(hook *store.Webhook) { hook.NextAt = time.Time{} })
}

// replayWebhook asks to tell a webhook again what changed since a time.
func (a *API) replayWebhook(w http.ResponseWriter, r *request) error {
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

func (a *API) askWebhook(w http.ResponseWriter, r *request, what store.ID, edit func(*store.Webhook)) error {
	hook, err := a.ownWebhook(r)
	if err != nil {
		return err
	}
	if !hook.Active {
		return problem.Newf(problem.WebhookOff, "Switch the webhook on first: PATCH {\"active\":true}.")
	}
	hook, err = store.EditWebhook(r.Context(), a.store, hook.ID, func(hook *store.Webhook) error { edit(hook); return nil })
	if err == nil {
		err = store.AskWebhook(r.Context(), a.store, hook.ID, what)
	}
	if err != nil {
		return unlessStored(err)
	}
	noStore(w)
	return writeJSON(w, http.StatusAccepted, wire.WebhookOf(hook))
}

const pathWebhooks = "/api/webhooks"

func webhookPath(id store.ID) string { return pathWebhooks + "/" + id.Hex() }
