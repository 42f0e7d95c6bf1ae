package people

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
func (s *People) ProveEmail(ctx context.Context, id store.ID, email string, at time.Time) (u store.User, err error) {
	err = mongodb.Transaction(ctx, s.client, func(tctx context.Context) error {
		if u, err = s.User(tctx, id); err != nil {
			return err
		}
		others, err := mongodb.FindAll[UserDoc](tctx, s.users, append(mongodb.In("email_key", store.EmailKeys(email)),
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
func (s *People) FreeEmail(ctx context.Context, email string, at time.Time) (u store.User, err error) {
	err = mongodb.Transaction(ctx, s.client, func(tctx context.Context) error {
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
func (s *People) freeEmail(ctx context.Context, u store.User, at time.Time) (store.User, error) {
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
