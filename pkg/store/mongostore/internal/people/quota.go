package people

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// quotaKey is the _id of a quotaDoc.
type quotaKey struct {
	Subject string    `bson:"subject"`
	Day     time.Time `bson:"day"`
}

// quotaDoc is a document of the collection quotas.
type quotaDoc struct {
	Key       quotaKey         `bson:"_id"`
	Used      map[string]int64 `bson:"used"`       // by kind
	ExpiresAt time.Time        `bson:"expires_at"` // by a TTL index
}

// UseQuota implements store.Quotas with one update. Its filter selects the document only while every
// amount fits; when one does not, the update would insert another document of the same key, which the
// server refuses.
func (s *People) UseQuota(ctx context.Context, use store.QuotaUse) error {
	if exceeded := use.Exceeded(nil); exceeded != nil { // more than a day has: a new document would take it
		return exceeded
	}
	key := quotaKey{use.Subject, use.Day()}
	filter, increments := bson.D{{Key: "_id", Value: key}}, bson.D{}
	for _, a := range use.Amounts {
		above := bson.D{{Key: "$gt", Value: a.Limit - a.Amount}}
		filter = append(filter, bson.E{Key: "used." + a.Kind, Value: bson.D{{Key: "$not", Value: above}}})
		increments = append(increments, bson.E{Key: "used." + a.Kind, Value: a.Amount})
	}
	update := bson.D{
		{Key: "$inc", Value: increments},
		{Key: "$setOnInsert", Value: bson.D{{Key: "expires_at", Value: use.Day().Add(store.QuotaKept)}}},
	}
	for first := true; ; first = false {
		_, err := s.quotas.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true))
		switch {
		case err == nil:
			return nil
		case !mongo.IsDuplicateKeyError(err):
			return fmt.Errorf("use a quota: %w", mongodb.WriteError(err))
		}
		var d quotaDoc
		if err := s.quotas.FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&d); err != nil {
			return fmt.Errorf("use a quota: %w", mongodb.ReadError(err, nil))
		}
		if exceeded := use.Exceeded(d.Used); exceeded != nil {
			return fmt.Errorf("use a quota: %w", exceeded)
		}
		if !first { // another process has inserted it at the same moment, and that twice
			return fmt.Errorf("use a quota: %w: %w", store.ErrUnavailable, err)
		}
	}
}
