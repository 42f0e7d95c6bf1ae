package lists

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testAttendees(t *testing.T, target storetest.Target) {
	s := target.Store
	const registered = 1003 // more than any adapter reads at once
	event, other := storetest.NewEvent(t, s, registered), storetest.NewEvent(t, s, 10)
	var want []store.Attendee
	for n := 0; n < registered; {
		batch := storetest.NewRequests(event.ID, min(500, registered-n))
		for i := range batch {
			if n++; n%100 == 1 { // the others are users that the store does not know
				u := storetest.NewUser(fmt.Sprintf("user-%d@example.org", n))
				u.Name = fmt.Sprintf("User %d", n)
				if err := s.CreateUser(storetest.Context(t), u); err != nil {
					t.Fatal(err)
				}
				batch[i].UserID = u.ID
				want = append(want, store.Attendee{UserID: u.ID, Name: u.Name, Email: u.Email})
				continue
			}
			want = append(want, store.Attendee{UserID: batch[i].UserID})
		}
		for _, r := range storetest.MustApply(t, s, batch...) {
			a := &want[r.Registration.Number-1]
			a.Number, a.RegisteredAt = r.Registration.Number, r.Registration.RegisteredAt
		}
	}
	// Who leaves is no attendee any more; nor is who is registered for another event.
	gone := storetest.NewRequest(event.ID)
	gone.UserID = want[6].UserID
	storetest.MustApply(t, s, storetest.NewCancel(gone), storetest.NewRequest(other.ID))
	want = slices.Delete(want, 6, 7)

	between := func(after, through int64) []store.Attendee {
		return slices.DeleteFunc(slices.Clone(want), func(a store.Attendee) bool { return a.Number <= after || a.Number > through })
	}
	for _, c := range []struct {
		name           string
		after, through int64
		limit          int
	}{
		{"all", 0, math.MaxInt64, 0},
		{"first page", 0, registered, 20},
		{"page without who left", 4, registered, 5},
		{"more than a chunk", 200, 950, 600},
		{"through a number", 200, 210, 0},
		{"after the end", registered, math.MaxInt64, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, descending := range []bool{false, true} {
				wanted := between(c.after, c.through)
				if descending {
					slices.Reverse(wanted)
				}
				if c.limit > 0 {
					wanted = wanted[:min(c.limit, len(wanted))]
				}
				got := storetest.Collect(t, target.Again(t).Attendees(storetest.Context(t), store.AttendeeQuery{
					EventID: event.ID, After: c.after, Through: c.through, Descending: descending, Limit: c.limit,
				}))
				if !slices.Equal(got, wanted) {
					t.Fatalf("descending %t: got %d, want %d: %+v", descending, len(got), len(wanted), got[:min(3, len(got))])
				}
			}
		})
	}
	t.Run("of an unknown event", func(t *testing.T) {
		if got := storetest.Collect(t, s.Attendees(storetest.Context(t), store.AttendeeQuery{EventID: store.NewID(), Through: math.MaxInt64})); len(got) != 0 {
			t.Fatalf("got %v", got)
		}
	})
	t.Run("a reader may stop", func(t *testing.T) {
		n := 0
		for _, err := range s.Attendees(storetest.Context(t), store.AttendeeQuery{EventID: event.ID, Through: math.MaxInt64}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 700 {
				break
			}
		}
		storetest.Check(t, s, event.ID)
	})
}
