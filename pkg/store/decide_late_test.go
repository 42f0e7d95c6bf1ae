package store_test

import (
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestALateRegisterIsOvertaken: a Register that may have been refused since it was sent takes no seat, and is answered like
// every other one where it would take none.
func TestALateRegisterIsOvertaken(t *testing.T) {
	refused := time.Now()
	early, late := refused.Add(time.Second), refused.Add(-time.Second)
	free, full, line := newEvent(2), newEvent(0), newEvent(0)
	line.Waitlist = true
	user := store.NewID()
	live := store.Registration{UserID: user, Number: 1, RequestID: "r"}
	gone := live
	gone.Cancelled, gone.RequestID, gone.Revisions = true, "another", store.Revisions{2, 7}
	old := gone
	old.Revisions = nil
	seen := func(ago time.Duration, revision int64) [2]store.Sighting {
		return [2]store.Sighting{1: {At: late.Add(-ago), Revision: revision}}
	}
	for name, c := range map[string]struct {
		event     store.Event
		had       *store.Registration
		sent      time.Time
		here      bool
		elsewhere store.Elsewhere
		want      store.Outcome
	}{
		"nobody was refused":                              {free, nil, late, false, store.Elsewhere{}, store.Registered},
		"others have refused before":                      {free, nil, early, false, store.Elsewhere{Refused: refused}, store.Registered},
		"others may have refused it":                      {free, nil, late, false, store.Elsewhere{Refused: refused}, store.Overtaken},
		"others may have refused it a place":              {line, nil, late, false, store.Elsewhere{Refused: refused}, store.Overtaken},
		"it was refused here":                             {free, nil, early, true, store.Elsewhere{}, store.Overtaken},
		"it is refused again":                             {full, nil, late, true, store.Elsewhere{Refused: refused}, store.SoldOut},
		"it had succeeded":                                {free, &live, late, true, store.Elsewhere{Refused: refused}, store.Registered},
		"it may have found what was cancelled since":      {free, &gone, late, false, store.Elsewhere{Decided: refused}, store.Overtaken},
		"what was cancelled was seen before":              {free, &gone, late, false, store.Elsewhere{Decided: refused, Seen: seen(0, 7)}, store.Registered},
		"it was seen, but not cancelled yet":              {free, &gone, late, false, store.Elsewhere{Decided: refused, Seen: seen(0, 6)}, store.Overtaken},
		"it was seen too late":                            {free, &gone, late, false, store.Elsewhere{Decided: refused, Seen: seen(-1, 7)}, store.Overtaken},
		"it was seen, and others were refused":            {free, &gone, late, false, store.Elsewhere{Decided: refused, Refused: refused, Seen: seen(0, 7)}, store.Overtaken},
		"nobody knows when it was cancelled":              {free, &old, late, false, store.Elsewhere{Decided: refused, Seen: seen(0, 7)}, store.Overtaken},
		"it comes after what was cancelled":               {free, &gone, early, false, store.Elsewhere{Decided: refused}, store.Registered},
		"others have decided, and had nothing to refuse":  {free, nil, late, false, store.Elsewhere{Decided: refused}, store.Registered},
		"when it was sent is not known":                   {free, nil, time.Time{}, false, store.Elsewhere{Refused: refused, Decided: refused}, store.Registered},
		"when it was sent is not known, and it was there": {free, &gone, time.Time{}, false, store.Elsewhere{Decided: refused}, store.Registered},
	} {
		state := store.EventState{Event: c.event, Registrations: make(map[store.ID]store.Registration), Elsewhere: c.elsewhere}
		if c.had != nil {
			c.had.EventID = c.event.ID
			state.Registrations[user] = *c.had
			state.Event.LastNumber = 1
			if !c.had.Cancelled {
				state.Event.TicketsSold, state.Event.ConfirmedThrough = 1, 1
			}
		}
		req := store.SeatRequest{Kind: store.Register, EventID: c.event.ID, UserID: user, RequestID: "r", SentAt: c.sent, Refused: c.here}
		results, changes := store.Decide(map[store.ID]store.EventState{c.event.ID: state}, []store.SeatRequest{req})
		if got := results[0].Outcome; got != c.want || got == store.Overtaken && len(changes) > 0 {
			t.Errorf("%s: %s with %d changes, want %s", name, got, len(changes), c.want)
		}
	}
}

// TestWhoWasSentBeforeTheOpeningIsOvertaken: an API process tells by itself who comes a second or more before an event opens that
// it is not open yet. What was sent then must not get a seat when it comes late.
func TestWhoWasSentBeforeTheOpeningIsOvertaken(t *testing.T) {
	opens := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	event := store.Event{ID: store.NewID(), Capacity: 1, OpensAt: opens, StartsAt: opens.Add(time.Hour), EndsAt: opens.Add(2 * time.Hour)}
	for name, c := range map[string]struct {
		sent, at time.Duration // from the opening on
		want     store.Outcome
	}{
		"it comes before the opening":          {-2 * time.Second, -time.Second, store.RegistrationNotOpen},
		"it was sent long before, and is late": {-time.Second, time.Second, store.Overtaken},
		"it was sent just before":              {-100 * time.Millisecond, time.Second, store.Registered},
		"it was sent after":                    {time.Millisecond, time.Second, store.Registered},
	} {
		req := store.SeatRequest{Kind: store.Register, EventID: event.ID, UserID: store.NewID(), RequestID: "r", SentAt: opens.Add(c.sent), At: opens.Add(c.at)}
		results, _ := store.Decide(map[store.ID]store.EventState{event.ID: {Event: event}}, []store.SeatRequest{req})
		if got := results[0].Outcome; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	late := store.SeatRequest{Kind: store.Register, EventID: event.ID, UserID: store.NewID(), RequestID: "r", SentAt: opens.Add(-time.Hour), At: opens.Add(-time.Hour + time.Second)}
	earlier := store.SeatRequest{Kind: store.EditEvent, EventID: event.ID, RequestID: "e", At: late.At, Edit: &store.Edit{Version: store.AnyVersion, OpensAt: new(opens.Add(-2 * time.Hour))}}
	results, _ := store.Decide(map[store.ID]store.EventState{event.ID: {Event: event}}, []store.SeatRequest{earlier, late})
	if results[0].Outcome != store.Edited || results[1].Outcome != store.Overtaken {
		t.Errorf("in one batch with an edit that opens it: %v", results)
	}
}
