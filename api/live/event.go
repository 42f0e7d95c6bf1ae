package live

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

// The names of the messages of streams.
const (
	EventState = "state"     // where an event stands: wire.LiveEvent
	EventGone  = "gone"      // the event was deleted: wire.LiveGone
	OwnChange  = "change"    // what happened to a registration: wire.Change
	Heartbeat  = "heartbeat" // nothing: the connection is alive
)

// eventFeed reads where an event stands.
type eventFeed struct {
	store Store
	id    store.ID
	last  wire.LiveEvent
}

func newEventFeed(st Store, id store.ID) *eventFeed { return &eventFeed{store: st, id: id} }

// Read implements Feed.
func (f *eventFeed) Read(ctx context.Context) (frames []Frame, next time.Time, err error) {
	e, err := f.store.Event(ctx, f.id)
	if errors.Is(err, store.ErrEventNotFound) {
		frame, encoding := newFrame(EventGone, "", wire.LiveGone{EventID: f.id})
		return []Frame{frame}, time.Time{}, errors.Join(ErrGone, encoding)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	now := time.Now()
	next = nextMoment(e, now)
	state := wire.LiveEventOf(e, now)
	if state.Revision < f.last.Revision || state == f.last { // older than what was told, or no news
		return nil, next, nil
	}
	frame, err := newFrame(EventState, strconv.FormatInt(state.Revision, 10), state)
	if err != nil {
		return nil, next, err
	}
	frame.Revision = state.Revision
	f.last = state
	return []Frame{frame}, next, nil
}

// nextMoment returns when the states of an event change next by the clock alone, or zero.
func nextMoment(e store.Event, now time.Time) (next time.Time) {
	for _, at := range []time.Time{e.OpensAt, e.ClosesAt, e.StartsAt, e.EndsAt} {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// newFrame makes a frame of a body.
func newFrame(event, id string, body any) (Frame, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return Frame{}, fmt.Errorf("encode a message of a stream: %w", err)
	}
	return Frame{ID: id, Event: event, Data: data}, nil
}
