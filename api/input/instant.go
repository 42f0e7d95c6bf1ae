package input

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store/bounds"
)

// rfc3339 matches the grammar of RFC 3339, section 5.6, in upper case. time.Parse also takes hours of
// one digit, commas before fractions, and offsets that do not exist.
var rfc3339 = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d)(?:\.\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$`)

var errNoTime = errors.New("not a time of RFC 3339")

// parseInstant reads a time of RFC 3339, with any offset, and with T and Z in either case. A leap second,
// which only the last day of a month can have, is the second after it: so computers count.
func parseInstant(text string) (time.Time, error) {
	text = strings.ToUpper(text)
	part := rfc3339.FindStringSubmatch(text)
	if part == nil {
		return time.Time{}, errNoTime
	}
	if part[2] != "60" {
		return time.Parse(time.RFC3339, text)
	}
	before, err := time.Parse(time.RFC3339, part[1]+"59"+part[3])
	after := before.Add(time.Second).UTC()
	if err != nil || !after.Equal(time.Date(after.Year(), after.Month(), 1, 0, 0, 0, 0, time.UTC)) {
		return time.Time{}, errNoTime
	}
	return after, nil
}

// Instant checks a time, and returns it in UTC and milliseconds.
func (f *Fields) Instant(field, value string) time.Time {
	t, err := parseInstant(value)
	switch {
	case value == "":
		f.Add(field, "is required: an RFC 3339 time such as 2027-05-01T18:00:00Z")
	case err != nil:
		f.Add(field, "must be an RFC 3339 time such as 2027-05-01T18:00:00Z")
	default:
		t, err = bounds.Instant(t)
		f.Check(field, err)
	}
	return t
}

// OptionalInstant checks a time that may be left out or null.
func (f *Fields) OptionalInstant(field string, value *string) time.Time {
	if value == nil {
		return time.Time{}
	}
	return f.Instant(field, *value)
}

// QueryInstant checks a time of a query. Where an offset has its sign a blank is a plus: clients that
// do not escape the plus send it so.
func (f *Fields) QueryInstant(field, value string) time.Time {
	const offset = len("02:00")
	if n := len(value) - offset - 1; n > 0 && value[n] == ' ' {
		value = value[:n] + "+" + value[n+1:]
	}
	return f.Instant(field, value)
}
