package mongostore

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
)

// searchDoc has the fields of an event's document by which lists and searches find the event. They
// follow from the event. They may be missing or out of date where a process of an earlier version
// has written the event, so readers compare what they find; a recount repairs them.
type searchDoc struct {
	WordPrefixes []string `bson:"beginnings"`
	Available    bool     `bson:"available"`
}

func newSearchDoc(e store.Event) searchDoc { return searchDoc{search.WordPrefixes(e), e.IsAvailable()} }

// staleSearch says which of the search fields differ from the event; see verify.Snapshot.
func (d storedEvent) staleSearch() string {
	want := newSearchDoc(d.Event)
	words, available := slices.Equal(d.Search.WordPrefixes, want.WordPrefixes), d.Search.Available == want.Available
	switch {
	case !words && !available:
		return "its words and places left"
	case !words:
		return "its words"
	case !available:
		return "its places left"
	}
	return ""
}

// editedSearch returns the search fields that change with the texts of an event. It reads the texts
// that the edit leaves as they are, in the transaction of ctx.
func (s *Store) editedSearch(ctx context.Context, c store.Change) (bson.D, error) {
	if !c.Edit.ChangesSearch() {
		return nil, nil
	}
	var e store.Event
	texts := options.FindOne().SetProjection(bson.D{{Key: "title", Value: 1}, {Key: "description", Value: 1}, {Key: "place", Value: 1}})
	err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: c.Before.ID}}, texts).Decode(&e)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, errConflict
	}
	if err != nil {
		return nil, err
	}
	return bson.D{{Key: "beginnings", Value: search.WordPrefixes(c.Edit.Apply(e))}}, nil
}

// repairSearch repairs the search fields of an event, in the transaction of a recount. It does not
// change the event's revision, because nothing that anybody is told changes.
func (s *Store) repairSearch(ctx context.Context, id store.ID) error {
	var d storedEvent
	if err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return err
	}
	if d.staleSearch() == "" {
		return nil
	}
	_, err := s.events.UpdateByID(ctx, id, bson.D{{Key: "$set", Value: newSearchDoc(d.Event)}})
	return err
}
