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

// keyDoc is a document of the collection idempotency_keys.
type keyDoc struct {
	Key         bson.Binary `bson:"_id"`
	Fingerprint bson.Binary `bson:"fingerprint"`
	Resource    store.ID    `bson:"resource"`
	Owner       store.ID    `bson:"owner"`
	CreatedAt   time.Time   `bson:"created_at"`
	LeasedUntil time.Time   `bson:"leased_until"`
	Done        bool        `bson:"done"`
	ExpiresAt   time.Time   `bson:"expires_at"` // by a TTL index
}

func binary(d store.Digest) bson.Binary { return bson.Binary{Data: d[:]} }

// Begin implements store.Idempotency with one update. It writes the claim when there is none or only
// an expired one, takes over a claim whose lease has expired, and leaves every other claim as it is.
// Leases go by the server's clock, because the clocks of API processes differ.
func (s *People) Begin(ctx context.Context, c store.Claim, lease time.Duration) (store.Claim, bool, error) {
	// The TTL index removes expired claims with a delay of about a minute, so they are ignored here.
	absent := bson.D{{Key: "$lte", Value: bson.A{
		bson.D{{Key: "$ifNull", Value: bson.A{"$expires_at", time.UnixMilli(0)}}}, "$$NOW",
	}}}
	keep := func(field string, first any) bson.E {
		return bson.E{Key: field, Value: bson.D{{Key: "$cond", Value: bson.A{absent, first, "$" + field}}}}
	}
	free := bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "$eq", Value: bson.A{"$fingerprint", binary(c.Fingerprint)}}},
		bson.D{{Key: "$eq", Value: bson.A{"$done", false}}},
		bson.D{{Key: "$lte", Value: bson.A{"$leased_until", "$$NOW"}}},
	}}}
	ifFree := func(field string, value any) bson.E {
		return bson.E{Key: field, Value: bson.D{{Key: "$cond", Value: bson.A{"$free", value, "$" + field}}}}
	}
	update := bson.A{
		bson.D{{Key: "$set", Value: bson.D{
			keep("fingerprint", binary(c.Fingerprint)), keep("resource", c.Resource), keep("created_at", c.CreatedAt),
			keep("done", false), keep("leased_until", time.UnixMilli(0)), keep("expires_at", c.ExpiresAt()),
			keep("owner", store.ID{}),
		}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "free", Value: free}}}},
		bson.D{{Key: "$set", Value: bson.D{
			ifFree("owner", c.Owner),
			ifFree("leased_until", bson.D{{Key: "$add", Value: bson.A{"$$NOW", lease.Milliseconds()}}}),
		}}},
		bson.D{{Key: "$unset", Value: "free"}},
	}
	options := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	var d keyDoc
	for first := true; ; first = false {
		err := s.keys.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: binary(c.Key)}}, update, options).Decode(&d)
		if first && mongo.IsDuplicateKeyError(err) {
			continue // another request wrote the claim at the same moment, so now it is there
		}
		if err != nil {
			// Nothing but the claim can have been stored, and its lease ends by itself.
			return store.Claim{}, false, fmt.Errorf("claim an idempotency key: %w", mongodb.NothingStored(err))
		}
		break
	}
	switch {
	case store.Digest(d.Fingerprint.Data) != c.Fingerprint:
		return store.Claim{}, false, fmt.Errorf("claim an idempotency key: %w", store.ErrKeyReused)
	case !d.Done && d.Owner != c.Owner:
		return store.Claim{}, false, fmt.Errorf("claim an idempotency key: %w", store.ErrInProgress)
	}
	c.Inherited = d.Resource != c.Resource
	c.Resource, c.CreatedAt = d.Resource, d.CreatedAt.UTC()
	return c, d.Done, nil
}

// Finish implements store.Idempotency.
func (s *People) Finish(ctx context.Context, c store.Claim) error {
	filter := bson.D{{Key: "_id", Value: binary(c.Key)}, {Key: "resource", Value: c.Resource}}
	_, err := s.keys.UpdateOne(ctx, filter, bson.D{{Key: "$set", Value: bson.D{{Key: "done", Value: true}}}})
	if err != nil {
		return fmt.Errorf("finish an idempotency key: %w", mongodb.WriteError(err))
	}
	return nil
}

// Release implements store.Idempotency.
func (s *People) Release(ctx context.Context, c store.Claim) error {
	held := bson.D{{Key: "_id", Value: binary(c.Key)}, {Key: "owner", Value: c.Owner}, {Key: "done", Value: false}}
	var err error
	if c.Inherited {
		_, err = s.keys.UpdateOne(ctx, held, bson.D{{Key: "$set", Value: bson.D{{Key: "leased_until", Value: time.UnixMilli(0)}}}})
	} else {
		_, err = s.keys.DeleteOne(ctx, held)
	}
	if err != nil {
		return fmt.Errorf("release an idempotency key: %w", mongodb.WriteError(err))
	}
	return nil
}
