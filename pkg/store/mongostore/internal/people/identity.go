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
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// linkDoc is a document of the collection identity_links.
type linkDoc struct {
	ID        store.ID  `bson:"_id"`
	UserID    store.ID  `bson:"user_id"` // zero: the link was taken away
	ChangedAt time.Time `bson:"changed_at"`
}

func (d linkDoc) link() foreign.Link {
	return foreign.Link{ID: d.ID, UserID: d.UserID, ChangedAt: d.ChangedAt.UTC()}
}

// LinkIdentity implements foreign.Identities. A user who is erased between the two steps leaves a link that
// means nobody: erased people are barred by whatever leads to them.
func (s *People) LinkIdentity(ctx context.Context, link foreign.Link) error {
	if !link.UserID.IsZero() {
		if _, err := s.User(ctx, link.UserID); err != nil {
			return err
		}
	}
	_, err := s.identityLinks.ReplaceOne(ctx, bson.D{{Key: "_id", Value: link.ID}},
		linkDoc{ID: link.ID, UserID: link.UserID, ChangedAt: link.ChangedAt}, options.Replace().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("link identity %s with user %s: %w", link.ID.Hex(), link.UserID.Hex(), mongodb.WriteError(err))
	}
	return nil
}

// IdentityLinks implements foreign.Identities.
func (s *People) IdentityLinks(ctx context.Context, since time.Time) iter.Seq2[foreign.Link, error] {
	return mongodb.Stream(ctx, s.identityLinks, bson.D{
		{Key: "find", Value: s.identityLinks.Name()}, {Key: "filter", Value: bson.D{{Key: "changed_at", Value: bson.D{{Key: "$gte", Value: since}}}}},
	}, linkDoc.link)
}

// LinksOf implements foreign.Identities.
func (s *People) LinksOf(ctx context.Context, userID store.ID) (all []store.ID, err error) {
	links := mongodb.Stream(ctx, s.identityLinks, bson.D{
		{Key: "find", Value: s.identityLinks.Name()}, {Key: "filter", Value: bson.D{{Key: "user_id", Value: userID}}},
		{Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}},
	}, linkDoc.link)
	for link, err := range links {
		if err != nil {
			return nil, fmt.Errorf("list the identities of user %s: %w", userID.Hex(), err)
		}
		all = append(all, link.ID)
	}
	return all, nil
}

// idDoc is a document of which only the id is read.
type idDoc struct {
	ID store.ID `bson:"_id"`
}

func (d idDoc) id() store.ID { return d.ID }

// LockedUsers implements foreign.Identities.
func (s *People) LockedUsers(ctx context.Context) iter.Seq2[store.ID, error] {
	return mongodb.Stream(ctx, s.users, bson.D{
		{Key: "find", Value: s.users.Name()}, {Key: "filter", Value: bson.D{{Key: "locked_at", Value: bson.D{{Key: "$gt", Value: time.Time{}}}}}},
		{Key: "projection", Value: bson.D{{Key: "_id", Value: 1}}},
	}, idDoc.id)
}

// ErasedUsers implements foreign.Identities.
func (s *People) ErasedUsers(ctx context.Context) iter.Seq2[store.ID, error] {
	return mongodb.Stream(ctx, s.erasedUsers, bson.D{
		{Key: "find", Value: s.erasedUsers.Name()}, {Key: "projection", Value: bson.D{{Key: "_id", Value: 1}}},
	}, idDoc.id)
}

// NotePeople implements foreign.Identities.
func (s *People) NotePeople(ctx context.Context, people []store.User) error {
	left, err := s.unknown(ctx, people)
	if err != nil {
		return fmt.Errorf("read which of %d people of others are known: %w", len(people), mongodb.ReadError(err, nil))
	}
	if len(left) == 0 {
		return nil
	}
	if err := s.insertPeople(ctx, left); err != nil {
		return fmt.Errorf("note %d people of others: %w", len(people), mongodb.WriteError(err))
	}
	return nil
}

// unknown returns those of people who are no users and were not erased, with addresses whose older keys are nobody's.
func (s *People) unknown(ctx context.Context, people []store.User) (left []store.User, err error) {
	ids, older := make([]store.ID, 0, len(people)), []string{}
	for _, u := range people {
		ids = append(ids, u.ID)
		older = append(older, store.OlderEmailKeys(u.Email)...)
	}
	known := make(map[store.ID]bool)
	for _, c := range []*mongo.Collection{s.users, s.erasedUsers} {
		found, err := mongodb.QueryAll[idDoc](ctx, c, bson.D{
			{Key: "find", Value: c.Name()}, {Key: "filter", Value: mongodb.In("_id", ids)}, {Key: "projection", Value: mongodb.OnlyID()},
		})
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			known[d.ID] = true
		}
	}
	taken := make(map[string]bool)
	if len(older) > 0 {
		others, err := mongodb.QueryAll[UserDoc](ctx, s.users, bson.D{
			{Key: "find", Value: s.users.Name()}, {Key: "filter", Value: mongodb.In("email_key", older)},
			{Key: "projection", Value: bson.D{{Key: "email_key", Value: 1}}},
		})
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			taken[other.EmailKey] = true
		}
	}
	for _, u := range people {
		if known[u.ID] {
			continue
		}
		if slices.ContainsFunc(store.OlderEmailKeys(u.Email), func(key string) bool { return taken[key] }) {
			u = foreign.WithFreedEmail(u)
		}
		left = append(left, u)
	}
	return left, nil
}

// insertPeople inserts people, who are not stored or are being stored by another process.
func (s *People) insertPeople(ctx context.Context, people []store.User) error {
	for _, last := range []bool{false, true} {
		docs := make([]UserDoc, len(people))
		for i, u := range people {
			docs[i] = newUserDoc(u)
		}
		_, err := s.users.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
		failed, ok := errors.AsType[mongo.BulkWriteException](err)
		if err == nil || !ok || failed.WriteConcernError != nil {
			return err
		}
		var again []store.User
		for _, e := range failed.WriteErrors {
			if !mongo.IsDuplicateKeyError(e) {
				return err
			}
			again = append(again, foreign.WithFreedEmail(people[e.Index]))
		}
		if last { // another process was faster
			return nil
		}
		people = again
	}
	return nil
}
