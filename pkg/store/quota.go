package store

import (
	"context"
	"fmt"
	"time"
)

// QuotaUse is what somebody uses up in one day.
type QuotaUse struct {
	// Subject is who uses it, such as "person 6b056f1db8a8b20890367b25".
	Subject string
	// At is a moment of the day: days are those of UTC.
	At      time.Time
	Amounts []QuotaAmount
}

// QuotaAmount is how much of one kind is used, and how much of it the day has. New kinds need no
// change of what is stored.
type QuotaAmount struct {
	Kind          string // letters and underscores: "event_bytes"
	Amount, Limit int64
}

// Day returns the midnight at which the day of the use begins.
func (u QuotaUse) Day() time.Time { return u.At.UTC().Truncate(24 * time.Hour) }

// NextDay returns the midnight at which the day of the use ends.
func (u QuotaUse) NextDay() time.Time { return u.Day().Add(24 * time.Hour) }

// QuotaKept is how long what was used is remembered, from the beginning of its day.
const QuotaKept = 48 * time.Hour

// Exceeded returns the error of the first amount that, with what was used of its kind before, passes
// its limit; nil: none does.
func (u QuotaUse) Exceeded(used map[string]int64) *QuotaError {
	for _, a := range u.Amounts {
		if used[a.Kind]+a.Amount > a.Limit {
			return &QuotaError{Subject: u.Subject, Kind: a.Kind, Limit: a.Limit, Until: u.NextDay()}
		}
	}
	return nil
}

// QuotaError says that a quota is used up, and that nothing was stored.
type QuotaError struct {
	Subject, Kind string
	Limit         int64
	Until         time.Time // when the next day begins
}

// Error says which quota it is.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("the quota of %d %s a day is used up", e.Limit, e.Kind)
}

// Unwrap returns ErrNothingStored.
func (e *QuotaError) Unwrap() error { return ErrNothingStored }

// Quotas counts what is used in a day, together for all processes over a database.
type Quotas interface {
	// UseQuota counts all amounts of a use, or none of them and fails with *QuotaError when one of
	// them would pass its limit. Errors, beside that: ErrUnavailable, ErrStorageFull,
	// ErrNothingStored for a fault that does not pass. After any other error they may be counted.
	UseQuota(ctx context.Context, use QuotaUse) error
}
