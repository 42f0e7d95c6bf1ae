// Package waitlist finds registrations in the waiting lists of events, and counts the gaps between their
// numbers in the collection waiting_gaps; see package waiting.
package waitlist

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// Lists are the waiting lists of all events.
type Lists struct{ events, registrations, gaps *mongo.Collection }

// New returns the waiting lists of a database.
func New(db *mongo.Database) Lists {
	return Lists{db.Collection("events"), db.Collection("registrations"), db.Collection("waiting_gaps")}
}

// gapsKey is the _id of a document of waiting_gaps.
type gapsKey struct {
	EventID store.ID `bson:"event_id"`
	Block   int64    `bson:"block"`
}

// gapsDoc is a document of waiting_gaps.
type gapsDoc struct {
	Key   gapsKey `bson:"_id"`
	Count int64   `bson:"count"`
}

// Numbers selects the registrations of an event that are not cancelled and have a number above after and
// at most through.
func Numbers(eventID store.ID, after, through int64) bson.D {
	return bson.D{
		{Key: "_id.event_id", Value: eventID},
		{Key: "cancelled", Value: false},
		{Key: "number", Value: bson.D{{Key: "$gt", Value: after}, {Key: "$lte", Value: through}}},
	}
}

// blocks selects the gaps of an event in blocks above after. A mongos finds the shard of the event by its second condition.
func blocks(eventID store.ID, after int64) bson.D {
	return bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gt", Value: gapsKey{eventID, after}}, {Key: "$lt", Value: gapsKey{eventID, 1 << 62}}}},
		{Key: "_id.event_id", Value: eventID},
	}
}

// Position returns the position of a number in the waiting list of an event, which was read before.
func (l Lists) Position(ctx context.Context, e store.Event, number int64) (int64, error) {
	if n, ok := waiting.Position(e, number); ok {
		return n, nil
	}
	// Near an end of the list there are few to count.
	behind, before := e.LastNumber-number, number-e.ConfirmedThrough
	switch {
	case before <= waiting.BlockSize:
		n, err := l.count(ctx, Numbers(e.ID, e.ConfirmedThrough, number))
		return max(1, n), err
	case behind <= waiting.BlockSize:
		n, err := l.count(ctx, Numbers(e.ID, number, e.LastNumber))
		return max(1, e.Waiting-n), err
	}
	n, ok, err := l.positionByGaps(ctx, e.ID, number)
	if err != nil || ok {
		return n, err
	}
	if behind < before {
		n, err = l.count(ctx, Numbers(e.ID, number, e.LastNumber))
		return max(1, e.Waiting-n), err
	}
	n, err = l.count(ctx, Numbers(e.ID, e.ConfirmedThrough, number))
	return max(1, n), err
}

// positionByGaps is Position for a list with gaps. All its reads are of one moment. ok is false when the gaps
// are not known.
func (l Lists) positionByGaps(ctx context.Context, eventID store.ID, number int64) (n int64, ok bool, err error) {
	session, err := l.events.Database().Client().StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return 0, false, mongodb.NothingStored(err)
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	if n, ok, err = l.positionIn(mongo.NewSessionContext(ctx, session), eventID, number); err != nil {
		return 0, false, mongodb.ReadError(err, store.ErrEventNotFound)
	}
	return n, ok, nil
}

// positionIn is positionByGaps in the session of ctx.
func (l Lists) positionIn(ctx context.Context, eventID store.ID, number int64) (n int64, ok bool, err error) {
	var e store.Event
	err = l.events.FindOne(ctx, bson.D{{Key: "_id", Value: eventID}}, options.FindOne().SetProjection(counters())).Decode(&e)
	if err != nil {
		return 0, false, err
	}
	if n, ok := waiting.Position(e, number); ok {
		return n, true, nil
	}
	from, before := e.ConfirmedThrough, int64(0)
	if number > waiting.Head(e) {
		list, err := l.list(ctx, e)
		if err != nil {
			return 0, false, err
		}
		if before, ok = list.Before(number); !ok {
			return 0, false, nil
		}
		from = waiting.First(waiting.BlockOf(number)) - 1
	}
	n, err = l.registrations.CountDocuments(ctx, Numbers(e.ID, from, number))
	return max(1, before+n), true, err
}

// counters is a projection to the fields that say where a waiting list begins and ends.
func counters() bson.D {
	return bson.D{{Key: "last_number", Value: 1}, {Key: "confirmed_through", Value: 1}, {Key: "waiting", Value: 1}}
}

