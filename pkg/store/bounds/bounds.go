// Package bounds has the bounds of what people write into an event: the same for an API process, which tells the client
// what is wrong, and for a worker, which believes no message.
package bounds

import (
	"errors"
	"fmt"
	"time"

	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/internal/zone"
)

// The bounds of an event's fields. Characters are Unicode code points.
const (
	MaxTitle       = 200           // characters
	MaxDescription = 10_000        // characters
	MaxVenue       = 200           // characters
	MaxCapacity    = 1_000_000_000 // seats
)

// Line returns the normal form of a required text of one line: see text.Line. An error says in words
// that follow the field's name why it has none.
func Line(value string, maxChars int) (string, error) { return text.Line(value, maxChars) }

// OptionalLine is Line for a text that may be empty.
func OptionalLine(value string, maxChars int) (string, error) {
	if value == "" {
		return "", nil
	}
	return Line(value, maxChars)
}

// Text returns the normal form of a text that may be empty and may have several lines: see text.Lines.
// An error says in words that follow the field's name why it has none.
func Text(value string, maxChars int) (string, error) { return text.Lines(value, maxChars) }

// Instant returns the normal form of a time: in UTC and milliseconds. An error says in words that
// follow the field's name why it has none.
func Instant(t time.Time) (time.Time, error) {
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return time.Time{}, errors.New("must be in the years 1 to 9999")
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// TimeZone checks the name of a time zone, which may be empty. An error says in words that follow
// the field's name why it is none.
func TimeZone(name string) error {
	if name == "" {
		return nil
	}
	if _, err := zone.Load(name); err != nil {
		return errors.New("must be a time zone name of the IANA database, such as Europe/Berlin")
	}
	return nil
}

// Capacity checks a number of seats. An error says in words that follow the field's name why it
// cannot be.
func Capacity(seats int64) error {
	if seats < 1 || seats > MaxCapacity {
		return fmt.Errorf("must be a whole number from 1 to %d", MaxCapacity)
	}
	return nil
}
