package record

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// rowKey is the _id of a row of the record: unique, and in the order in which rows are read.
type rowKey struct {
	EventID  store.ID `bson:"event_id"`
	Revision int64    `bson:"revision"`
}

// Doc is a document of the collection changes.
type Doc struct {
	Key    rowKey    `bson:"_id"`
	At     time.Time `bson:"at"`
	Packed []byte    `bson:"packed"` // see changes.Pack
}

// NewDoc returns the document of a row.
func NewDoc(r store.ChangeRecord) Doc {
	return Doc{rowKey{r.EventID, r.Revision}, r.At, changes.Pack(r)}
}

func (d Doc) record() (store.ChangeRecord, error) {
	return changes.Unpack(d.Key.EventID, d.Key.Revision, d.At, d.Packed)
}

// Insert adds rows to the record, in the transaction of ctx. document makes the document of a row that
// starts no record.
func Insert(ctx context.Context, to *mongo.Collection, rows []store.ChangeRecord, document func(store.ChangeRecord) any) error {
	var added bson.A
	for _, r := range rows {
		if r.Start == "" {
			added = append(added, document(r))
			continue
		}
		// Where the record was removed only in part, its start replaces a row.
		d := NewDoc(r)
		_, err := to.ReplaceOne(ctx, bson.D{{Key: "_id", Value: d.Key}}, d, options.Replace().SetUpsert(true))
		if err != nil {
			return err
		}
	}
	if len(added) == 0 {
		return nil
	}
	return mongodb.InsertAll(ctx, to, added)
}

// EventChanges implements store.Changes.
func (s *Record) EventChanges(ctx context.Context, eventID store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error] {
	return records(mongodb.Stream(ctx, s.changes, bson.D{
		{Key: "find", Value: s.changes.Name()}, {Key: "filter", Value: OfEvent(eventID, after)},
		{Key: "sort", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "limit", Value: limit}, {Key: "batchSize", Value: mongodb.BatchSize(limit)},
	}, func(d Doc) Doc { return d }))
}

// Decode reads a document of the collection changes. Errors: store.ErrDamaged when it cannot be read.
func Decode(raw bson.Raw) (store.ChangeRecord, error) {
	var d Doc
	if err := bson.Unmarshal(raw, &d); err != nil {
		return store.ChangeRecord{}, fmt.Errorf("%w: the change %s cannot be read: %w", store.ErrDamaged, raw.Lookup("_id"), err)
	}
	return d.record()
}

// OfEvent selects the rows of an event with a revision above after.
func OfEvent(eventID store.ID, after int64) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gt", Value: rowKey{eventID, after}}, {Key: "$lte", Value: rowKey{eventID, maxRevision}},
	}}}
}

// OfEvents selects the rows of all events with ids from first to last.
func OfEvents(first, last store.ID) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gt", Value: rowKey{first, 0}}, {Key: "$lte", Value: rowKey{last, maxRevision}},
	}}}
}

const maxRevision = 1<<63 - 1

// records unpacks rows. It ends with the first one that cannot be read.
func records(docs iter.Seq2[Doc, error]) iter.Seq2[store.ChangeRecord, error] {
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
func (s *Record) NextChange() <-chan struct{} { return nil }

// endedEvent is what PruneChanges reads of an event.
type endedEvent struct {
	ID       store.ID `bson:"_id"`
	Revision int64    `bson:"revision"`
	Recorded int64    `bson:"recorded"`
}

// PruneChanges implements store.Changes. It marks an event first, so that a removal that was
// interrupted is found again, and keeps the last row until the event has no record: a batch that
// comes in between begins the record anew with that row.
func (s *Record) PruneChanges(ctx context.Context, endedBefore time.Time, limit int) (int, error) {
	ended := bson.D{{Key: "$lt", Value: endedBefore}}
	found, err := mongodb.FindAll[endedEvent](ctx, s.events, bson.D{
		{Key: "starts_at", Value: ended}, {Key: "ends_at", Value: ended}, {Key: "recorded", Value: bson.D{{Key: "$nin", Value: bson.A{0, nil}}}},
	}, options.Find().SetProjection(bson.D{{Key: "revision", Value: 1}, {Key: "recorded", Value: 1}}).SetSort(bson.D{{Key: "starts_at", Value: 1}, {Key: "_id", Value: 1}}).SetLimit(int64(limit)))
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

// Delete removes some rows of an event, marks the event, and returns how many these were, in the
// transaction of ctx.
func Delete(ctx context.Context, changes, events *mongo.Collection, id store.ID) (int, error) {
	rows, err := mongodb.FindAll[struct {
		Key rowKey `bson:"_id"`
	}](ctx, changes, OfEvent(id, 0), options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(store.DeleteBatch).SetProjection(mongodb.OnlyID()))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	_, err = events.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}}, bson.D{
		{Key: "$set", Value: bson.D{{Key: "recorded", Value: int64(store.RemovingRecord)}}}, {Key: "$inc", Value: bson.D{{Key: "fence", Value: 1}}},
	})
	if err != nil {
		return 0, err
	}
	keys := make([]rowKey, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	_, err = changes.DeleteMany(ctx, mongodb.In("_id", keys))
	return len(keys), err
}

func (s *Record) removeRecord(ctx context.Context, d endedEvent, ended bson.D) error {
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
			{Key: "$gte", Value: rowKey{d.ID, 0}}, {Key: op, Value: rowKey{d.ID, d.Revision}},
		}}}
	}
	if _, err := s.changes.DeleteMany(ctx, rows("$lt")); err != nil {
		return err
	}
	return mongodb.TryTransaction(ctx, s.client, func(ctx context.Context) error {
		last, err := set(ctx, store.RemovingRecord, 0)
		if err != nil || !last {
			return err
		}
		_, err = s.changes.DeleteMany(ctx, rows("$lte"))
		return err
	})
}
