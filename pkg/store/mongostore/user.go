package mongostore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// sharedKey is the _id of the one signing key: what makes a second one impossible.
const sharedKey = "shared"

// signingKeyDoc is a document of the signing_keys collection.
type signingKeyDoc struct {
	ID        string    `bson:"_id"`
	KeyID     string    `bson:"key_id"`
	Secret    []byte    `bson:"secret"`
	CreatedAt time.Time `bson:"created_at"`
}

func (d userDoc) user() store.User {
	u := store.User{
		ID: d.ID, Name: d.Name, Email: d.Email, PasswordHash: d.PasswordHash,
		PasswordVersion: d.PasswordVersion, CreatedAt: d.CreatedAt.UTC(),
	}
	if !d.PasswordChangedAt.IsZero() {
		u.PasswordChangedAt = d.PasswordChangedAt.UTC()
	}
	return u
}

func (d userDoc) revocation() store.Revocation {
	return store.Revocation{UserID: d.ID, PasswordVersion: d.PasswordVersion, ChangedAt: d.PasswordChangedAt.UTC()}
}

// User implements store.Identity.
func (s *Store) User(ctx context.Context, id store.ID) (store.User, error) {
	var d userDoc
	if err := s.users.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return store.User{}, fmt.Errorf("read user %s: %w", id.Hex(), readError(err, store.ErrUserNotFound))
	}
	return d.user(), nil
}

// SetPassword implements store.Identity. The password and what revokes the old tokens are
// in one document, so one update changes both.
func (s *Store) SetPassword(ctx context.Context, before, after store.User) error {
	set := bson.D{
		{Key: "password_hash", Value: after.PasswordHash},
		{Key: "password_version", Value: after.PasswordVersion},
	}
	if !after.PasswordChangedAt.IsZero() {
		set = append(set, bson.E{Key: "password_changed_at", Value: after.PasswordChangedAt})
	}
	res, err := s.users.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: before.ID}, {Key: "password_hash", Value: before.PasswordHash}},
		bson.D{{Key: "$set", Value: set}})
	if err != nil {
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), writeError(err))
	}
	if res.MatchedCount == 0 {
		if _, err := s.User(ctx, before.ID); err != nil {
			return err
		}
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), store.ErrPasswordChanged)
	}
	return nil
}

// Revocations implements store.Identity.
func (s *Store) Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error] {
	filter := bson.D{{Key: "password_changed_at", Value: bson.D{{Key: "$gte", Value: since}}}}
	return stream(ctx, s.users, bson.D{
		{Key: "find", Value: s.users.Name()}, {Key: "filter", Value: filter},
		{Key: "projection", Value: bson.D{{Key: "password_version", Value: 1}, {Key: "password_changed_at", Value: 1}}},
	}, userDoc.revocation)
}

// SigningKey implements store.Identity.
func (s *Store) SigningKey(ctx context.Context, proposed store.SigningKey) (store.SigningKey, error) {
	find := func() (d signingKeyDoc, err error) {
		err = s.signingKeys.FindOne(ctx, bson.D{{Key: "_id", Value: sharedKey}}).Decode(&d)
		return d, err
	}
	d, err := find()
	if errors.Is(err, mongo.ErrNoDocuments) {
		_, err := s.signingKeys.InsertOne(ctx, signingKeyDoc{
			ID: sharedKey, KeyID: proposed.ID, Secret: proposed.Secret, CreatedAt: proposed.CreatedAt,
		})
		if err != nil && !mongo.IsDuplicateKeyError(err) {
			return store.SigningKey{}, fmt.Errorf("share a signing key: %w", writeError(err))
		}
		// Read again, also after our own insert: only what a majority has is shared.
		if d, err = find(); err != nil {
			return store.SigningKey{}, fmt.Errorf("read the signing key: %w", readError(err, store.ErrUnavailable))
		}
	} else if err != nil {
		return store.SigningKey{}, fmt.Errorf("read the signing key: %w", readError(err, store.ErrUnavailable))
	}
	return store.SigningKey{ID: d.KeyID, Secret: d.Secret, CreatedAt: d.CreatedAt.UTC()}, nil
}
