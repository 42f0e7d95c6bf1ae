package scan

import (
	"context"
	"iter"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
)

// Rows has the rows of some events, by cursors that go through the events in one order.
type Rows struct {
	held, cancelled, neither mongodb.EventCursor // registrations
	changes                  mongodb.EventCursor
}

// OpenRows returns the rows of events, whose ids ascend, by reads of both collections. It sends nothing yet.
func OpenRows(ctx context.Context, ids []store.ID, from, recorded *mongo.Collection) *Rows {
	const event, cancelled = "_id.event_id", "cancelled"
	order := bson.D{{Key: event, Value: 1}, {Key: cancelled, Value: 1}, {Key: "number", Value: 1}} // that of the index
	registrations := func(which any) mongodb.EventCursor {
		return mongodb.NewEventCursor(ctx, from, append(mongodb.In(event, ids), bson.E{Key: cancelled, Value: which}), order)
	}
	return &Rows{
		held: registrations(false), cancelled: registrations(true),
		neither: registrations(bson.D{{Key: "$nin", Value: bson.A{false, true}}}),
		changes: mongodb.NewEventCursor(ctx, recorded, record.OfEvents(ids[0], ids[len(ids)-1]), bson.D{{Key: "_id", Value: 1}}),
	}
}

// Close ends all reads.
func (e *Rows) Close() {
	for _, c := range []*mongodb.EventCursor{&e.held, &e.cancelled, &e.neither, &e.changes} {
		c.Close()
	}
}

// Records yields the record of an event.
func (e *Rows) Records(id store.ID) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		for {
			switch raw, err := e.changes.Peek(id); {
			case err != nil:
				yield(store.ChangeRecord{}, err)
				return
			case raw == nil || !yield(record.Decode(raw)):
				return
			}
			e.changes.Take()
		}
	}
}

// Registrations yields all registrations of an event by number, each as decode reads it: it merges those that
// are cancelled with the others, which the index has apart.
func (e *Rows) Registrations(id store.ID, decode func(bson.Raw) (store.Registration, error)) iter.Seq2[store.Registration, error] {
	return func(yield func(store.Registration, error) bool) {
		for {
			var from *mongodb.EventCursor
			var row bson.Raw
			var lowest int64 = math.MaxInt64
			for _, c := range []*mongodb.EventCursor{&e.neither, &e.held, &e.cancelled} {
				raw, err := c.Peek(id)
				if err != nil {
					yield(store.Registration{}, err)
					return
				}
				if raw == nil {
					continue
				}
				number, ok := raw.Lookup("number").AsInt64OK()
				if c == &e.neither || !ok {
					number = math.MinInt64 // Damaged, and told of first
				}
				if from == nil || number < lowest {
					from, row, lowest = c, raw, number
				}
			}
			if from == nil {
				return
			}
			var next store.Registration
			var err error
			if from == &e.neither {
				err = Damaged("the registration %s: cancelled is neither true nor false", row.Lookup("_id"))
			} else {
				next, err = decode(row)
			}
			if !yield(next, err) {
				return
			}
			from.Take()
		}
	}
}
