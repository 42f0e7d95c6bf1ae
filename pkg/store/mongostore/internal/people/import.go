package people

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/eventio/eventio/pkg/store/imports"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// pageSize is how many ids are looked up at once.
const pageSize = 1000

// KnownUsers implements imports.Store.
func (s *People) KnownUsers(ctx context.Context, ids []store.ID) (map[store.ID]bool, error) {
	known := make(map[store.ID]bool, len(ids))
	for page := range slices.Chunk(ids, pageSize) {
		found, err := mongodb.FindAll[struct {
			ID store.ID `bson:"_id"`
		}](ctx, s.users, mongodb.In("_id", page), options.Find().SetProjection(mongodb.OnlyID()))
		if err != nil {
			return nil, fmt.Errorf("look up %d users: %w", len(page), mongodb.ReadError(err, nil))
		}
		for _, d := range found {
			known[d.ID] = true
		}
	}
	return known, nil
}

// ImportUsers implements imports.Store.
func (s *People) ImportUsers(ctx context.Context, users []store.User) ([]imports.Outcome, error) {
	if len(users) == 0 {
		return nil, nil
	}
	outcomes := make([]imports.Outcome, len(users))
	ids := make([]store.ID, len(users))
	for i, u := range users {
		ids[i], outcomes[i] = u.ID, imports.Imported
	}
	erased, err := mongodb.FindAll[erasedDoc](ctx, s.erasedUsers, mongodb.In("_id", ids), options.Find())
	if err != nil {
		return nil, fmt.Errorf("import %d users: %w", len(users), err)
	}
	gone := make(map[store.ID]bool, len(erased))
	for _, d := range erased {
		gone[d.ID] = true
	}
	var docs []any
	var at []int // the index in users of each document
	for i, u := range users {
		if gone[u.ID] { // and does not come back
			outcomes[i] = imports.AlreadyThere
			continue
		}
		docs, at = append(docs, newUserDoc(u)), append(at, i)
	}
	if len(docs) == 0 {
		return outcomes, nil
	}
	refused, err := insertNew(ctx, s.users, docs)
	if err != nil {
		return nil, fmt.Errorf("import %d users: %w", len(users), err)
	}
	if len(refused) == 0 {
		return outcomes, nil
	}
	// Either the id or the e-mail address of a refused user is taken.
	known, err := s.KnownUsers(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, n := range refused {
		i := at[n]
		outcomes[i] = imports.AddressInUse
		if known[users[i].ID] {
			outcomes[i] = imports.AlreadyThere
		}
	}
	return outcomes, nil
}

// insertNew inserts those documents whose unique keys are new, and returns the indexes of the others
// in docs.
func insertNew(ctx context.Context, into *mongo.Collection, docs []any) (refused []int, err error) {
	_, err = into.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	var failed mongo.BulkWriteException
	if !errors.As(err, &failed) || failed.WriteConcernError != nil {
		return nil, err
	}
	for _, e := range failed.WriteErrors {
		if !mongo.IsDuplicateKeyError(e) {
			return nil, err
		}
		refused = append(refused, e.Index)
	}
	return refused, nil
}
