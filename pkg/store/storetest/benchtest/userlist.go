package benchtest

import (
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// UserRegistrations measures reading 1,000 of the 10,000 registrations of one person.
func UserRegistrations(b *testing.B, open func(testing.TB) storetest.Target) {
	const all, listed = 10_000, 1000
	s := open(b).Store
	var batch []store.SeatRequest
	user := store.NewID()
	for i := range all {
		r := storetest.NewRequest(storetest.NewEvent(b, s, 1).ID)
		r.UserID = user
		if batch = append(batch, r); len(batch) == listed || i == all-1 {
			storetest.MustApply(b, s, batch...)
			batch = batch[:0]
		}
	}
	for b.Loop() {
		n := 0
		for _, err := range s.UserRegistrations(b.Context(), user, store.ID{}, listed) {
			if n++; err != nil {
				b.Fatal(err)
			}
		}
		if n != listed {
			b.Fatalf("%d registrations", n)
		}
	}
}
