package mail

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/outbox"
)

// eventMailLife is how long after a change people are told of it: then they have looked by themselves. So
// nobody gets the mails of a year when mail is switched on again.
const eventMailLife = 3 * 24 * time.Hour

// switchOffLimit is longer than it takes to switch a webhook off.
const switchOffLimit = 2 * callLimit

// OfWebhook makes the mail that tells the owner of a webhook that it is switched off. It is stored before
// that is done, so that no process can die between the two and leave the owner without it: it is due a
// little later, waits while the webhook is on and fails, and goes to nobody when that has healed. The key
// is that of the failures, so that whoever switches the webhook off tells it once.
func OfWebhook(w store.Webhook) outbox.Mail {
	return outbox.Mail{
		Key:  fmt.Sprintf("%s-%s-%d", outbox.WebhookOff, w.ID.Hex(), w.FailingSince.UnixMilli()),
		Kind: outbox.WebhookOff, UserID: w.OwnerID, CreatedAt: w.OffSince, DueAt: w.OffSince.Add(switchOffLimit), ExpiresAt: w.OffSince.Add(eventMailLife),
	}
}

// chunk bounds how many mails are stored at once.
const chunk = 200

// SinkStore is what a Sink asks of a store.
type SinkStore interface {
	store.Registrations
	outbox.Outbox
}

// Sink stores a mail for each person whom a row of the record is about: it is a relay.Sink. It is safe
// for concurrent use.
type Sink struct {
	store  SinkStore
	stored func() // called when mails were stored
}

// NewSink returns a sink that stores mails in st, and calls stored then, so that they are sent at once.
func NewSink(st SinkStore, stored func()) *Sink { return &Sink{st, stored} }

// Name implements relay.Sink.
func (s *Sink) Name() string { return "mail" }

// Deliver implements relay.Sink: when it returns nil, all mails are stored. Rows that come again store
// nothing anew.
func (s *Sink) Deliver(ctx context.Context, rows []store.ChangeRecord) error {
	var mails []outbox.Mail
	flush := func() error {
		for some := range slices.Chunk(mails, chunk) {
			if err := s.store.AddMails(ctx, some); err != nil {
				return err
			}
		}
		if len(mails) > 0 {
			s.stored()
		}
		mails = mails[:0]
		return nil
	}
	for _, row := range rows {
		if time.Since(row.At) > eventMailLife {
			continue
		}
		for _, item := range changes.Items(row) {
			kind := kindOf(item)
			if kind == "" {
				continue
			}
			if !item.UserID.IsZero() {
				mails = append(mails, newMail(kind, row, item, store.NumberedUser{Number: item.Number, UserID: item.UserID}))
				continue
			}
			after, through := int64(0), row.After.LastNumber // whoever was there then
			if item.Type == changes.Promoted {
				after, through = item.Promoted.After, item.Promoted.Through
			}
			for r, err := range s.store.Roster(ctx, row.EventID, after, through, 0) {
				if err != nil {
					return fmt.Errorf("read whom change %d of event %s is about: %w", row.Revision, row.EventID.Hex(), err)
				}
				mails = append(mails, newMail(kind, row, item, store.NumberedUser{Number: r.Number, UserID: r.UserID}))
				if len(mails) >= chunk {
					if err := flush(); err != nil {
						return err
					}
				}
			}
		}
	}
	return flush()
}

// kindOf returns the kind of mail for an item; "": nobody gets one. Who came with an import has
// registered elsewhere, and was told there.
func kindOf(i changes.Item) outbox.Kind {
	if i.Action.Actor.Kind == changes.ActorImport {
		return ""
	}
	switch i.Type {
	case changes.Registered:
		return outbox.Registered
	case changes.Waitlisted:
		return outbox.Waiting
	case changes.Promoted:
		return outbox.Promoted
	case changes.Cancelled:
		if i.Waited {
			return outbox.LeftLine
		}
		return outbox.Cancelled
	case changes.EventCancelled:
		return outbox.EventCancelled
	case changes.Edited:
		if slices.ContainsFunc(i.Action.Edited, matters) {
			return outbox.EventChanged
		}
	}
	return ""
}

// matters reports whether who comes must know of a change of the field with this key.
func matters(key string) bool {
	switch key {
	case "title", "place", "time_zone", "starts_at", "ends_at":
		return true
	}
	return false
}

func newMail(k outbox.Kind, row store.ChangeRecord, item changes.Item, to store.NumberedUser) outbox.Mail {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return outbox.Mail{
		Key:  fmt.Sprintf("%s-%d-%d-%s", row.EventID.Hex(), row.Revision, item.Index, to.UserID.Hex()),
		Kind: k, UserID: to.UserID, EventID: row.EventID, Revision: row.Revision, Number: to.Number,
		CreatedAt: row.At, DueAt: now, ExpiresAt: row.At.Add(eventMailLife),
	}
}
