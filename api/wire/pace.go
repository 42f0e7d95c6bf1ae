package wire

import (
	"time"

	"github.com/eventio/eventio/pkg/store/changes"
)

// Minute tells what happened to the registrations of an event in one minute.
type Minute struct {
	At time.Time `json:"at"` // when it began
	// Registrations counts those that were made, with a seat or on the waiting list.
	Registrations int64 `json:"registrations"`
	Cancelled     int64 `json:"cancelled"`
	// TicketsSold and Waiting are those of the event at the end of the minute.
	TicketsSold int64 `json:"tickets_sold"`
	Waiting     int64 `json:"waiting"`
	// Refused counts answers sold_out; who asked three times counts three times.
	Refused int64 `json:"refused"`
}

// MinuteOf makes the body of a minute.
func MinuteOf(m changes.Minute) Minute {
	return Minute{m.At, m.Registrations, m.Cancelled, m.TicketsSold, m.Waiting, m.Refused}
}
