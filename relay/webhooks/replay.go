package webhooks

import (
	"context"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
	"github.com/eventio/eventio/pkg/store/search"
)

// rewind lowers the marks of a webhook to where its events stood at its ReplayFrom. It may be repeated.
func (d *delivery) rewind(ctx context.Context, w store.Webhook) error {
	if w.ReplayFrom.IsZero() {
		return nil
	}
	query := store.EventQuery{OrganizerID: w.OwnerID, Limit: duePage}
	if w.AllEvents {
		query.OrganizerID = store.ID{}
	}
	for e, err := range search.All(ctx, d.store, query) {
		if err != nil {
			return err
		}
		if e.Recorded <= 0 {
			continue
		}
		revision, found, err := d.firstSince(ctx, e, w.ReplayFrom)
		if err == nil && found {
			err = d.store.RewindWebhook(ctx, store.WebhookMark{WebhookID: d.id, EventID: e.ID, Told: revision - 1, Due: e.Recorded})
			delete(d.told, e.ID)
		}
		if err != nil {
			return err
		}
	}
	_, err := hooks.Edit(ctx, d.store, d.id, func(now *store.Webhook) error {
		if now.ReplayFrom.Equal(w.ReplayFrom) {
			now.ReplayFrom = time.Time{}
		}
		return nil
	})
	return err
}

// firstSince finds the first row of an event that is not before a time, by halving: times hardly ever
// fall from row to row.
func (d *delivery) firstSince(ctx context.Context, e store.Event, since time.Time) (revision int64, found bool, err error) {
	low, high := int64(1), e.Recorded+1
	for low < high {
		middle := low + (high-low)/2
		row, exists, err := d.rowFrom(ctx, e.ID, middle)
		if err != nil {
			return 0, false, err
		}
		if !exists || !row.At.Before(since) {
			if high = middle; exists {
				revision, found = row.Revision, true
			}
		} else {
			low = row.Revision + 1
		}
	}
	return revision, found, nil
}

// rowFrom reads the first row of an event at a revision or after it.
func (d *delivery) rowFrom(ctx context.Context, event store.ID, revision int64) (row store.ChangeRecord, exists bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for row, err := range d.store.EventChanges(ctx, event, revision-1, 1) {
		return row, err == nil, err
	}
	return row, false, nil
}
