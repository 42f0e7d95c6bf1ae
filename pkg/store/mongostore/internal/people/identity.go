package people

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
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
