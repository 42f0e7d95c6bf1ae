package store

import "time"

// LifeState says where an event is in its life. Never rename, never reuse.
type LifeState string

// The states of an event's life.
const (
	LifeUpcoming  LifeState = "upcoming"  // it has not begun
	LifeRunning   LifeState = "running"   // it has begun and not ended
	LifeEnded     LifeState = "ended"     // it is over
	LifeCancelled LifeState = "cancelled" // the organizer has cancelled it
)

// RegistrationState says whether one can register for an event, and why not. Never rename,
// never reuse.
type RegistrationState string

// The states of an event's registration.
const (
	RegistrationIsOpen      RegistrationState = "open"       // a place is to be had now
	RegistrationOpensSoon   RegistrationState = "opens_soon" // from Event.OpensAt on
	RegistrationIsFull      RegistrationState = "full"       // all places are taken
	RegistrationHasLine     RegistrationState = "waitlist"   // all places are taken, and one can wait for one
	RegistrationIsClosed    RegistrationState = "closed"     // since Event.ClosesAt
	RegistrationHasEnded    RegistrationState = "ended"      // the event is over
	RegistrationIsCancelled RegistrationState = "cancelled"  // the event is cancelled
)

// States says at which point of its life an event is at a time, and what its registration is
// then. It is what people are told; who gets a seat is for Decide alone, which also takes
// people for an event that is over, as the original does.
func (e Event) States(now time.Time) (LifeState, RegistrationState) {
	life := LifeUpcoming
	switch {
	case !e.CancelledAt.IsZero():
		return LifeCancelled, RegistrationIsCancelled
	case !now.Before(e.EndsAt):
		return LifeEnded, RegistrationHasEnded
	case !now.Before(e.StartsAt):
		life = LifeRunning
	}
	switch {
	case !e.ClosesAt.IsZero() && !now.Before(e.ClosesAt):
		return life, RegistrationIsClosed
	case now.Before(e.OpensAt): // zero: never
		return life, RegistrationOpensSoon
	case e.TicketsSold < e.Capacity && e.Waiting == 0:
		return life, RegistrationIsOpen
	case e.Waitlist:
		return life, RegistrationHasLine
	}
	return life, RegistrationIsFull
}
