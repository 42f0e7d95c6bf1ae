package event

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/cmd/eventio/internal/listing"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
)

// list has the flags of eventio event list.
type list struct {
	Of string `placeholder:"USER" help:"Only events of this organizer."`
}

// someone names an event.
type someone struct {
	ID string `arg:"" name:"id" help:"The id of the event, of 24 hexadecimal digits."`
}

// looking looks at events, and closes their registration.
type looking struct {
	st  setup.Store
	out *listing.Printer
}

// list prints all events, or those of one organizer.
func (l looking) list(ctx context.Context, organizer []store.ID) error {
	query := store.EventQuery{Limit: page}
	if len(organizer) > 0 {
		query.OrganizerID = organizer[0]
	}
	if err := l.out.Head("ID", "BEGINS", "TAKEN", "WAIT", "REGISTRATION", "TITLE"); err != nil {
		return err
	}
	for {
		found, err := l.st.FindEvents(ctx, query)
		if err != nil {
			return errors.Join(err, l.out.Flush())
		}
		now := time.Now()
		for _, e := range found.Events {
			_, registration := e.States(now)
			err := l.out.Row(wire.EventAt(e, now), e.ID.Hex(), e.StartsAt.Format(time.DateTime), fmt.Sprintf("%d/%d", e.TicketsSold, e.Capacity),
				strconv.FormatInt(e.Waiting, 10), string(registration), e.Title)
			if err != nil {
				return err
			}
		}
		if found.Next == nil {
			return l.out.Flush()
		}
		query.After = found.Next
	}
}

// show prints one event.
func (l looking) show(ctx context.Context, id store.ID) error {
	e, err := l.st.Event(ctx, id)
	if errors.Is(err, store.ErrEventNotFound) {
		return &process.Failure{Sentence: "no event has the id " + id.Hex() + "; eventio event list prints all", Cause: err}
	}
	if err != nil {
		return err
	}
	return l.out.One(wire.EventAt(e, time.Now()))
}

// close ends the registration of an event as its organizer would, at the present moment. One that has not begun yet will not
// begin. One that is closed stays as it is.
func (l looking) close(ctx context.Context, id store.ID) error {
	now := time.Now().UTC().Truncate(time.Millisecond)
	e, err := l.st.Event(ctx, id)
	if err == nil && (e.ClosesAt.IsZero() || e.ClosesAt.After(now)) {
		edit := store.Edit{Version: store.AnyVersion, ClosesAt: &now}
		if e.OpensAt.After(now) {
			edit.OpensAt = new(time.Time) // to close before the opening would be a contradiction
		}
		var results []store.SeatResult
		results, err = leases.Apply(ctx, l.st, []store.SeatRequest{{
			Kind: store.EditEvent, EventID: id, RequestID: rand.Text(), At: now, Actor: store.Actor{Kind: store.ActorOperator}, Edit: &edit,
		}})
		switch {
		case err != nil:
		case results[0].Outcome == store.EventCancelled:
			return &process.Failure{Sentence: "the event is cancelled, so nobody can register"}
		case results[0].Outcome != store.Edited && results[0].Outcome != store.EventNotFound:
			return fmt.Errorf("close event %s: %s", id.Hex(), results[0].Outcome)
		}
	}
	if err != nil && !errors.Is(err, store.ErrEventNotFound) {
		return err
	}
	return l.show(ctx, id)
}
