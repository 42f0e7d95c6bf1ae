package store

import (
	"testing"
	"time"
)

func TestStates(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2027, 5, 1, hour, 0, 0, 0, time.UTC) }
	event := func(change func(*Event)) Event {
		e := Event{Capacity: 2, StartsAt: at(18), EndsAt: at(20)}
		if change != nil {
			change(&e)
		}
		return e
	}
	full := func(e *Event) { e.TicketsSold = 2 }
	line := func(e *Event) { e.TicketsSold, e.Waitlist = 2, true }
	hours := func(e *Event) { e.OpensAt, e.ClosesAt = at(9), at(17) }
	for name, test := range map[string]struct {
		event Event
		now   time.Time
		life  LifeState
		want  RegistrationState
	}{
		"places left":                          {event(nil), at(8), LifeUpcoming, RegistrationIsOpen},
		"one place left":                       {event(func(e *Event) { e.TicketsSold = 1 }), at(8), LifeUpcoming, RegistrationIsOpen},
		"a place left, and people wait":        {event(func(e *Event) { e.TicketsSold, e.Waiting = 1, 1 }), at(8), LifeUpcoming, RegistrationIsFull},
		"a place left, and a line":             {event(func(e *Event) { e.TicketsSold, e.Waiting, e.Waitlist = 1, 1, true }), at(8), LifeUpcoming, RegistrationHasLine},
		"full":                                 {event(full), at(8), LifeUpcoming, RegistrationIsFull},
		"full, with a waiting list":            {event(line), at(8), LifeUpcoming, RegistrationHasLine},
		"before the hours":                     {event(hours), at(8), LifeUpcoming, RegistrationOpensSoon},
		"at the first moment of the hours":     {event(hours), at(9), LifeUpcoming, RegistrationIsOpen},
		"just before the last moment":          {event(hours), at(17).Add(-time.Millisecond), LifeUpcoming, RegistrationIsOpen},
		"at the end of the hours":              {event(hours), at(17), LifeUpcoming, RegistrationIsClosed},
		"full before the hours":                {event(func(e *Event) { hours(e); full(e) }), at(8), LifeUpcoming, RegistrationOpensSoon},
		"full after the hours":                 {event(func(e *Event) { hours(e); line(e) }), at(17), LifeUpcoming, RegistrationIsClosed},
		"running":                              {event(nil), at(18), LifeRunning, RegistrationIsOpen},
		"running, after the hours":             {event(hours), at(19), LifeRunning, RegistrationIsClosed},
		"just before the end":                  {event(nil), at(20).Add(-time.Millisecond), LifeRunning, RegistrationIsOpen},
		"over":                                 {event(nil), at(20), LifeEnded, RegistrationHasEnded},
		"over, with hours that are still open": {event(func(e *Event) { e.ClosesAt = at(23) }), at(21), LifeEnded, RegistrationHasEnded},
		"cancelled":                            {event(func(e *Event) { e.CancelledAt = at(7) }), at(8), LifeCancelled, RegistrationIsCancelled},
		"cancelled and over":                   {event(func(e *Event) { e.CancelledAt = at(7) }), at(21), LifeCancelled, RegistrationIsCancelled},
	} {
		if life, got := test.event.States(test.now); life != test.life || got != test.want {
			t.Errorf("%s: %s and %s, want %s and %s", name, life, got, test.life, test.want)
		}
	}
}

func TestWhichEventsAreAvailable(t *testing.T) {
	for name, c := range map[string]struct {
		event Event
		want  bool
	}{
		"the last seat":            {Event{Capacity: 2, TicketsSold: 1}, true},
		"none left":                {Event{Capacity: 2, TicketsSold: 2}, false},
		"more sold than there are": {Event{Capacity: 2, TicketsSold: 3}, false},
		"cancelled":                {Event{Capacity: 2, CancelledAt: time.UnixMilli(1)}, false},
	} {
		if c.event.IsAvailable() != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}

// TestAnEventWithoutSomeOfItsRegistrations checks the counters of an event that is being deleted.
func TestAnEventWithoutSomeOfItsRegistrations(t *testing.T) {
	e := Event{Capacity: 9, TicketsSold: 4, Waiting: 3, LastNumber: 8, ConfirmedThrough: 5, Revision: 7, Recorded: 7}
	got := e.Without([]Registration{{Number: 1}, {Number: 5}, {Number: 6}, {Number: 2, Cancelled: true}, {Number: 7, Cancelled: true}})
	want := e
	want.TicketsSold, want.Waiting, want.Revision, want.Recorded = 2, 2, 8, RemovingRecord
	if !got.Equal(want) {
		t.Errorf("%+v", got)
	}
}
