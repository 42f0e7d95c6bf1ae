// Package hooks changes webhooks, by what a store.Webhooks can do.
package hooks

import (
	"bytes"
	"context"
	"slices"

	"github.com/eventio/eventio/pkg/store"
)

// Edit reads a webhook, changes it and stores it, again until nobody else has changed it in
// between. It returns the webhook as stored, or the error of edit. Errors: store.ErrWebhookNotFound.
func Edit(ctx context.Context, s store.Webhooks, id store.ID, edit func(*store.Webhook) error) (store.Webhook, error) {
	for {
		w, err := s.Webhook(ctx, id)
		if err != nil {
			return w, err
		}
		w.Secrets = slices.Clone(w.Secrets)
		if err := edit(&w); err != nil {
			return w, err
		}
		if done, err := s.ReplaceWebhook(ctx, w); done || err != nil {
			w.Version++
			return w, err
		}
	}
}

// Ask edits a webhook, and then has whoever calls webhooks make a test call, or begin a replay:
// event is store.TestMark or store.ReplayMark. It returns the webhook as stored. The Due of the mark is its version, so
// who does what was asked passes the mark no further than that, and what is asked meanwhile stays due.
// Errors: store.ErrWebhookNotFound, or that of edit.
func Ask(ctx context.Context, s store.Webhooks, webhook, event store.ID, edit func(*store.Webhook) error) (store.Webhook, error) {
	w, err := Edit(ctx, s, webhook, edit)
	if err == nil {
		err = s.RewindWebhook(ctx, store.WebhookMark{WebhookID: webhook, EventID: event, Told: 0, Due: w.Version})
	}
	return w, err
}

// Remove forgets a webhook and its lease.
func Remove(ctx context.Context, s interface {
	store.Webhooks
	store.Consumers
}, id store.ID) error {
	if err := s.DeleteWebhook(ctx, id); err != nil {
		return err
	}
	return s.RemoveConsumer(ctx, store.WebhookConsumer(id))
}

// OnceByID sorts webhooks by id, and leaves each of them once.
func OnceByID(all []store.Webhook) []store.Webhook {
	slices.SortFunc(all, func(a, b store.Webhook) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(all, func(a, b store.Webhook) bool { return a.ID == b.ID })
}
