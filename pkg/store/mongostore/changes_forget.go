package mongostore

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// recordedIn says where in the record of changes a registration is.
type recordedIn struct {
	Key       registrationKey `bson:"_id"`
	Revisions store.Revisions `bson:"revisions"`
}

// forgetRequests takes the request ids of registrations out of the record (store.ChangeRecord.Forget).
// It may be repeated.
func (s *Store) forgetRequests(ctx context.Context, registrations bson.D) error {
	cursor, err := s.registrations.Find(ctx, registrations, options.Find().SetProjection(bson.D{{Key: "revisions", Value: 1}}))
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		var r recordedIn
		if err := cursor.Decode(&r); err != nil {
			return err
		}
		for _, revision := range r.Revisions {
			if err := s.forgetIn(ctx, changeKey{r.Key.EventID, revision}, r.Key.UserID); err != nil {
				return err
			}
		}
	}
	return cursor.Err()
}

// forgetIn takes the request ids of a user out of one row, unless it is gone or cannot be read. Rows
// change in no other way, and only under the condition that nobody has done so since it was read.
func (s *Store) forgetIn(ctx context.Context, key changeKey, user store.ID) error {
	for {
		var d changeDoc
		err := s.changes.FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&d)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := d.record()
		if err != nil {
			return nil //nolint:nilerr // a damaged row must not keep anybody from being erased; eventio verify tells of it
		}
		forgotten, changed := r.Forget(user)
		if !changed {
			return nil
		}
		// Followers do not see an update: the row tells the same as before.
		res, err := s.changes.UpdateOne(ctx, bson.D{{Key: "_id", Value: key}, {Key: "packed", Value: d.Packed}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "packed", Value: forgotten.Pack()}}}})
		if err != nil || res.MatchedCount == 1 {
			return err
		}
		if !mongodb.Wait(ctx, minPause) {
			return ctx.Err()
		}
	}
}
