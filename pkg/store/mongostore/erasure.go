package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/people"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
)

// EraseUser implements store.Accounts. The user, their sessions and the mark that they are erased change
// in one transaction; their registrations before it, which may be repeated. Who may not change registrations,
// like an API process with the least rights, leaves these to ForgetErased of who may.
func (s *Store) EraseUser(ctx context.Context, id store.ID, at time.Time) error {
	err := s.scrubRegistrations(ctx, id)
	if mongodb.RightMissing(err) {
		_, err = s.erasures.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "asked", Value: store.NewID()}}}}, options.UpdateOne().SetUpsert(true))
	}
	if err == nil {
		err = mongodb.Transaction(ctx, s.client, func(ctx context.Context) error {
			if err := people.Erase(ctx, s.People, id, at); err != nil {
				return err
			}
			return s.ForgetMailsOf(ctx, id)
		})
	}
	if err != nil {
		return fmt.Errorf("erase user %s: %w", id.Hex(), mongodb.WriteError(err))
	}
	return s.EraseAPIKeys(ctx, id) // again, for CreateAPIKey: the transaction does not see a key that was made while it ran
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
	if err := record.ForgetRequests(ctx, s.changes, s.registrations, bson.D{of}); err != nil {
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

// erasureDoc is a document of the collection erasures: a user whose registrations are to be scrubbed.
type erasureDoc struct {
	UserID store.ID `bson:"_id"`
	Asked  store.ID `bson:"asked"` // another one each time
}

// ForgetErased implements store.Retention. Whoever is asked for again meanwhile stays, and is scrubbed again.
func (s *Store) ForgetErased(ctx context.Context, limit int) (int, error) {
	asked, err := mongodb.FindAll[erasureDoc](ctx, s.erasures, bson.D{}, options.Find().SetLimit(int64(limit)))
	for _, d := range asked {
		if err == nil {
			err = s.scrubRegistrations(ctx, d.UserID)
		}
		if err == nil {
			_, err = s.erasures.DeleteOne(ctx, bson.D{{Key: "_id", Value: d.UserID}, {Key: "asked", Value: d.Asked}})
		}
	}
	if err != nil {
		return 0, fmt.Errorf("scrub the registrations of erased users: %w", mongodb.WriteError(err))
	}
	return len(asked), nil
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
	if err := record.ForgetRequests(ctx, s.changes, s.registrations, append(mongodb.In("_id", ids), filter...)); err != nil {
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
