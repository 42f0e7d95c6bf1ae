package mongostore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// changeKey is the _id of a row of the record: unique, and in the order in which rows are read.
type changeKey struct {
	EventID  store.ID `bson:"event_id"`
	Revision int64    `bson:"revision"`
}

// changeDoc is a document of the collection changes.
type changeDoc struct {
	Key    changeKey `bson:"_id"`
	At     time.Time `bson:"at"`
	Packed []byte    `bson:"packed"` // see store.ChangeRecord
}

func newChangeDoc(r store.ChangeRecord) changeDoc {
	return changeDoc{changeKey{r.EventID, r.Revision}, r.At, r.Pack()}
}

func (d changeDoc) record() (store.ChangeRecord, error) {
	return store.UnpackChange(d.Key.EventID, d.Key.Revision, d.At, d.Packed)
}

// insertChanges adds the rows of a batch to the record, in the transaction of ctx.
func (s *Store) insertChanges(ctx context.Context, writes []eventWrite) error {
	var added bson.A
	for _, w := range writes {
		if w.After.Revision == w.Before.Revision {
			continue // only the fence
		}
		for _, r := range w.Records() {
			if r.Start == "" {
				added = append(added, s.preconditions.change(r))
				continue
			}
			// Where the record was removed only in part, its start replaces a row.
			d := newChangeDoc(r)
			_, err := s.changes.ReplaceOne(ctx, bson.D{{Key: "_id", Value: d.Key}}, d, options.Replace().SetUpsert(true))
			if err != nil {
				return err
			}
		}
	}
	if len(added) == 0 {
		return nil
	}
	return insertAll(ctx, s.changes, added)
}

// insertImported adds an imported event and the row with which its record starts, in one
// transaction.
func (s *Store) insertImported(ctx context.Context, e storedEvent, start store.ChangeRecord) error {
	return s.tryTransaction(ctx, func(ctx context.Context) error {
		if _, err := s.events.InsertOne(ctx, e); err != nil {
			return err
		}
		d := newChangeDoc(start)
		_, err := s.changes.ReplaceOne(ctx, bson.D{{Key: "_id", Value: d.Key}}, d, options.Replace().SetUpsert(true))
		return err
	})
}

// EventChanges implements store.Changes.
func (s *Store) EventChanges(ctx context.Context, eventID store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error] {
	return records(mongodb.Stream(ctx, s.changes, bson.D{
		{Key: "find", Value: s.changes.Name()}, {Key: "filter", Value: changesOf(eventID, after)},
		{Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "limit", Value: limit}, {Key: "batchSize", Value: mongodb.BatchSize(limit)},
	}, func(d changeDoc) changeDoc { return d }))
}

// changesOf selects the rows of an event with a revision above after.
func changesOf(eventID store.ID, after int64) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gt", Value: changeKey{eventID, after}}, {Key: "$lte", Value: changeKey{eventID, maxRevision}},
	}}}
}

const maxRevision = 1<<63 - 1

// records unpacks rows. It ends with the first one that cannot be read.
func records(docs iter.Seq2[changeDoc, error]) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		for d, err := range docs {
			var r store.ChangeRecord
			if err == nil {
				r, err = d.record()
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// NextChange implements store.Changes: workers change events, and this process may be none.
func (s *Store) NextChange() <-chan struct{} { return nil }

// PruneChanges implements store.Changes. It marks an event first, so that a removal that was
// interrupted is found again, and keeps the last row until the event has no record: a batch that
// comes in between begins the record anew with that row.
func (s *Store) PruneChanges(ctx context.Context, endedBefore time.Time, limit int) (int, error) {
	ended := bson.D{{Key: "$lt", Value: endedBefore}}
	found, err := mongodb.FindAll[eventDoc](ctx, s.events, bson.D{
		{Key: "starts_at", Value: ended}, {Key: "ends_at", Value: ended}, {Key: "recorded", Value: bson.D{{Key: "$nin", Value: bson.A{0, nil}}}},
	}, options.Find().SetProjection(withoutTexts()).SetSort(bson.D{{Key: "starts_at", Value: 1}, {Key: "_id", Value: 1}}).SetLimit(int64(limit)))
	if err != nil {
		return 0, fmt.Errorf("find old events: %w", mongodb.ReadError(err, nil))
	}
	for n, d := range found {
		if err := s.removeRecord(ctx, d, ended); err != nil {
			return n, fmt.Errorf("remove the record of event %s: %w", d.ID.Hex(), mongodb.WriteError(err))
		}
	}
	return len(found), nil
}

// deleteChanges removes some rows of an event, marks the event, and returns how many these were, in the
// transaction of ctx.
func (s *Store) deleteChanges(ctx context.Context, id store.ID) (int, error) {
	rows, err := mongodb.FindAll[struct {
		Key changeKey `bson:"_id"`
	}](ctx, s.changes, changesOf(id, 0), options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(store.DeleteBatch).SetProjection(mongodb.OnlyID()))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	_, err = s.events.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, bson.D{
		{Key: "$set", Value: bson.D{{Key: "recorded", Value: int64(store.RemovingRecord)}}}, {Key: "$inc", Value: bson.D{{Key: "fence", Value: 1}}},
	})
	if err != nil {
		return 0, err
	}
	keys := make([]changeKey, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	_, err = s.changes.DeleteMany(ctx, mongodb.In("_id", keys))
	return len(keys), err
}

func (s *Store) removeRecord(ctx context.Context, d eventDoc, ended bson.D) error {
	set := func(ctx context.Context, recorded, to int64) (bool, error) {
		res, err := s.events.UpdateOne(ctx, bson.D{
			{Key: "_id", Value: d.ID}, {Key: "ends_at", Value: ended}, {Key: "revision", Value: d.Revision}, {Key: "recorded", Value: recorded},
		}, bson.D{{Key: "$set", Value: bson.D{{Key: "recorded", Value: to}}}, {Key: "$inc", Value: bson.D{{Key: "fence", Value: 1}}}})
		return err == nil && res.MatchedCount == 1, err
	}
	if d.Recorded != store.RemovingRecord {
		if marked, err := set(ctx, d.Recorded, store.RemovingRecord); err != nil || !marked {
			return err // it was changed meanwhile, and is found again
		}
	}
	rows := func(op string) bson.D {
		return bson.D{{Key: "_id", Value: bson.D{
			{Key: "$gte", Value: changeKey{d.ID, 0}}, {Key: op, Value: changeKey{d.ID, d.Revision}},
		}}}
	}
	if _, err := s.changes.DeleteMany(ctx, rows("$lt")); err != nil {
		return err
	}
	return s.tryTransaction(ctx, func(ctx context.Context) error {
		last, err := set(ctx, store.RemovingRecord, 0)
		if err != nil || !last {
			return err
		}
		_, err = s.changes.DeleteMany(ctx, rows("$lte"))
		return err
	})
}
