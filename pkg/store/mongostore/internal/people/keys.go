package people

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// sharedKey is the _id of the only document of the collection signing_keys. One _id for all
// processes makes a second key impossible.
const sharedKey = "shared"

// signingKeyDoc is a document of the collection signing_keys.
type signingKeyDoc struct {
	ID        string    `bson:"_id"`
	KeyID     string    `bson:"key_id"`
	Secret    []byte    `bson:"secret"`
	CreatedAt time.Time `bson:"created_at"`
}

// SigningKey implements store.Keys.
func (s *People) SigningKey(ctx context.Context, proposed store.SigningKey) (store.SigningKey, error) {
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
			return store.SigningKey{}, fmt.Errorf("share a signing key: %w", mongodb.WriteError(err))
		}
		// Read again, also after our own insert: only a key that a majority has is shared.
		if d, err = find(); err != nil {
			return store.SigningKey{}, fmt.Errorf("read the signing key: %w", mongodb.ReadError(err, store.ErrUnavailable))
		}
	} else if err != nil {
		return store.SigningKey{}, fmt.Errorf("read the signing key: %w", mongodb.ReadError(err, store.ErrUnavailable))
	}
	return store.SigningKey{ID: d.KeyID, Secret: d.Secret, CreatedAt: d.CreatedAt}, nil
}
