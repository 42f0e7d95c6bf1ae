package mongostore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

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
func (s *Store) updateUser(ctx context.Context, what string, id store.ID, filter, update bson.D) (store.User, error) {
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
func (s *Store) EndTokens(ctx context.Context, id store.ID, at time.Time) (store.User, error) {
	return s.updateUser(ctx, "end the tokens of", id, nil, endTokens(at))
}

// LockUser implements store.Accounts.
func (s *Store) LockUser(ctx context.Context, id store.ID, at time.Time) (store.User, error) {
	lock := bson.D{endTokens(at)[0], {Key: "$set", Value: bson.D{{Key: "password_changed_at", Value: at}, {Key: "locked_at", Value: at}}}}
	return s.updateUser(ctx, "lock", id, bson.D{{Key: "locked_at", Value: nil}}, lock)
}

// UnlockUser implements store.Accounts.
func (s *Store) UnlockUser(ctx context.Context, id store.ID) (store.User, error) {
	return s.updateUser(ctx, "unlock", id, nil, bson.D{{Key: "$unset", Value: bson.D{{Key: "locked_at", Value: ""}}}})
}

// EditUser implements store.Accounts.
func (s *Store) EditUser(ctx context.Context, u store.User) error {
	key := store.EmailKey(u.Email)
	set := bson.E{Key: "$set", Value: bson.D{
		{Key: "name", Value: u.Name}, {Key: "email", Value: u.Email}, {Key: "email_key", Value: key},
	}}
	res, err := s.users.UpdateOne(ctx, bson.D{{Key: "_id", Value: u.ID}, {Key: "email_key", Value: key}}, bson.D{set})
	if err == nil && res.MatchedCount == 0 { // another address, which is not proven
		res, err = s.users.UpdateOne(ctx, bson.D{{Key: "_id", Value: u.ID}},
			bson.D{set, {Key: "$unset", Value: bson.D{{Key: "email_proven_at", Value: ""}}}})
	}
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

// EraseUser implements store.Accounts. The user, their sessions and the mark that they are erased change
// in one transaction; their registrations before it, which may be repeated.
func (s *Store) EraseUser(ctx context.Context, id store.ID, at time.Time) error {
	err := s.scrubRegistrations(ctx, id)
	if err == nil {
		err = s.transaction(ctx, func(ctx context.Context) error {
			_, err := s.erasedUsers.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}},
				bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "erased_at", Value: at}}}}, options.UpdateOne().SetUpsert(true))
			if err == nil {
				_, err = s.users.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
			}
			if err == nil {
				_, err = s.sessions.DeleteMany(ctx, bson.D{{Key: "user_id", Value: id}})
			}
			if err == nil {
				err = s.forgetMailsOf(ctx, id)
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("erase user %s: %w", id.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// scrubRegistrations removes the cancelled registrations of a user, and the request ids from the others and
// from the record of changes.
func (s *Store) scrubRegistrations(ctx context.Context, id store.ID) error {
	// The whole _id is compared, so that its index is used.
	last := store.ID{}
	for i := range last {
		last[i] = 0xff
	}
	of := bson.E{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: registrationKey{id, store.ID{}}}, {Key: "$lte", Value: registrationKey{id, last}},
	}}
	if err := s.forgetRequests(ctx, bson.D{of}); err != nil {
		return err
	}
	if _, err := s.registrations.DeleteMany(ctx, bson.D{of, {Key: "cancelled", Value: true}}); err != nil {
		return err
	}
	_, err := s.registrations.UpdateMany(ctx, bson.D{of}, bson.D{
		{Key: "$set", Value: bson.D{{Key: "request_id", Value: store.ErasedRequest}}}, {Key: "$unset", Value: bson.D{{Key: "past", Value: ""}}},
	})
	return err
}

// transaction runs fn in one transaction, and again while ctx allows after an error that passes. fn must
// have the same effect when it runs twice.
func (s *Store) transaction(ctx context.Context, fn func(context.Context) error) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := s.tryTransaction(ctx, fn)
		if err == nil || !retryable(err) || !mongodb.Wait(ctx, pause) {
			return err
		}
	}
}

// tryTransaction runs fn in one transaction.
func (s *Store) tryTransaction(ctx context.Context, fn func(context.Context) error) error {
	session, err := s.client.StartSession()
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
		defer cancel()
		session.EndSession(end)
	}()
	err = session.StartTransaction(options.Transaction().SetReadConcern(readconcern.Snapshot()).
		SetWriteConcern(journaledMajority()).SetReadPreference(readpref.Primary()))
	if err != nil {
		return err
	}
	if err := fn(mongo.NewSessionContext(ctx, session)); err != nil {
		return err
	}
	if err := session.CommitTransaction(ctx); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return nil
}

// ErasedAt implements store.Accounts.
func (s *Store) ErasedAt(ctx context.Context, id store.ID) (time.Time, error) {
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

// ForgetCancelled implements store.Retention. A registration that is made anew meanwhile is not cancelled
// any more, so it stays; a batch that has loaded one that is removed here is decided anew.
func (s *Store) ForgetCancelled(ctx context.Context, before time.Time, limit int) (int, error) {
	cancelled := func(at any) bson.D {
		return bson.D{{Key: "cancelled", Value: true}, {Key: "cancelled_at", Value: at}}
	}
	err := s.stampCancelled(ctx, cancelled(nil), limit)
	if err == nil {
		var n int64
		old := cancelled(bson.D{{Key: "$lt", Value: before}})
		if n, err = s.deleteSome(ctx, old, limit); err == nil {
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("forget cancelled registrations: %w", mongodb.WriteError(err))
}

// stampCancelled gives cancelled registrations without a time the server's.
func (s *Store) stampCancelled(ctx context.Context, filter bson.D, limit int) error {
	ids, err := s.registrationKeys(ctx, filter, limit)
	if err != nil || len(ids) == 0 {
		return err
	}
	_, err = s.registrations.UpdateMany(ctx, append(mongodb.In("_id", ids), filter...),
		mongo.Pipeline{{{Key: "$set", Value: bson.D{{Key: "cancelled_at", Value: "$$NOW"}}}}})
	return err
}

// deleteSome removes registrations that a filter selects, at most limit.
func (s *Store) deleteSome(ctx context.Context, filter bson.D, limit int) (int64, error) {
	ids, err := s.registrationKeys(ctx, filter, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := s.forgetRequests(ctx, append(mongodb.In("_id", ids), filter...)); err != nil {
		return 0, err
	}
	res, err := s.registrations.DeleteMany(ctx, append(mongodb.In("_id", ids), filter...))
	if err != nil {
		return 0, err
	}
	return res.DeletedCount, nil
}

// registrationKeys reads the keys of registrations that a filter selects, at most limit.
func (s *Store) registrationKeys(ctx context.Context, filter bson.D, limit int) ([]registrationKey, error) {
	docs, err := mongodb.FindAll[struct {
		Key registrationKey `bson:"_id"`
	}](ctx, s.registrations, filter, options.Find().SetLimit(int64(limit)).SetProjection(mongodb.OnlyID()))
	if err != nil {
		return nil, err
	}
	keys := make([]registrationKey, len(docs))
	for i, d := range docs {
		keys[i] = d.Key
	}
	return keys, nil
}

// ForgetKeys implements store.Retention: TTL indexes do it.
func (s *Store) ForgetKeys(context.Context) (int, error) { return 0, nil }
