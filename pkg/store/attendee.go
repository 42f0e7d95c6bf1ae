package store

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Attendee is a registration that is not cancelled, with the name and the address of its user. Both
// are empty when the store has no such user: an API in trusted mode takes any user id.
type Attendee struct {
	UserID       ID
	Number       int64 // in the event's order of admission
	RegisteredAt time.Time
	Name, Email  string
}

// AttendeeQuery selects attendees of an event. They come by Number.
type AttendeeQuery struct {
	EventID ID
	// After and Through bound the numbers: those above After and at most Through.
	After, Through int64
	Descending     bool // the highest Number first
	Limit          int  // attendees at most; 0: no limit
}

// Attendees reads who comes to an event.
type Attendees interface {
	// Attendees reads the attendees that q selects, in constant memory, at a cost that grows with
	// their number only. Its reads see everything that was acknowledged before they began. An event
	// that does not exist has none. Errors: ErrUnavailable, and ErrNothingStored for a fault that
	// does not pass; at most one, as the last element.
	Attendees(ctx context.Context, q AttendeeQuery) iter.Seq2[Attendee, error]
}

// MatchesWords reports whether each of the words, as Words returns them, is the beginning of a word
// of the name or of the address, or is the number or the user's id.
func (a Attendee) MatchesWords(words []string) bool {
	own := Words(a.Name + " " + a.Email)
	number, id := strconv.FormatInt(a.Number, 10), strings.ToUpper(a.UserID.Hex())
	return !slices.ContainsFunc(words, func(w string) bool {
		return w != number && w != id && !slices.ContainsFunc(own, func(o string) bool { return strings.HasPrefix(o, w) })
	})
}

// NameKey returns the form of the name by which attendees are sorted: without regard to case and
// diacritics, as searches compare.
func (a Attendee) NameKey() string { return fold(strings.TrimSpace(a.Name)) }
