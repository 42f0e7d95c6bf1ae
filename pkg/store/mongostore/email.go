package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// ProveEmail implements store.Users: in one transaction, since two users change.
func (s *Store) ProveEmail(ctx context.Context, id store.ID, email string, at time.Time) (u store.User, err error) {
	err = s.transaction(ctx, func(tctx context.Context) error {
		if u, err = s.User(tctx, id); err != nil {
			return err
		}
		others, err := mongodb.FindAll[userDoc](tctx, s.users, append(mongodb.In("email_key", store.EmailKeys(email)),
			bson.E{Key: "_id", Value: bson.D{{Key: "$ne", Value: id}}}), options.Find())
		if err != nil {
			return err
		}
		for _, other := range others {
			if _, err := s.freeEmail(tctx, other.user(), at); err != nil {
				return err
			}
		}
		u.Email, u.EmailProvenAt = email, at.UTC()
		_, err = s.users.UpdateByID(tctx, id, bson.D{{Key: "$set", Value: bson.D{
			{Key: "email", Value: u.Email}, {Key: "email_key", Value: store.EmailKey(u.Email)}, {Key: "email_proven_at", Value: u.EmailProvenAt},
		}}})
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("prove the address of user %s: %w", id.Hex(), err)
	}
	return u, nil
}

// FreeEmail implements store.Users.
func (s *Store) FreeEmail(ctx context.Context, email string, at time.Time) (u store.User, err error) {
	err = s.transaction(ctx, func(tctx context.Context) error {
		holder, err := s.UserByEmail(tctx, email)
		if err == nil {
			u, err = s.freeEmail(tctx, holder, at)
		}
		return err
	})
	if err != nil {
		return store.User{}, fmt.Errorf("free an address: %w", err)
	}
	return u, nil
}

// freeEmail takes the address from a user who has not proven it, in the transaction of ctx.
func (s *Store) freeEmail(ctx context.Context, u store.User, at time.Time) (store.User, error) {
	if !u.EmailProvenAt.IsZero() {
		return u, fmt.Errorf("%w, %w", store.ErrEmailProven, store.ErrNothingStored)
	}
	u = u.WithoutEmail(at)
	_, err := s.users.UpdateByID(ctx, u.ID, bson.D{{Key: "$set", Value: bson.D{
		{Key: "email", Value: u.Email}, {Key: "email_key", Value: store.EmailKey(u.Email)},
		{Key: "password_version", Value: u.PasswordVersion}, {Key: "password_changed_at", Value: u.PasswordChangedAt},
	}}})
	return u, err
}

// loadProven reads which users of the batch have proven their addresses, for the events that ask for
// it. A proof is not part of what a transaction decides about: it is read as it is now.
func (s *Store) loadProven(ctx context.Context, l loadedState, batch []store.SeatRequest) error {
	need := store.NeedProof(l.states, batch)
	if len(need) == 0 {
		return nil
	}
	filter := append(mongodb.In("_id", need), bson.E{Key: "email_proven_at", Value: bson.D{{Key: "$gt", Value: time.Time{}}}})
	found, err := mongodb.FindAll[struct {
		ID store.ID `bson:"_id"`
	}](ctx, s.users, filter, options.Find().SetProjection(mongodb.OnlyID()))
	if err != nil {
		return err
	}
	proven := make([]store.ID, len(found))
	for i, d := range found {
		proven[i] = d.ID
	}
	store.SetProven(l.states, proven)
	return nil
}
