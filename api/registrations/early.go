package registrations

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// openingsKept is how many events are remembered of which somebody was told that they are not open yet.
	openingsKept = 4096
	// earlyMargin is how long before an opening the workers decide: their clocks may be ahead. store.Decide has the other side of it.
	earlyMargin = time.Second
)

// openings remembers when events open of which workers have said that they are not open yet. It is only a hint to look: an
// opening may be changed.
type openings struct {
	*lru.Cache[store.ID, time.Time]
}

func newOpenings() openings {
	known, err := lru.New[store.ID, time.Time](openingsKept)
	if err != nil { // cannot happen: the size is above 0
		panic(err)
	}
	return openings{known}
}

// early answers a request to register for an event that is not open yet, without a worker: the herd that waits for an opening
// must not be in its way. All who ask at once share a read of the event. It leaves to the workers what they have to look for: whether somebody
// is registered already, where anybody ever was, and the last second.
func (a *Handlers) early(ctx context.Context, event store.ID) (answer messages.Answer, ok bool) {
	opens, known := a.openings.Get(event)
	if !known || time.Until(opens) <= earlyMargin {
		return answer, false
	}
	e, err := a.Store.Event(ctx, event)
	if err != nil {
		return answer, false // a worker tells why
	}
	if e.LastNumber > 0 || !e.CancelledAt.IsZero() || time.Until(e.OpensAt) <= earlyMargin {
		a.openings.Remove(event) // no read more for each who comes now
		return answer, false
	}
	return messages.Answer{Reply: messages.SeatReply{Outcome: store.RegistrationNotOpen, OpensAt: e.OpensAt}}, true
}
