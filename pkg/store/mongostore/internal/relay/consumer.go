package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// consumerDoc is a document of the collection consumers.
type consumerDoc struct {
	Name       string         `bson:"_id"`
	Position   store.Position `bson:"position"`
	Owner      string         `bson:"owner"`
	Token      int64          `bson:"token"`
	LeaseUntil time.Time      `bson:"lease_until"`
}

// CreateConsumer implements store.Consumers.
func (s *Relay) CreateConsumer(ctx context.Context, name string, at store.Position) error {
	_, err := s.consumers.InsertOne(ctx, consumerDoc{Name: name, Position: at})
	if err != nil && !mongodb.KeyTaken(err) {
		return fmt.Errorf("create the consumer %s: %w", name, mongodb.WriteError(err))
	}
	return nil
}

// ConsumerPosition implements store.Consumers.
func (s *Relay) ConsumerPosition(ctx context.Context, name string) (store.Position, error) {
	var d consumerDoc
	if err := s.consumers.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Decode(&d); err != nil {
		return "", fmt.Errorf("read the position of %s: %w", name, mongodb.ReadError(err, store.ErrConsumerNotFound))
	}
	return d.Position, nil
}

// leaseEnd is when a lease ends that is given or renewed now, by the server's clock: those of
// processes differ.
func leaseEnd(length time.Duration) bson.D {
	return bson.D{{Key: "$add", Value: bson.A{"$$NOW", length.Milliseconds()}}}
}

// TakeLease implements store.Consumers.
func (s *Relay) TakeLease(ctx context.Context, name, owner string, length time.Duration) (store.Lease, error) {
	free := bson.D{{Key: "$expr", Value: bson.D{{Key: "$lte", Value: bson.A{"$lease_until", "$$NOW"}}}}}
	filter := bson.D{{Key: "_id", Value: name}, {Key: "$or", Value: bson.A{free, bson.D{{Key: "owner", Value: owner}}}}}
	take := mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "owner", Value: bson.D{{Key: "$literal", Value: owner}}},
		{Key: "token", Value: bson.D{{Key: "$add", Value: bson.A{"$token", 1}}}},
		{Key: "lease_until", Value: leaseEnd(length)},
	}}}}
	var d consumerDoc
	err := s.consumers.FindOneAndUpdate(ctx, filter, take, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		switch found := s.consumers.FindOne(ctx, bson.D{{Key: "_id", Value: name}}).Err(); {
		case found == nil:
			err = store.ErrLeaseHeld
		default:
			err = mongodb.ReadError(found, store.ErrConsumerNotFound)
		}
	} else if err != nil {
		err = mongodb.WriteError(err)
	}
	if err != nil {
		return store.Lease{}, fmt.Errorf("take the lease of %s: %w", name, err)
	}
	return store.Lease{Consumer: name, Owner: owner, Token: d.Token, Position: d.Position}, nil
}

// RenewLease implements store.Consumers.
func (s *Relay) RenewLease(ctx context.Context, l store.Lease, length time.Duration) error {
	err := s.updateHeld(ctx, l, bson.D{{Key: "lease_until", Value: leaseEnd(length)}})
	if err != nil {
		return fmt.Errorf("renew the lease of %s: %w", l.Consumer, err)
	}
	return nil
}

// StorePosition implements store.Consumers.
func (s *Relay) StorePosition(ctx context.Context, l store.Lease, to store.Position, length time.Duration) error {
	err := s.updateHeld(ctx, l, bson.D{
		{Key: "lease_until", Value: leaseEnd(length)}, {Key: "position", Value: bson.D{{Key: "$literal", Value: to}}},
	})
	if err != nil {
		return fmt.Errorf("store the position of %s: %w", l.Consumer, err)
	}
	return nil
}

// EndLease implements store.Consumers.
func (s *Relay) EndLease(ctx context.Context, l store.Lease) error {
	err := s.updateHeld(ctx, l, bson.D{{Key: "lease_until", Value: time.Time{}}})
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		return fmt.Errorf("end the lease of %s: %w", l.Consumer, err)
	}
	return nil
}

// updateHeld sets fields of the document of a consumer if the lease is held.
func (s *Relay) updateHeld(ctx context.Context, l store.Lease, set bson.D) error {
	res, err := s.consumers.UpdateOne(ctx, bson.D{
		{Key: "_id", Value: l.Consumer}, {Key: "token", Value: l.Token},
		{Key: "$expr", Value: bson.D{{Key: "$gt", Value: bson.A{"$lease_until", "$$NOW"}}}},
	}, mongo.Pipeline{{{Key: "$set", Value: set}}})
	switch {
	case err != nil:
		return mongodb.WriteError(err)
	case res.MatchedCount == 0:
		return store.ErrLeaseLost
	}
	return nil
}

// RemoveConsumer implements store.Consumers.
func (s *Relay) RemoveConsumer(ctx context.Context, name string) error {
	if _, err := s.consumers.DeleteOne(ctx, bson.D{{Key: "_id", Value: name}}); err != nil {
		return fmt.Errorf("remove the consumer %s: %w", name, mongodb.WriteError(err))
	}
	return nil
}
