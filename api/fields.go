package api

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // the names of time zones must not depend on the machine
	"unicode"
	"unicode/utf8"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/store"
)

// Limits of what people write. Characters are Unicode code points.
const (
	MaxName        = 200           // characters
	MaxEmail       = 254           // bytes (RFC 5321, section 4.5.3.1.3, less the brackets)
	MaxTitle       = 200           // characters
	MaxDescription = 10_000        // characters
	MaxPlace       = 200           // characters
	MaxCapacity    = 1_000_000_000 // places
)

// fields collects what is wrong with a request's fields.
type fields struct{ errs []problem.FieldError }

func (f *fields) add(field, reason string) {
	f.errs = append(f.errs, problem.FieldError{Field: field, Reason: reason})
}

// err is nil when nothing is wrong.
func (f *fields) err() error {
	if len(f.errs) == 0 {
		return nil
	}
	return problem.InvalidFields(f.errs...)
}

// line checks a required text of one line and returns it trimmed.
func (f *fields) line(field, value string, maxChars int) string {
	sent := value
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		f.add(field, "is required and must not be blank")
	case utf8.RuneCountInString(sent) > maxChars:
		f.add(field, fmt.Sprintf("must have at most %d characters", maxChars))
	case strings.ContainsFunc(value, unicode.IsControl):
		f.add(field, "must not contain control characters")
	}
	return value
}

// text checks an optional text of several lines.
func (f *fields) text(field, value string, maxChars int) string {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	switch {
	case utf8.RuneCountInString(value) > maxChars:
		f.add(field, fmt.Sprintf("must have at most %d characters", maxChars))
	case strings.ContainsFunc(value, control):
		f.add(field, "must not contain control characters other than tabs and line breaks")
	}
	return value
}

// email checks an address, only as far as no real address fails.
func (f *fields) email(field, value string) string {
	value = strings.TrimSpace(value)
	local, domain, _ := strings.Cut(value, "@")
	strange := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
	switch {
	case value == "":
		f.add(field, "is required and must not be blank")
	case len(value) > MaxEmail:
		f.add(field, fmt.Sprintf("must have at most %d bytes", MaxEmail))
	case local == "" || domain == "" || strings.Contains(domain, "@") || strings.HasSuffix(domain, ".") ||
		strings.ContainsFunc(value, strange):
		f.add(field, "must be an e-mail address such as name@example.org")
	}
	return value
}

// password checks a password and leaves it exactly as typed.
func (f *fields) password(field, value string) string {
	if err := passwords.Check(value); err != nil {
		f.add(field, err.Error())
	}
	return value
}

// newPassword checks a password that the user with this address will have from now on, and
// leaves it exactly as typed.
func (f *fields) newPassword(policy passwords.Policy, field, value, email string) string {
	if err := policy.Check(value, email); err != nil {
		f.add(field, err.Error())
	}
	return value
}

// id checks an id.
func (f *fields) id(field, value string) store.ID {
	id, err := store.ParseID(value)
	switch {
	case value == "":
		f.add(field, "is required: an id of 24 hexadecimal digits")
	case err != nil:
		f.add(field, "must be an id of 24 hexadecimal digits")
	case id.IsZero():
		f.add(field, "must not be all zeros")
	}
	return id
}

// rfc3339 is the grammar of RFC 3339, section 5.6. time.Parse also takes hours of one digit,
// commas before fractions and offsets that there are not.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// instant checks a time.
func (f *fields) instant(field, value string) time.Time {
	t, err := time.Parse(time.RFC3339, value)
	if err == nil && !rfc3339.MatchString(value) {
		err = errors.New("not of the grammar")
	}
	switch {
	case value == "":
		f.add(field, "is required: an RFC 3339 time such as 2027-05-01T18:00:00Z")
	case err != nil:
		f.add(field, "must be an RFC 3339 time such as 2027-05-01T18:00:00Z")
	case t.UTC().Year() < 1 || t.UTC().Year() > 9999:
		f.add(field, "must be in the years 1 to 9999")
	}
	return t.UTC().Truncate(time.Millisecond)
}

// between checks a whole number.
func (f *fields) between(field string, value, low, high int64) int64 {
	if value < low || value > high {
		f.add(field, fmt.Sprintf("must be a whole number from %d to %d", low, high))
	}
	return value
}

// optionalInstant is instant where a time may be left out, or null.
func (f *fields) optionalInstant(field string, value *string) time.Time {
	if value == nil {
		return time.Time{}
	}
	return f.instant(field, *value)
}

// optionalLine is line where a text may be left out.
func (f *fields) optionalLine(field, value string, maxChars int) string {
	if value == "" {
		return ""
	}
	return f.line(field, value, maxChars)
}

// timeZone checks the name of a time zone, or none.
func (f *fields) timeZone(field, value string) string {
	if value == "" {
		return ""
	}
	if _, err := time.LoadLocation(value); err != nil || value == "Local" {
		f.add(field, "must be a time zone name of the IANA database, such as Europe/Berlin")
	}
	return value
}

// inOrder checks the times of an event against each other, once each of them is right.
func (f *fields) inOrder(e store.Event) {
	if len(f.errs) > 0 {
		return
	}
	if !e.EndsAt.After(e.StartsAt) {
		f.add("ends_at", "must be after starts_at")
	}
	if !e.OpensAt.IsZero() && !e.ClosesAt.IsZero() && !e.ClosesAt.After(e.OpensAt) {
		f.add("registration_closes_at", "must be after registration_opens_at")
	}
}
