package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

// storedEvent is a document of the events collection as it is written: the event, and what
// lists and searches find it by. Both follow from the event. They may be missing or old where
// a process of an earlier version has written, so readers compare what they find; a recount
// sets them right.
type storedEvent struct {
	Event  eventDoc  `bson:",inline"`
	Search searchDoc `bson:",inline"`
}

// searchDoc is what an event is found by.
type searchDoc struct {
	Beginnings []string `bson:"beginnings"` // of its words, see store.Event.Beginnings
	Available  bool     `bson:"available"`
}

// withoutSearch leaves that out.
func withoutSearch() bson.D {
	return bson.D{{Key: "beginnings", Value: 0}, {Key: "available", Value: 0}}
}

func storedEventOf(e store.Event) storedEvent {
	return storedEvent{eventDoc{
		ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Description: e.Description,
		Place: e.Place, TimeZone: e.TimeZone, Waitlist: e.Waitlist, StartsAt: e.StartsAt, EndsAt: e.EndsAt,
		OpensAt: e.OpensAt, ClosesAt: e.ClosesAt, CancelledAt: e.CancelledAt, CreatedAt: e.CreatedAt,
		Version: e.Version, Revision: e.Revision, LastEdit: e.LastEdit,
		Capacity: e.Capacity, TicketsSold: e.TicketsSold, Waiting: e.Waiting,
		LastNumber: e.LastNumber, ConfirmedThrough: e.ConfirmedThrough,
	}, searchDocOf(e)}
}

func searchDocOf(e store.Event) searchDoc { return searchDoc{e.Beginnings(), e.IsAvailable()} }

// unfindable says what of an event would not be found; see store.EventSnapshot.
func (d storedEvent) unfindable() string {
	want := searchDocOf(d.Event.event())
	words, places := slices.Equal(d.Search.Beginnings, want.Beginnings), d.Search.Available == want.Available
	switch {
	case !words && !places:
		return "its words and places left"
	case !words:
		return "its words"
	case !places:
		return "its places left"
	}
	return ""
}

// editedBeginnings is the field to set when an edit changes a text: of what the texts will
// be. The transaction of the edit reads them.
func (s *Store) editedBeginnings(ctx context.Context, c store.Change) (bson.D, error) {
	if c.Edit.Title == nil && c.Edit.Description == nil && c.Edit.Place == nil {
		return nil, nil
	}
	var d eventDoc
	texts := options.FindOne().SetProjection(bson.D{{Key: "title", Value: 1}, {Key: "description", Value: 1}, {Key: "place", Value: 1}})
	err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: c.Before.ID}}, texts).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, errMoved
	}
	if err != nil {
		return nil, err
	}
	return bson.D{{Key: "beginnings", Value: c.Edit.Texts(d.event()).Beginnings()}}, nil
}

// mendSearch sets right what an event is found by, in the transaction of a recount. No
// revision counts that: it changes nothing that anybody is told.
func (s *Store) mendSearch(ctx context.Context, id store.ID) error {
	var d storedEvent
	if err := s.events.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d); err != nil {
		return err
	}
	if d.unfindable() == "" {
		return nil
	}
	_, err := s.events.UpdateByID(ctx, id, bson.D{{Key: "$set", Value: searchDocOf(d.Event.event())}})
	return err
}

const (
	// searchStep is the step of the schema that fillSearch is.
	searchStep = 3
	// fillBatch is how many events are read and written at once.
	fillBatch = 500
)

// fillSearch is step 3: all events get what they are found by. The indexes come last, which
// is faster than keeping them up; then come those events that processes of the version before
// have written meanwhile. It may be interrupted anywhere: what an event has is not written
// again.
func fillSearch(ctx context.Context, db *mongo.Database, done func(n, all int64)) error {
	events := db.Collection("events")
	all, err := events.EstimatedDocumentCount(ctx)
	if err != nil {
		return err
	}
	var n int64
	for after := (store.ID{}); ; {
		page, err := fillPage(ctx, events, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: after}}}}, bson.D{{Key: "_id", Value: 1}})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		n, after = n+int64(len(page)), page[len(page)-1].ID
		done(n, max(n, all))
	}
	if err := ensure(ctx, db, searchStep); err != nil {
		return err
	}
	for {
		// By the index of beginnings, which has those without any under null.
		page, err := fillPage(ctx, events, bson.D{{Key: "beginnings", Value: nil}}, bson.D{})
		if err != nil || len(page) == 0 {
			return err
		}
	}
}

// fillPage fills the first events that the filter leaves, in that order, and returns them as
// they were read.
func fillPage(ctx context.Context, events *mongo.Collection, filter, order bson.D) ([]eventDoc, error) {
	how := options.Find().SetSort(order).SetLimit(fillBatch).SetProjection(bson.D{
		{Key: "title", Value: 1}, {Key: "description", Value: 1}, {Key: "place", Value: 1}, {Key: "version", Value: 1},
	})
	page, err := all[eventDoc](ctx, events, filter, how)
	if err != nil || len(page) == 0 {
		return nil, err
	}
	writes := make([]mongo.WriteModel, len(page))
	for i, d := range page {
		writes[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{
			{Key: "_id", Value: d.ID}, {Key: "version", Value: d.Version}, {Key: "beginnings", Value: nil},
		}).SetUpdate(mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: "beginnings", Value: bson.D{{Key: "$literal", Value: d.event().Beginnings()}}},
			{Key: "available", Value: availableNow()},
		}}}})
	}
	if _, err := events.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
		return nil, fmt.Errorf("fill %d events: %w", len(page), err)
	}
	return page, nil
}

// availableNow is store.Event.IsAvailable for the server, which knows the seats of now. Year
// 1 stands for no time.
func availableNow() bson.D {
	none := store.Event{}.CancelledAt
	return bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "$lt", Value: bson.A{"$tickets_sold", "$capacity"}}},
		bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$cancelled_at", none}}}, none}}},
	}}}
}
