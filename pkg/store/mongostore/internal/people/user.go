package people

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// UserDoc is a document of the collection users.
type UserDoc struct {
	ID           store.ID  `bson:"_id"`
	Name         string    `bson:"name"`
	Email        string    `bson:"email"`
	EmailKey     string    `bson:"email_key"`
	PasswordHash string    `bson:"password_hash"`
	CreatedAt    time.Time `bson:"created_at"`

	// Missing until the password is changed for the first time.
	PasswordVersion   int64     `bson:"password_version,omitempty"`
	PasswordChangedAt time.Time `bson:"password_changed_at,omitempty"`
	LockedAt          time.Time `bson:"locked_at,omitempty"` // missing: not locked

	// Missing until the address is proven.
	EmailProvenAt time.Time `bson:"email_proven_at,omitempty"`
}

func newUserDoc(u store.User) UserDoc {
	return UserDoc{
		ID: u.ID, Name: u.Name, Email: u.Email, EmailKey: store.EmailKey(u.Email),
		PasswordHash: u.PasswordHash, CreatedAt: u.CreatedAt,
		PasswordVersion: u.PasswordVersion, PasswordChangedAt: u.PasswordChangedAt, LockedAt: u.LockedAt, EmailProvenAt: u.EmailProvenAt,
	}
}

func (d UserDoc) user() store.User {
	return store.User{
		ID: d.ID, Name: d.Name, Email: d.Email, PasswordHash: d.PasswordHash,
		PasswordVersion: d.PasswordVersion, PasswordChangedAt: d.PasswordChangedAt, EmailProvenAt: d.EmailProvenAt, CreatedAt: d.CreatedAt, LockedAt: d.LockedAt,
	}
}

func (d UserDoc) revocation() store.Revocation {
	return store.Revocation{UserID: d.ID, PasswordVersion: d.PasswordVersion, ChangedAt: d.PasswordChangedAt}
}

// CreateUser implements store.Users.
func (s *People) CreateUser(ctx context.Context, u store.User) error {
	err := s.refuseOlderKey(ctx, u)
	if err == nil {
		_, err = s.users.InsertOne(ctx, newUserDoc(u))
	}
	if mongodb.KeyTaken(err) {
		err = store.ErrEmailTaken
	}
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// refuseOlderKey returns store.ErrEmailTaken when another user has the older key of the address, which the
// index of keys does not see. Such a user who comes in this very moment is missed: only a process of the
// version before creates them, and store.Migrator.SettleKeys tells of them.
func (s *People) refuseOlderKey(ctx context.Context, u store.User) error {
	older := store.OlderEmailKeys(u.Email)
	if len(older) == 0 {
		return nil
	}
	var other UserDoc
	switch err := s.users.FindOne(ctx, bson.D{{Key: "email_key", Value: older[0]}}).Decode(&other); {
	case errors.Is(err, mongo.ErrNoDocuments), err == nil && other.ID == u.ID:
		return nil
	case err != nil:
		return err
	}
	return store.ErrEmailTaken
}

// User implements store.Users.
func (s *People) User(ctx context.Context, id store.ID) (store.User, error) {
	var d UserDoc
	if err := s.users.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return store.User{}, fmt.Errorf("read user %s: %w", id.Hex(), mongodb.ReadError(err, store.ErrUserNotFound))
	}
	return d.user(), nil
}

// UserByEmail implements store.Users.
func (s *People) UserByEmail(ctx context.Context, email string) (store.User, error) {
	for _, key := range store.EmailKeys(email) {
		var d UserDoc
		err := s.users.FindOne(ctx, bson.D{{Key: "email_key", Value: key}}).Decode(&d)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments):
			continue
		case err != nil:
			return store.User{}, fmt.Errorf("find user by address: %w", mongodb.ReadError(err, nil))
		}
		return d.user(), nil
	}
	return store.User{}, fmt.Errorf("find user by address: %w", store.ErrUserNotFound)
}

// SetPassword implements store.Users. The password hash and what revokes the old tokens are in one
// document, so one update changes both.
func (s *People) SetPassword(ctx context.Context, before, after store.User) error {
	set := bson.D{
		{Key: "password_hash", Value: after.PasswordHash},
		{Key: "password_version", Value: after.PasswordVersion},
	}
	if !after.PasswordChangedAt.IsZero() {
		set = append(set, bson.E{Key: "password_changed_at", Value: after.PasswordChangedAt})
	}
	res, err := s.users.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: before.ID}, {Key: "password_hash", Value: before.PasswordHash}, versionIs(before.PasswordVersion)},
		bson.D{{Key: "$set", Value: set}})
	if err != nil {
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), mongodb.WriteError(err))
	}
	if res.MatchedCount == 0 {
		if _, err := s.User(ctx, before.ID); err != nil {
			return err
		}
		return fmt.Errorf("set the password of user %s: %w", before.ID.Hex(), store.ErrPasswordChanged)
	}
	return nil
}

// Revocations implements store.Users.
func (s *People) Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error] {
	filter := bson.D{{Key: "password_changed_at", Value: bson.D{{Key: "$gte", Value: since}}}}
	changed := mongodb.Stream(ctx, s.users, bson.D{
		{Key: "find", Value: s.users.Name()}, {Key: "filter", Value: filter},
		{Key: "projection", Value: bson.D{{Key: "password_version", Value: 1}, {Key: "password_changed_at", Value: 1}}},
	}, UserDoc.revocation)
	erased := mongodb.Stream(ctx, s.erasedUsers, bson.D{
		{Key: "find", Value: s.erasedUsers.Name()}, {Key: "filter", Value: bson.D{{Key: "erased_at", Value: bson.D{{Key: "$gte", Value: since}}}}},
	}, erasedDoc.revocation)
	return func(yield func(store.Revocation, error) bool) {
		for _, part := range []iter.Seq2[store.Revocation, error]{changed, erased} {
			for r, err := range part {
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// versionIs selects users with this version of the password. It is missing until it is first
// incremented.
func versionIs(version int64) bson.E {
	if version == 0 {
		return bson.E{Key: "password_version", Value: bson.D{{Key: "$in", Value: bson.A{0, nil}}}}
	}
	return bson.E{Key: "password_version", Value: version}
}

// NameAttendees reads the names and addresses of attendees, and fills them in.
func (p *People) NameAttendees(ctx context.Context, attendees []store.Attendee) error {
	if len(attendees) == 0 {
		return nil
	}
	ids := make([]store.ID, len(attendees))
	for i, a := range attendees {
		ids[i] = a.UserID
	}
	type named struct {
		ID    store.ID `bson:"_id"`
		Name  string   `bson:"name"`
		Email string   `bson:"email"`
	}
	users, err := mongodb.QueryAll[named](ctx, p.users, bson.D{
		{Key: "find", Value: p.users.Name()}, {Key: "filter", Value: mongodb.In("_id", ids)},
		{Key: "projection", Value: bson.D{{Key: "name", Value: 1}, {Key: "email", Value: 1}}},
		{Key: "batchSize", Value: mongodb.BatchSize(len(ids))},
	})
	if err != nil {
		return fmt.Errorf("read the names of attendees: %w", mongodb.ReadError(err, nil))
	}
	byID := make(map[store.ID]named, len(users))
	for _, u := range users {
		byID[u.ID] = u
	}
	for i := range attendees {
		a := &attendees[i]
		a.Name, a.Email = byID[a.UserID].Name, byID[a.UserID].Email
	}
	return nil
}
