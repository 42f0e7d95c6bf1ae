package wire

import (
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// LiveEvent is where an event stands, as its live stream tells it.
type LiveEvent struct {
	EventID           store.ID                `json:"event_id"`
	Revision          int64                   `json:"revision"` // grows with every change
	Version           int64                   `json:"version"`  // grows with every edit
	Capacity          int64                   `json:"capacity"`
	TicketsSold       int64                   `json:"tickets_sold"`
	Waiting           int64                   `json:"waiting"`
	State             store.LifeState         `json:"state"`
	RegistrationState store.RegistrationState `json:"registration_state"`
}

// LiveEventOf makes the body of an event at a time.
func LiveEventOf(e store.Event, now time.Time) LiveEvent {
	life, registration := e.States(now)
	return LiveEvent{e.ID, e.Revision, e.Version, e.Capacity, e.TicketsSold, e.Waiting, life, registration}
}

// LiveGone is the last message of the live stream of an event that was deleted.
type LiveGone struct {
	EventID store.ID `json:"event_id"`
}
