package mongodb

import (
	"bytes"
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

// EventCursor reads documents whose _id has an event_id, in the order of the events.
type EventCursor struct {
	ctx     context.Context //nolint:containedctx // of one read, like the cursor
	open    func() (*mongo.Cursor, error)
	name    string // of the collection
	cursor  *mongo.Cursor
	current bson.Raw // nil: the next one is to be read
	ended   bool
}

// NewEventCursor returns a cursor over what a filter selects, in an order that begins with the events. It sends
// nothing before the first Peek, which is to be called for events with ascending ids.
func NewEventCursor(ctx context.Context, from *mongo.Collection, filter, order bson.D) EventCursor {
	return EventCursor{ctx: ctx, name: from.Name(), open: func() (*mongo.Cursor, error) {
		return from.Find(ctx, filter, options.Find().SetSort(order).SetAllowDiskUse(true)) // an index may be missing
	}}
}

// Peek returns the current document if it is of the event, and else nil. It passes over those of events
// before, of which not everything was read. A document without such an _id counts for the event that is read.
func (c *EventCursor) Peek(id store.ID) (_ bson.Raw, err error) {
	if c.cursor == nil {
		if c.cursor, err = c.open(); err != nil {
			return nil, fmt.Errorf("read %s: %w", c.name, ReadError(err, nil))
		}
	}
	for {
		if c.current == nil {
			if c.ended = c.ended || !c.cursor.Next(c.ctx); c.ended {
				if err := c.cursor.Err(); err != nil {
					return nil, fmt.Errorf("read %s: %w", c.name, ReadError(err, nil))
				}
				return nil, nil
			}
			c.current = c.cursor.Current
		}
		of, ok := c.current.Lookup("_id", "event_id").ObjectIDOK()
		if !ok {
			return c.current, nil
		}
		switch order := bytes.Compare(of[:], id[:]); {
		case order == 0:
			return c.current, nil
		case order > 0:
			return nil, nil
		}
		c.Take()
	}
}

// Take passes over the current document.
func (c *EventCursor) Take() { c.current = nil }

// Close closes the cursor.
func (c *EventCursor) Close() {
	if c.cursor != nil {
		CloseCursor(c.ctx, c.cursor)
	}
}
