package search

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Matches reports whether the query selects e, apart from After and Limit.
func Matches(q store.EventQuery, e store.Event) bool {
	return !e.StartsAt.Before(q.From) && // no event is before the zero time
		(q.To.IsZero() || e.StartsAt.Before(q.To)) &&
		(q.EndsAfter.IsZero() || e.EndsAt.After(q.EndsAfter)) &&
		(q.OrganizerID.IsZero() || e.OrganizerID == q.OrganizerID) &&
		(!q.Available || e.IsAvailable() && takes(q, e)) && (q.Words == nil || len(q.Words) > 0 && matchesEvent(e, q.Words))
}

// takes reports whether one can register for an event at the time that the query names.
func takes(q store.EventQuery, e store.Event) bool {
	_, registration := e.States(q.At)
	return q.At.IsZero() || registration == store.RegistrationIsOpen
}

// next returns the cursor that follows c immediately: the one above it or, descending, below it.
func next(c store.EventCursor, descending bool) store.EventCursor {
	step, wraps, ms := byte(1), byte(0), time.Millisecond
	if descending {
		step, wraps, ms = 0xff, 0xff, -ms
	}
	for i := len(c.ID) - 1; i >= 0; i-- {
		if c.ID[i] += step; c.ID[i] != wraps {
			return c
		}
	}
	c.StartsAt = c.StartsAt.Add(ms) // times keep milliseconds
	return c
}

// MatchesAttendee reports whether each of the words, as Words returns them, is the beginning of a word
// of the name or of the address, or is the number or the user's id.
func MatchesAttendee(a store.Attendee, words []string) bool {
	own := Words(a.Name + " " + a.Email)
	number, id := strconv.FormatInt(a.Number, 10), strings.ToUpper(a.UserID.Hex())
	return !slices.ContainsFunc(words, func(w string) bool {
		return w != number && w != id && !slices.ContainsFunc(own, func(o string) bool { return strings.HasPrefix(o, w) })
	})
}

// NameKey returns the form of the name by which attendees are sorted: without regard to case and
// diacritics, as searches compare.
func NameKey(a store.Attendee) string { return fold(strings.TrimSpace(a.Name)) }
