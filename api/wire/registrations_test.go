package wire

import (
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestStatusOf: a registration that was given up is cancelled, whatever its number says.
func TestStatusOf(t *testing.T) {
	e := store.Event{Capacity: 2, TicketsSold: 2, Waiting: 1, LastNumber: 3, ConfirmedThrough: 2}
	for _, c := range []struct {
		number    int64
		cancelled bool
		want      Status
	}{{2, false, Confirmed}, {3, false, Waitlisted}, {2, true, Cancelled}, {3, true, Cancelled}} {
		if got := StatusOf(e, store.Registration{Number: c.number, Cancelled: c.cancelled}); got != c.want {
			t.Errorf("number %d, cancelled %v: %s, want %s", c.number, c.cancelled, got, c.want)
		}
	}
}
