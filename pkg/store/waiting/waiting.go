// Package waiting has what both adapters need to find a registration in a waiting list, or its position,
// without counting all who wait.
package waiting

import (
	"fmt"

	"github.com/eventio/eventio/pkg/store"
)

// Nth returns the number of the n-th registration of the waiting list of e. ok is false when somebody has
// left the list, so that the counters of e do not say it.
func Nth(e store.Event, n int64) (number int64, ok bool) {
	return e.ConfirmedThrough + n, e.LastNumber-e.ConfirmedThrough == e.Waiting
}

// ErrFewer returns an ErrDamaged: fewer registrations of e wait than its counter says.
func ErrFewer(e store.Event) error {
	return fmt.Errorf("%w: event %s counts %d who wait, and there are fewer", store.ErrDamaged, e.ID.Hex(), e.Waiting)
}
