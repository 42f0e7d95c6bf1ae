package people

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// apiKeyDoc is a document of the collection api_keys.
type apiKeyDoc struct {
	ID         store.ID  `bson:"_id"`
	OwnerID    store.ID  `bson:"owner_id"`
	Hash       []byte    `bson:"hash"`
	Name       string    `bson:"name"`
	Scopes     string    `bson:"scopes"`
	CreatedAt  time.Time `bson:"created_at"`
	ExpiresAt  time.Time `bson:"expires_at"`
	LastUsedAt time.Time `bson:"last_used_at,omitempty"` // missing while it was not used
	EndedAt    time.Time `bson:"ended_at,omitempty"`     // missing while nobody has ended it
	ChangedAt  time.Time `bson:"changed_at"`             // by the server's clock
	RemovedAt  time.Time `bson:"removed_at"`             // by a TTL index
}

func (d apiKeyDoc) key() apikeys.Key {
	k := apikeys.Key{
		ID: d.ID, OwnerID: d.OwnerID, Name: d.Name, Scopes: d.Scopes, CreatedAt: d.CreatedAt.UTC(), ExpiresAt: d.ExpiresAt.UTC(),
		LastUsedAt: d.LastUsedAt.UTC(), EndedAt: d.EndedAt.UTC(), ChangedAt: d.ChangedAt.UTC(),
	}
	copy(k.Hash[:], d.Hash)
	return k
}

// CreateAPIKey implements apikeys.Store. The server's clock says when, as the clocks of API processes differ. The key is
// stored first, and then it is seen whether its owner may have one; LockUser and EraseUser go the other way. So one of the two
// sees what the other has done, whoever is first. Nobody knows the key before this returns.
func (s *People) CreateAPIKey(ctx context.Context, k apikeys.Key) error {
	_, err := s.apiKeys.UpdateOne(ctx, bson.D{{Key: "_id", Value: k.ID}, {Key: "hash", Value: nil}}, mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "owner_id", Value: k.OwnerID}, {Key: "hash", Value: k.Hash[:]}, {Key: "name", Value: literal(k.Name)},
		{Key: "scopes", Value: literal(k.Scopes)}, {Key: "created_at", Value: k.CreatedAt}, {Key: "expires_at", Value: k.ExpiresAt},
		{Key: "changed_at", Value: "$$NOW"}, {Key: "removed_at", Value: k.ExpiresAt.Add(apikeys.Kept)},
	}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil && !mongodb.KeyTaken(err) { // one that is there has a hash, so it is not found, and cannot be inserted
		return fmt.Errorf("create a key of user %s: %w", k.OwnerID.Hex(), mongodb.WriteError(err))
	}
	if err := s.endIfBarred(ctx, k.OwnerID); err != nil { // no WriteError: the key is stored
		return fmt.Errorf("create a key of user %s: %w", k.OwnerID.Hex(), err)
	}
	return nil
}

// endIfBarred ends the keys of a person who is locked or was erased, and fails then with apikeys.ErrOwnerBarred.
func (s *People) endIfBarred(ctx context.Context, owner store.ID) error {
	for _, bar := range []struct {
		in     *mongo.Collection
		filter bson.D
		end    func(context.Context, store.ID) error
	}{
		{s.users, bson.D{{Key: "_id", Value: owner}, {Key: "locked_at", Value: bson.D{{Key: "$gt", Value: time.Time{}}}}}, s.endAPIKeysOf},
		{s.erasedUsers, bson.D{{Key: "_id", Value: owner}}, s.EraseAPIKeys},
	} {
		err := bar.in.FindOne(ctx, bar.filter, options.FindOne().SetProjection(mongodb.OnlyID())).Err()
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err == nil {
			err = bar.end(ctx, owner)
		}
		if err == nil {
			err = apikeys.ErrOwnerBarred
		}
		return err
	}
	return nil
}

