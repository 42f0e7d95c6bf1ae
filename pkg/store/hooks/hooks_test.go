package hooks_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
)

// keeper keeps one webhook, and what was asked of it.
type keeper struct {
	store.Webhooks
	store.Consumers
	webhook          store.Webhook
	lost             int // how many replacements somebody else is quicker in
	readErr, replErr error
	deleteErr        error
	removed          string // the consumer
	mark             store.WebhookMark
}

func (h *keeper) Webhook(context.Context, store.ID) (store.Webhook, error) {
	return h.webhook, h.readErr
}

func (h *keeper) ReplaceWebhook(_ context.Context, w store.Webhook) (bool, error) {
	if h.replErr != nil {
		return false, h.replErr
	}
	if h.lost > 0 {
		h.lost--
		h.webhook.Version++
		h.webhook.Failures++
		return false, nil
	}
	if w.Version != h.webhook.Version {
		return false, nil
	}
	w.Version++
	h.webhook = w
	return true, nil
}

func (h *keeper) DeleteWebhook(context.Context, store.ID) error { return h.deleteErr }

func (h *keeper) RemoveConsumer(_ context.Context, name string) error {
	h.removed = name
	return nil
}

func (h *keeper) RewindWebhook(_ context.Context, m store.WebhookMark) error {
	h.mark = m
	return nil
}

// TestAnEditOfAWebhookLosesNothing checks that an edit is made again on what somebody else has stored in
// between, that an error stores nothing, and that the caller gets what is stored.
func TestAnEditOfAWebhookLosesNothing(t *testing.T) {
	secret := store.WebhookSecret{Key: []byte("old")}
	h := &keeper{webhook: store.Webhook{Version: 4, Secrets: []store.WebhookSecret{secret}}, lost: 2}
	before := h.webhook.Secrets
	edits := 0
	got, err := hooks.Edit(t.Context(), h, store.ID{1}, func(w *store.Webhook) error {
		edits++
		w.Secrets[0].Key = []byte("new")
		return nil
	})
	if err != nil || edits != 3 || got.Failures != 2 || got.Version != 7 || h.webhook.Version != 7 || string(h.webhook.Secrets[0].Key) != "new" {
		t.Errorf("%d edits make %+v, stored is %+v; %v", edits, got, h.webhook, err)
	}
	if string(before[0].Key) != "old" {
		t.Error("an edit writes into what was read")
	}
	refuse := errors.New("refused")
	for name, h := range map[string]*keeper{
		"the edit refuses":     {},
		"it cannot be read":    {readErr: refuse},
		"it cannot be written": {replErr: refuse},
	} {
		edited := false
		_, err := hooks.Edit(t.Context(), h, store.ID{1}, func(w *store.Webhook) error {
			edited = true
			w.Failures = 9
			if h.replErr == nil {
				return refuse
			}
			return nil
		})
		if !errors.Is(err, refuse) || h.webhook.Failures != 0 || edited == (h.readErr != nil) {
			t.Errorf("%s: %v, edited: %v, stored: %+v", name, err, edited, h.webhook)
		}
	}
}

func TestAWebhookIsRemovedWithItsLease(t *testing.T) {
	id := store.ID{1}
	h := &keeper{}
	if err := hooks.Remove(t.Context(), h, id); err != nil || h.removed != store.WebhookConsumer(id) {
		t.Errorf("the consumer %q is removed, %v", h.removed, err)
	}
	h = &keeper{deleteErr: store.ErrUnavailable}
	if err := hooks.Remove(t.Context(), h, id); !errors.Is(err, store.ErrUnavailable) || h.removed != "" {
		t.Errorf("a webhook that stays loses its lease %q, %v", h.removed, err)
	}
	h.webhook.Version = 6
	w, err := hooks.Ask(t.Context(), h, id, store.TestMark(), func(w *store.Webhook) error { w.Failures = 1; return nil })
	if err != nil || w.Failures != 1 || h.webhook.Failures != 1 || h.mark != (store.WebhookMark{WebhookID: id, EventID: store.TestMark(), Due: 7}) {
		t.Errorf("asking leaves %+v of %+v, %v", h.mark, h.webhook, err)
	}
	if store.TestMark() == store.ReplayMark() {
		t.Error("a test is a replay")
	}
}

func TestWebhooksOnceByID(t *testing.T) {
	var all []store.Webhook
	for _, b := range []byte{3, 1, 2, 1, 3} {
		all = append(all, store.Webhook{ID: store.ID{11: b}})
	}
	var got []byte
	for _, w := range hooks.OnceByID(all) {
		got = append(got, w.ID[11])
	}
	if !slices.Equal(got, []byte{1, 2, 3}) {
		t.Errorf("%v", got)
	}
}