// list reads a waiting list. ctx has a session in which all reads are of the moment at which e was read.
func (l Lists) list(ctx context.Context, e store.Event) (waiting.List, error) {
	list := waiting.List{Event: e}
	docs, err := mongodb.FindAll[gapsDoc](ctx, l.gaps, blocks(e.ID, waiting.BlockOf(e.ConfirmedThrough)),
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return list, err
	}
	for _, d := range docs {
		list.Gaps = append(list.Gaps, waiting.Gaps{Block: d.Key.Block, Count: d.Count})
	}
	// An aggregation, because neither a transaction nor a snapshot has the command count.
	list.InHead, err = l.registrations.CountDocuments(ctx, Numbers(e.ID, e.ConfirmedThrough, min(waiting.Head(e), e.LastNumber)))
	return list, err
}

// count counts the registrations that a query selects. The command count reads the keys of an index
// only; the driver's CountDocuments is an aggregation and takes several times as long.
func (l Lists) count(ctx context.Context, query bson.D) (int64, error) {
	var counted struct{ N int64 }
	err := l.registrations.Database().RunCommand(ctx, bson.D{
		{Key: "count", Value: l.registrations.Name()}, {Key: "query", Value: query},
		{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}},
	}).Decode(&counted)
	if err != nil {
		return 0, fmt.Errorf("count registrations: %w", mongodb.ReadError(err, nil))
	}
	return counted.N, nil
}

// Nth finds the n-th registration of the waiting list of e, in the transaction of ctx, in which e was
// read. It reads no documents of registrations.
func (l Lists) Nth(ctx context.Context, e store.Event, n int64) (store.LastWaiting, error) {
	if guess, ok := waiting.Nth(e, n); ok {
		if found, err := l.number(ctx, e, waiting.Seek{After: guess - 1}); err != nil || found == guess {
			return store.LastWaiting{Count: n, Number: found}, err
		}
	}
	list, err := l.list(ctx, e)
	if err != nil {
		return store.LastWaiting{}, err
	}
	seek, _ := list.Nth(n)
	found, err := l.number(ctx, e, seek)
	return store.LastWaiting{Count: n, Number: found}, err
}

// number finds the number of a registration in the waiting list of e.
func (l Lists) number(ctx context.Context, e store.Event, seek waiting.Seek) (int64, error) {
	var found struct{ Number int64 }
	err := l.registrations.FindOne(ctx, Numbers(e.ID, seek.After, e.LastNumber), options.FindOne().
		SetSort(bson.D{{Key: "number", Value: 1}}).SetSkip(seek.Skip).
		SetProjection(bson.D{{Key: "_id", Value: 0}, {Key: "number", Value: 1}})).Decode(&found)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, waiting.ErrFewer(e)
	}
	return found.Number, err
}

// Add counts the gaps that changes make, in the transaction of ctx, which writes the changes.
func (l Lists) Add(ctx context.Context, changes []store.Change) error {
	var writes []mongo.WriteModel
	for _, c := range changes {
		for _, g := range waiting.Made(c) {
			writes = append(writes, mongo.NewUpdateOneModel().SetUpsert(true).
				SetFilter(bson.D{{Key: "_id", Value: gapsKey{c.After.ID, g.Block}}}).
				SetUpdate(bson.D{{Key: "$inc", Value: bson.D{{Key: "count", Value: g.Count}}}}))
		}
	}
	if len(writes) == 0 {
		return nil
	}
	_, err := l.gaps.BulkWrite(ctx, writes)
	return err
}

// Recount counts the gaps of the waiting list of e anew.
func (l Lists) Recount(ctx context.Context, e store.Event) error {
	if err := l.Forget(ctx, e.ID); err != nil {
		return err
	}
	if _, ok := waiting.Nth(e, 1); ok {
		return nil
	}
	number := bson.D{{Key: "$subtract", Value: bson.A{"$number", bson.D{{Key: "$mod", Value: bson.A{"$number", int64(waiting.BlockSize)}}}}}}
	cursor, err := l.registrations.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: Numbers(e.ID, waiting.Head(e), e.LastNumber)}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: number}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	})
	if err != nil {
		return err
	}
	var groups []struct {
		First int64 `bson:"_id"`
		Count int64 `bson:"count"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return err
	}
	counted := make(map[int64]int64, len(groups))
	for _, g := range groups {
		counted[waiting.BlockOf(g.First)] = g.Count
	}
	var docs bson.A
	for _, g := range waiting.Counted(e, counted) {
		docs = append(docs, gapsDoc{gapsKey{e.ID, g.Block}, g.Count})
	}
	if len(docs) == 0 {
		return nil
	}
	return mongodb.InsertAll(ctx, l.gaps, docs)
}

// Forget removes the gaps of an event.
func (l Lists) Forget(ctx context.Context, eventID store.ID) error {
	_, err := l.gaps.DeleteMany(ctx, blocks(eventID, -1<<62))
	return err
}
