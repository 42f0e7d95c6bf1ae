// Package relay keeps what MongoDB has for those who tell others of changes: how far each consumer of the
// record of changes has come, webhooks, and what each of them was told.
package relay

import (
	"context"

	"github.com/eventio/eventio/pkg/store"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Relay implements store.Consumers and store.Webhooks. It is safe for concurrent use.
type Relay struct {
	consumers    *mongo.Collection
	webhooks     *mongo.Collection
	webhookMarks *mongo.Collection
	webhookCalls *mongo.Collection
}

// New returns the relay's part of a database.
func New(db *mongo.Database) *Relay {
	return &Relay{
		consumers: db.Collection("consumers"), webhooks: db.Collection("webhooks"),
		webhookMarks: db.Collection("webhook_marks"), webhookCalls: db.Collection("webhook_calls"),
	}
}

// ForgetMarks removes what webhooks were told of an event.
func (s *Relay) ForgetMarks(ctx context.Context, id store.ID) error {
	_, err := s.webhookMarks.DeleteMany(ctx, bson.D{{Key: "_id.event_id", Value: id}})
	return err
}
