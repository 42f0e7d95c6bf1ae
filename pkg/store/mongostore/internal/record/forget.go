package record

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// recordedIn says where in the record of changes a registration is.
type recordedIn struct {
	Key struct {
		UserID  store.ID `bson:"user_id"`
		EventID store.ID `bson:"event_id"`
	} `bson:"_id"`
	Revisions store.Revisions `bson:"revisions"`
}

// ForgetRequests takes the request ids of registrations out of the record (store.changes.Forget).
// which selects the registrations. It may be repeated.
func ForgetRequests(ctx context.Context, rows, registrations *mongo.Collection, which bson.D) error {
	cursor, err := registrations.Find(ctx, which, options.Find().SetProjection(bson.D{{Key: "revisions", Value: 1}}))
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
			if err := forgetIn(ctx, rows, rowKey{r.Key.EventID, revision}, r.Key.UserID); err != nil {
				return err
			}
		}
	}
	return cursor.Err()
}

// forgetIn takes the request ids of a user out of one row, unless it is gone or cannot be read. Rows
// change in no other way, and only under the condition that nobody has done so since it was read.
func forgetIn(ctx context.Context, rows *mongo.Collection, key rowKey, user store.ID) error {
	for {
		var d Doc
		err := rows.FindOne(ctx, bson.D{{Key: "_id", Value: key}}).Decode(&d)
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
		forgotten, changed := changes.Forget(r, user)
		if !changed {
			return nil
		}
		// Followers do not see an update: the row tells the same as before.
		res, err := rows.UpdateOne(ctx, bson.D{{Key: "_id", Value: key}, {Key: "packed", Value: d.Packed}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "packed", Value: changes.Pack(forgotten)}}}})
		if err != nil || res.MatchedCount == 1 {
			return err
		}
		if !wait.For(ctx, mongodb.MinPause) {
			return ctx.Err()
		}
	}
}
