package input

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/bounds"
)

// Limits of fields. Characters are Unicode code points.
const (
	MaxName        = 200             // characters
	MaxEmail       = text.MaxAddress // bytes
	MaxTitle       = bounds.MaxTitle
	MaxDescription = bounds.MaxDescription
	MaxPlace       = bounds.MaxVenue
	MaxCapacity    = bounds.MaxCapacity
)

// Fields checks the fields of one request and collects what is wrong with them. The zero value is
// ready. Each method returns the value of the field, which means nothing when the field is wrong.
type Fields struct{ wrong []problem.FieldError }

// Add notes that a field is wrong. The reason follows the name: "must be a whole number".
func (f *Fields) Add(field, reason string) {
	f.wrong = append(f.wrong, problem.FieldError{Field: field, Reason: reason})
}

// AddAll notes what others have found wrong.
func (f *Fields) AddAll(wrong []problem.FieldError) { f.wrong = append(f.wrong, wrong...) }

// OK reports whether nothing is wrong so far.
func (f *Fields) OK() bool { return len(f.wrong) == 0 }

// Err returns the problem that names the wrong fields, or nil when there are none.
func (f *Fields) Err() error {
	if f.OK() {
		return nil
	}
	return problem.InvalidFields(f.wrong...)
}

// Check notes a field as wrong whose check has failed with err, which says what the field should be.
func (f *Fields) Check(field string, err error) {
	if err != nil {
		f.Add(field, err.Error())
	}
}

// OneOf checks that a value is one of the allowed ones.
func (f *Fields) OneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.Add(field, "must be "+strings.Join(allowed, " or "))
	}
}

// Line checks a required text of one line, and trims it.
func (f *Fields) Line(field, value string, maxChars int) string {
	value, err := bounds.Line(value, maxChars)
	f.Check(field, err)
	return value
}

// Text checks an optional text of several lines.
func (f *Fields) Text(field, value string, maxChars int) string {
	value, err := bounds.Text(value, maxChars)
	f.Check(field, err)
	return value
}

// Email checks an e-mail address, and returns its normal form: see text.Address.
func (f *Fields) Email(field, value string) string {
	address, _, err := text.Address(value)
	f.Check(field, err)
	return address
}

// KnownEmail checks an e-mail address that somebody types to log in. Accounts may have addresses of
// before text.Address, which it refuses, and keys of
// what was typed then (store.EmailKeys), so the address is only trimmed.
func (f *Fields) KnownEmail(field, value string) string {
	_, _, err := text.Address(value)
	value = strings.TrimSpace(value)
	if err == nil {
		return value
	}
	local, domain, _ := strings.Cut(value, "@")
	strange := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
	switch {
	case value == "":
		f.Add(field, "is required and must not be blank")
	case len(value) > MaxEmail:
		f.Add(field, fmt.Sprintf("must have at most %d bytes", MaxEmail))
	case local == "" || domain == "" || strings.Contains(domain, "@") || strings.HasSuffix(domain, ".") ||
		strings.ContainsFunc(value, strange):
		f.Add(field, "must be an e-mail address such as name@example.org")
	}
	return value
}

// ID checks an id of 24 hexadecimal digits. All zeros are the id of nothing.
func (f *Fields) ID(field, value string) store.ID {
	id, err := store.ParseID(value)
	switch {
	case value == "":
		f.Add(field, "is required: an id of 24 hexadecimal digits")
	case err != nil:
		f.Add(field, "must be an id of 24 hexadecimal digits")
	case id.IsZero():
		f.Add(field, "must not be all zeros")
	}
	return id
}

// Capacity checks a number of seats.
func (f *Fields) Capacity(field string, value int64) int64 {
	f.Check(field, bounds.Capacity(value))
	return value
}

// Between checks a whole number.
func (f *Fields) Between(field string, value, low, high int64) int64 {
	if value < low || value > high {
		f.Add(field, fmt.Sprintf("must be a whole number from %d to %d", low, high))
	}
	return value
}

// OptionalLine checks a text of one line that may be left out.
func (f *Fields) OptionalLine(field, value string, maxChars int) string {
	value, err := bounds.OptionalLine(value, maxChars)
	f.Check(field, err)
	return value
}

// TimeZone checks the name of a time zone, which may be left out.
func (f *Fields) TimeZone(field, value string) string {
	f.Check(field, bounds.TimeZone(value))
	return value
}
