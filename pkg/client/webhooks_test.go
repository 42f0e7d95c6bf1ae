package client_test

import (
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
)

// TestWebhooks: the life of one, by its owner, and by nobody else.
func TestWebhooks(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada, eve := signUp(t, nobody, "ada"), signUp(t, nobody, "eve")
	made := must[client.Webhook](t)(ada.CreateWebhook(ctx, client.NewWebhook{URL: "https://example.org/hook", OwnerID: ada.ID}))
	if !strings.HasPrefix(made.Secret, "whsec_") || !made.Active || made.OwnerID != ada.ID {
		t.Errorf("made is %+v", made)
	}
	_, err := eve.Webhook(ctx, made.ID)
	wants(t, err, client.CodeForbidden)
	_, err = ada.CreateWebhook(ctx, client.NewWebhook{URL: "https://example.org/hook", AllEvents: true})
	wants(t, err, client.CodeForbidden)
	if list := must[[]client.Webhook](t)(ada.Webhooks(ctx, client.ID{})); len(list) != 1 || list[0].ID != made.ID || list[0].Secret != "" {
		t.Errorf("the list is %+v", list)
	}
	off, url := false, "https://example.org/other"
	if w := must[client.Webhook](t)(ada.EditWebhook(ctx, made.ID, client.WebhookEdit{Active: &off, URL: &url})); w.Active || w.URL != url {
		t.Errorf("edited it is %+v", w)
	}
	wants(t, ada.TestWebhook(ctx, made.ID), client.CodeWebhookOff)
	on := true
	if w := must[client.Webhook](t)(ada.EditWebhook(ctx, made.ID, client.WebhookEdit{Active: &on})); !w.Active || w.URL != url {
		t.Errorf("edited again it is %+v", w)
	}
	if err := ada.TestWebhook(ctx, made.ID); err != nil {
		t.Error(err)
	}
	if err := ada.ReplayWebhook(ctx, made.ID, time.Now().Add(-time.Hour)); err != nil {
		t.Error(err)
	}
	wants(t, ada.ReplayWebhook(ctx, made.ID, time.Now().Add(time.Hour)), client.CodeInvalid)
	if w := must[client.Webhook](t)(ada.RenewWebhookSecret(ctx, made.ID)); w.Secret == made.Secret || !strings.HasPrefix(w.Secret, "whsec_") {
		t.Errorf("the new secret is %+v", w)
	}
	if calls := must[[]client.WebhookCall](t)(ada.WebhookCalls(ctx, made.ID)); len(calls) != 0 {
		t.Errorf("nobody has called it: %+v", calls)
	}
	if err := ada.DeleteWebhook(ctx, made.ID); err != nil {
		t.Error(err)
	}
	_, err = ada.Webhook(ctx, made.ID)
	wants(t, err, client.CodeWebhookNotFound)
}
