package people

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

// erasedDoc is a document of the collection erased_users: an id that means nobody any more.
type erasedDoc struct {
	ID       store.ID  `bson:"_id"`
	ErasedAt time.Time `bson:"erased_at"`
}

func (d erasedDoc) revocation() store.Revocation {
	return store.Revocation{UserID: d.ID, PasswordVersion: store.ErasedVersion, ChangedAt: d.ErasedAt.UTC()}
}

// updateUser changes one user, and returns the user as stored then. A filter that matches nobody
// changes nothing.
func (s *People) updateUser(ctx context.Context, what string, id store.ID, filter, update bson.D) (store.User, error) {
	filter = append(bson.D{{Key: "_id", Value: id}}, filter...)
	if _, err := s.users.UpdateOne(ctx, filter, update); err != nil {
		return store.User{}, fmt.Errorf("%s user %s: %w", what, id.Hex(), mongodb.WriteError(err))
	}
	return s.User(ctx, id)
}

// endTokens is an update that ends all tokens of a user.
func endTokens(at time.Time) bson.D {
	return bson.D{
		{Key: "$inc", Value: bson.D{{Key: "password_version", Value: 1}}},
		{Key: "$set", Value: bson.D{{Key: "password_changed_at", Value: at}}},
	}
}

// EndTokens implements store.Accounts.
func (s *People) EndTokens(ctx context.Context, id store.ID, at time.Time) (store.User, error) {
	return s.updateUser(ctx, "end the tokens of", id, nil, endTokens(at))
}

// LockUser implements store.Accounts. The keys of the user end last, for the sake of CreateAPIKey: when that fails, the operator
// comes again.
func (s *People) LockUser(ctx context.Context, id store.ID, at time.Time) (store.User, error) {
	lock := bson.D{endTokens(at)[0], {Key: "$set", Value: bson.D{{Key: "password_changed_at", Value: at}, {Key: "locked_at", Value: at}}}}
	u, err := s.updateUser(ctx, "lock", id, bson.D{{Key: "locked_at", Value: nil}}, lock)
	if err != nil {
		return store.User{}, err
	}
	if err := s.endAPIKeysOf(ctx, id); err != nil {
		return store.User{}, fmt.Errorf("end the keys of user %s: %w", id.Hex(), mongodb.WriteError(err))
	}
	return u, nil
}

// UnlockUser implements store.Accounts.
func (s *People) UnlockUser(ctx context.Context, id store.ID) (store.User, error) {
	return s.updateUser(ctx, "unlock", id, nil, bson.D{{Key: "$unset", Value: bson.D{{Key: "locked_at", Value: ""}}}})
}

// literal is a value in an expression that is not looked into.
func literal(value string) bson.D { return bson.D{{Key: "$literal", Value: value}} }

// EditUser implements store.Accounts.
func (s *People) EditUser(ctx context.Context, u store.User) error {
	key := bson.D{{Key: "$cond", Value: bson.A{ // it stays with its address
		bson.D{{Key: "$eq", Value: bson.A{"$email", literal(u.Email)}}}, "$email_key", literal(store.EmailKey(u.Email)),
	}}}
	if err := s.refuseOlderKey(ctx, u); err != nil {
		return fmt.Errorf("edit user %s: %w", u.ID.Hex(), mongodb.WriteError(err))
	}
	res, err := s.users.UpdateOne(ctx, bson.D{{Key: "_id", Value: u.ID}}, mongo.Pipeline{{{Key: "$set", Value: bson.D{
		{Key: "name", Value: literal(u.Name)}, {Key: "email", Value: literal(u.Email)}, {Key: "email_key", Value: key},
		{Key: "email_proven_at", Value: bson.D{{Key: "$cond", Value: bson.A{ // another address is not proven
			bson.D{{Key: "$eq", Value: bson.A{"$email_key", key}}}, "$email_proven_at", "$$REMOVE",
		}}}},
	}}}})
	switch {
	case mongodb.KeyTaken(err):
		err = store.ErrEmailTaken
	case err == nil && res.MatchedCount == 0:
		err = store.ErrUserNotFound
	}
	if err != nil {
		return fmt.Errorf("edit user %s: %w", u.ID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// Erase removes a user and their sessions, ends their keys, and remembers the id as erased, in the transaction of ctx.
func Erase(ctx context.Context, s *People, id store.ID, at time.Time) error {
	_, err := s.erasedUsers.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}},
		bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "erased_at", Value: at}}}}, options.UpdateOne().SetUpsert(true))
	if err == nil {
		_, err = s.users.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
	}
	if err == nil {
		_, err = s.sessions.DeleteMany(ctx, bson.D{{Key: "user_id", Value: id}})
	}
	if err == nil {
		err = s.EraseAPIKeys(ctx, id)
	}
	return err
}

// ErasedAt implements store.Accounts.
func (s *People) ErasedAt(ctx context.Context, id store.ID) (time.Time, error) {
	var d erasedDoc
	err := s.erasedUsers.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("look up whether user %s was erased: %w", id.Hex(), mongodb.ReadError(err, nil))
	}
	return d.ErasedAt.UTC(), nil
}

// ForgetKeys implements store.Retention: TTL indexes do it.
func (s *People) ForgetKeys(context.Context) (int, error) { return 0, nil }