// APIKeysOf implements apikeys.Store.
func (s *People) APIKeysOf(ctx context.Context, owner store.ID, now time.Time) ([]apikeys.Key, error) {
	docs, err := mongodb.FindAll[apiKeyDoc](ctx, s.apiKeys, bson.D{
		{Key: "owner_id", Value: owner}, {Key: "ended_at", Value: nil}, {Key: "expires_at", Value: bson.D{{Key: "$gt", Value: now}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}))
	if err != nil {
		return nil, fmt.Errorf("list the keys of user %s: %w", owner.Hex(), mongodb.ReadError(err, nil))
	}
	all := make([]apikeys.Key, len(docs))
	for i, d := range docs {
		all[i] = d.key()
	}
	return all, nil
}

// endAPIKeys ends those keys of a filter that were not ended.
func endAPIKeys(ctx context.Context, s *People, filter bson.D) error {
	_, err := s.apiKeys.UpdateMany(ctx, append(filter, bson.E{Key: "ended_at", Value: nil}), mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "ended_at", Value: "$$NOW"}, {Key: "changed_at", Value: "$$NOW"},
		{Key: "removed_at", Value: bson.D{{Key: "$add", Value: bson.A{"$$NOW", apikeys.Kept.Milliseconds()}}}},
	}}}})
	return err
}

func (s *People) endAPIKeysOf(ctx context.Context, owner store.ID) error {
	return endAPIKeys(ctx, s, bson.D{{Key: "owner_id", Value: owner}})
}

// EraseAPIKeys ends the keys of somebody who is erased. They stay for a day, without their names, so that all processes learn
// of their end.
func (s *People) EraseAPIKeys(ctx context.Context, owner store.ID) error {
	err := s.endAPIKeysOf(ctx, owner)
	if err == nil {
		_, err = s.apiKeys.UpdateMany(ctx, bson.D{{Key: "owner_id", Value: owner}}, bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: ""}}}})
	}
	if err != nil {
		return fmt.Errorf("end the keys of user %s: %w", owner.Hex(), err)
	}
	return nil
}

// EndAPIKey implements apikeys.Store.
func (s *People) EndAPIKey(ctx context.Context, owner, id store.ID) (found bool, err error) {
	which := bson.D{{Key: "_id", Value: id}, {Key: "owner_id", Value: owner}}
	if err = endAPIKeys(ctx, s, which); err != nil {
		return false, fmt.Errorf("end key %s: %w", id.Hex(), mongodb.WriteError(err))
	}
	switch err := s.apiKeys.FindOne(ctx, which, options.FindOne().SetProjection(mongodb.OnlyID())).Err(); {
	case errors.Is(err, mongo.ErrNoDocuments):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for key %s: %w", id.Hex(), mongodb.ReadError(err, nil))
	}
	return true, nil
}

// APIKeysSince implements apikeys.Store.
func (s *People) APIKeysSince(ctx context.Context, since time.Time) iter.Seq2[apikeys.Key, error] {
	return mongodb.Stream(ctx, s.apiKeys, bson.D{
		{Key: "find", Value: s.apiKeys.Name()}, {Key: "filter", Value: bson.D{{Key: "changed_at", Value: bson.D{{Key: "$gte", Value: since}}}}},
	}, apiKeyDoc.key)
}

// usedAtOnce bounds the ids in one statement of UseAPIKeys: 180 KB of ids, far below the 16 MB of a message.
const usedAtOnce = 10_000

// UseAPIKeys implements apikeys.Store. Keys of one time share a statement: one for each key costs more than twice as much.
func (s *People) UseAPIKeys(ctx context.Context, used map[store.ID]time.Time) error {
	together := make(map[time.Time][]store.ID)
	for id, at := range used {
		together[at] = append(together[at], id)
	}
	var writes []mongo.WriteModel
	for at, all := range together {
		for ids := range slices.Chunk(all, usedAtOnce) {
			writes = append(writes, mongo.NewUpdateManyModel().SetFilter(mongodb.In("_id", ids)).
				SetUpdate(bson.D{{Key: "$max", Value: bson.D{{Key: "last_used_at", Value: at}}}}))
		}
	}
	if len(writes) == 0 {
		return nil
	}
	if _, err := s.apiKeys.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return fmt.Errorf("note the use of %d keys: %w", len(used), mongodb.WriteError(err))
	}
	return nil
}
