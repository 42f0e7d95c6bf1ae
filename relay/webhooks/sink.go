// Package webhooks calls webhooks, by the Standard Webhooks specification.
//
// A Sink of package relay notes for each webhook up to which revision it is to be told of an event
// (store.WebhookMark). A Caller calls those that have something to be told: it reads the rows from the
// record, and stores up to which revision they were told. So nothing is copied, a webhook that is away
// for days costs a mark for each event, and each webhook is at its own place.
//
// # Guarantees
//
// Every change is told at least once, those of an event in order, each item under an id that stays. One
// process at a time calls a webhook, by a lease; another takes over when it dies. Webhooks do not wait
// for each other.
package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// MarkStore is what a Sink asks of a store.
type MarkStore interface {
	store.Webhooks
	Event(ctx context.Context, id store.ID) (store.Event, error)
}

// Sink is a relay.Sink that notes which webhooks are to be told of what.
type Sink struct {
	store MarkStore
	wake  func()
}

// NewSink returns a sink over a store, which calls wake when there is something to tell.
func NewSink(st MarkStore, wake func()) *Sink { return &Sink{st, wake} }

// Name implements relay.Sink.
func (*Sink) Name() string { return "webhooks" }

// backdated is how much earlier than a webhook a change may be that it is told of: clocks differ.
const backdated = 10 * time.Second

// Deliver implements relay.Sink.
func (s *Sink) Deliver(ctx context.Context, rows []store.ChangeRecord) error {
	organizers := make(map[store.ID]store.ID) // of events
	owners := make(map[store.ID]bool)
	for _, r := range rows {
		if _, known := organizers[r.EventID]; known {
			continue
		}
		e, err := s.store.Event(ctx, r.EventID)
		if errors.Is(err, store.ErrEventNotFound) { // it was deleted, and so was its record
			continue
		}
		if err != nil {
			return err
		}
		organizers[r.EventID] = e.OrganizerID
		owners[e.OrganizerID] = true
	}
	ids := make([]store.ID, 0, len(owners))
	for id := range owners {
		ids = append(ids, id)
	}
	hooks, err := s.store.WebhooksOf(ctx, ids, true)
	if err != nil {
		return err
	}
	var marks []store.WebhookMark
	at := make(map[[2]store.ID]int) // where the mark of a webhook and an event is
	for _, r := range rows {
		organizer, exists := organizers[r.EventID]
		for _, w := range hooks {
			if !exists || !w.AllEvents && w.OwnerID != organizer || r.At.Before(w.CreatedAt.Add(-backdated)) {
				continue
			}
			key := [2]store.ID{w.ID, r.EventID}
			if i, known := at[key]; known {
				marks[i].Due = max(marks[i].Due, r.Revision)
				continue
			}
			at[key] = len(marks)
			marks = append(marks, store.WebhookMark{WebhookID: w.ID, EventID: r.EventID, Told: r.Revision - 1, Due: r.Revision})
		}
	}
	if len(marks) == 0 {
		return nil
	}
	if err := s.store.MarkWebhooks(ctx, marks); err != nil {
		return err
	}
	s.wake()
	return nil
}
