package registrations

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// openingsKept is how many events are remembered of which a worker said that they are not open yet.
	openingsKept = 4096
	// openingKept is how long: so far the clocks that count time may drift apart, and no further.
	openingKept = 10 * time.Minute
	// earlyMargin is how long before an opening the workers decide: it takes time to ask them, and their clocks may differ.
	// store.Decide has the other side of it.
	earlyMargin = time.Second
	// costOfEarlyDecision is what a try counts, in reads, that a worker has refused because the event is not open.
	costOfEarlyDecision = 20
)

// opening is what a worker said of an event that is not open yet. It is only a hint to look: an opening may be moved.
type opening struct {
	at  time.Time // of the event
	due time.Time // the same by the clock of this process: when the worker's time is over
	end time.Time // of the hint
}

// openings remembers openings of events. It is safe for concurrent use.
type openings struct {
	*lru.Cache[store.ID, opening]
}

func newOpenings() openings {
	known, err := lru.New[store.ID, opening](openingsKept)
	if err != nil { // cannot happen: the size is above 0
		panic(err)
	}
	return openings{known}
}

// note remembers what a worker said. One of the version before does not say how long it is.
func (o openings) note(event store.ID, reply messages.SeatReply) {
	now := time.Now()
	if wait := serve.OpensIn(reply); wait > earlyMargin {
		o.Add(event, opening{reply.OpensAt, now.Add(wait), now.Add(min(wait-earlyMargin, openingKept))})
	}
}

// early answers a request to register for an event that is not open yet, without a worker: the herd that waits for an opening
// must not be in its way. All who ask at once share a read of the event. It goes by the worker's clock, and leaves to the workers what they have to look
// for: whether somebody is registered already, where anybody ever was, and the last second.
func (a *Handlers) early(r *serve.Request, event store.ID) (answer messages.Answer, ok bool) {
	hint, known := a.openings.Peek(event) // every request to register comes by here, and almost none finds any
	if !known {
		return answer, false
	}
	if time.Now().Before(hint.end) {
		e, err := a.Store.Event(r.Context(), event)
		wait := time.Until(hint.due)
		if err == nil && e.OpensAt.Equal(hint.at) && e.LastNumber == 0 && e.CancelledAt.IsZero() && time.Now().Before(hint.end) {
			return messages.Answer{Reply: messages.SeatReply{Outcome: store.RegistrationNotOpen, OpensAt: e.OpensAt, OpensInMillis: wait.Milliseconds()}}, true
		}
	}
	a.openings.Remove(event) // a worker tells why, and who comes when it is open waits for no read
	return answer, false
}
