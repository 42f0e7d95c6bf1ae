package store

import (
	"errors"
	"slices"
	"time"

	"github.com/eventio/eventio/pkg/store/bounds"
)

// This file has the rules for what people write into an event. They are the same for an API
// process, which tells the client what is wrong, and for a worker, which believes no message.

// FieldError says what is wrong with a field of an event.
type FieldError struct {
	Field  string // as clients know it
	Reason string // follows the field's name: "must be a whole number from 1 to 5"
}

// Error implements error.
func (e FieldError) Error() string { return e.Field + " " + e.Reason }

// Check returns what is wrong with the fields that the edit sets, each by itself. A field that is
// not in its normal form is wrong too: an API process sends normal forms.
func (e *Edit) Check() []FieldError {
	var wrong checker
	if e.Version < AnyVersion {
		wrong.add("version", errors.New("must be a version of the event, or -1"))
	}
	check(&wrong, "title", e.Title, func(v string) (string, error) { return bounds.Line(v, bounds.MaxTitle) })
	check(&wrong, "description", e.Description, func(v string) (string, error) { return bounds.Text(v, bounds.MaxDescription) })
	check(&wrong, "place", e.Venue, func(v string) (string, error) { return bounds.OptionalLine(v, bounds.MaxVenue) })
	check(&wrong, "time_zone", e.TimeZone, func(v string) (string, error) { return v, bounds.TimeZone(v) })
	for field, value := range map[string]*time.Time{
		"starts_at": e.StartsAt, "ends_at": e.EndsAt, "registration_opens_at": e.OpensAt, "registration_closes_at": e.ClosesAt,
	} {
		check(&wrong, field, value, func(v time.Time) (time.Time, error) {
			normal, err := bounds.Instant(v)
			if normal.Equal(v) { // in whichever zone
				normal = v
			}
			return normal, err
		})
	}
	check(&wrong, "capacity", e.Capacity, func(v int64) (int64, error) { return v, bounds.Capacity(v) })
	return wrong
}

// checker collects what is wrong.
type checker []FieldError

func (c *checker) add(field string, err error) { *c = append(*c, FieldError{field, err.Error()}) }

// check notes a field that is set when it has no normal form, or is not in it.
func check[T comparable](wrong *checker, field string, value *T, normal func(T) (T, error)) {
	if value == nil {
		return
	}
	v, err := normal(*value)
	if err == nil && v != *value {
		err = errors.New("must be in its normal form")
	}
	if err != nil {
		wrong.add(field, err)
	}
}

// CheckTimes returns what is wrong with the times of an event against each other.
func (e Event) CheckTimes() []FieldError {
	return slices.Concat(e.checkDates(), e.checkOpening(), e.checkHours())
}

// checkDates returns what is wrong with the times at which an event is.
func (e Event) checkDates() (wrong checker) {
	if !e.EndsAt.After(e.StartsAt) {
		wrong.add("ends_at", errors.New("must be after starts_at"))
	}
	return wrong
}

// checkOpening returns what is wrong with the time from which people may register.
func (e Event) checkOpening() (wrong checker) {
	if !e.OpensAt.IsZero() && !e.OpensAt.Before(e.EndsAt) {
		wrong.add("registration_opens_at", errors.New("must be before ends_at"))
	}
	return wrong
}

// checkHours returns what is wrong with the times at which people may register.
func (e Event) checkHours() (wrong checker) {
	if !e.ClosesAt.IsZero() && !e.ClosesAt.After(e.OpensAt) { // every time is after a zero OpensAt
		wrong.add("registration_closes_at", errors.New("must be after registration_opens_at"))
	}
	return wrong
}

// disorder returns what is wrong with the times of an event when the edit is applied, as far as
// the edit sets them: an imported event may have others that are wrong.
func (e *Edit) disorder(event Event) []FieldError {
	var wrong checker
	after := e.Apply(event)
	if e.StartsAt != nil || e.EndsAt != nil {
		wrong = append(wrong, after.checkDates()...)
	}
	if e.OpensAt != nil || e.EndsAt != nil {
		wrong = append(wrong, after.checkOpening()...)
	}
	if e.OpensAt != nil || e.ClosesAt != nil {
		wrong = append(wrong, after.checkHours()...)
	}
	return wrong
}
