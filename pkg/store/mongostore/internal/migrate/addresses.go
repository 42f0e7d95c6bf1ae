package migrate

import (
	"context"
	"errors"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// addressStep is the name of the step that gives addresses the keys of store.EmailKey.
const addressStep = "addresses have one key"

// userKey is the address of a user and the key that is stored of it.
type userKey struct {
	ID    store.ID `bson:"_id"`
	Email string   `bson:"email"`
	Key   string   `bson:"email_key"`
}

// changingKeys yields the users whose key is not that of store.EmailKey, the oldest id first.
func changingKeys(ctx context.Context, users *mongo.Collection) iter.Seq2[userKey, error] {
	return func(yield func(userKey, error) bool) {
		cursor, err := users.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).
			SetProjection(bson.D{{Key: "email", Value: 1}, {Key: "email_key", Value: 1}}))
		if err != nil {
			yield(userKey{}, err)
			return
		}
		defer mongodb.CloseCursor(ctx, cursor)
		for cursor.Next(ctx) {
			var u userKey
			if err := cursor.Decode(&u); err != nil {
				yield(userKey{}, err)
				return
			}
			if _, ok := store.RenewedEmailKey(u.Email, u.Key); ok && !yield(u, nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(userKey{}, err)
		}
	}
}

// renewKeys is the step that gives addresses the keys of store.EmailKey. Where two users would have one
// key the one who has it already, or else the older one, gets it, and the other keeps the older key: both
// can log in as they did.
func renewKeys(ctx context.Context, db *mongo.Database, done func(n, all int64)) error {
	users := db.Collection("users")
	var n int64
	for u, err := range changingKeys(ctx, users) {
		if err == nil {
			_, err = renewKey(ctx, users, u)
		}
		if err != nil {
			return err
		}
		n++
		done(n, n)
	}
	return nil
}

// renewKey gives a user the new key of the address unless another user has it. kept reports whether one has.
func renewKey(ctx context.Context, users *mongo.Collection, u userKey) (kept bool, err error) {
	renewed, _ := store.RenewedEmailKey(u.Email, u.Key)
	_, err = users.UpdateOne(ctx, bson.D{{Key: "_id", Value: u.ID}, {Key: "email_key", Value: u.Key}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "email_key", Value: renewed}}}})
	if mongo.IsDuplicateKeyError(err) {
		return true, nil
	}
	return false, err
}

// SettleKeys implements store.Migrator.
func (m *Migrator) SettleKeys(ctx context.Context) iter.Seq2[store.KeptKey, error] {
	return func(yield func(store.KeptKey, error) bool) {
		users := m.db.Collection("users")
		for u, err := range changingKeys(ctx, users) {
			k, kept := store.KeptKey{User: u.ID, Email: u.Email}, false
			if err == nil {
				kept, err = renewKey(ctx, users, u)
			}
			if err == nil && kept {
				var other userKey
				renewed, _ := store.RenewedEmailKey(u.Email, u.Key)
				err = users.FindOne(ctx, bson.D{{Key: "email_key", Value: renewed}}).Decode(&other)
				k.Other = other.ID
				if errors.Is(err, mongo.ErrNoDocuments) { // gone meanwhile: the next run renews the key
					continue
				}
			}
			if (kept || err != nil) && !yield(k, err) || err != nil {
				return
			}
		}
	}
}
