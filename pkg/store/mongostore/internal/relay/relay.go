// Package relay keeps what MongoDB has for those who tell others of changes: how far each consumer of the
// record of changes has come, webhooks, what each of them was told, and mails to send.
package relay

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// Relay implements store.Consumers, store.Webhooks and outbox.Outbox. It is safe for concurrent use.
type Relay struct {
	consumers    *mongo.Collection
	webhooks     *mongo.Collection
	webhookMarks *mongo.Collection
	webhookCalls *mongo.Collection
	mails        *mongo.Collection
	mailTokens   *mongo.Collection
	mailSettings *mongo.Collection
}

// New returns the relay's part of a database.
func New(db *mongo.Database) *Relay {
	return &Relay{
		consumers: db.Collection("consumers"), webhooks: db.Collection("webhooks"),
		webhookMarks: db.Collection("webhook_marks"), webhookCalls: db.Collection("webhook_calls"),
		mails: db.Collection("mails"), mailTokens: db.Collection("mail_tokens"), mailSettings: db.Collection("mail_settings"),
	}
}

// ForgetMarks removes what webhooks were told of an event.
func (s *Relay) ForgetMarks(ctx context.Context, id store.ID) error {
	_, err := s.webhookMarks.DeleteMany(ctx, bson.D{{Key: "_id.event_id", Value: id}})
	return err
}
