package seats

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testModel compares random batches of every kind with the model, and checks the guarantees after
// each of them.
func testModel(t *testing.T, target storetest.Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	var proven []store.ID
	for range 3 {
		u := storetest.NewUser(store.NewID().Hex() + "@example.org")
		u.EmailProvenAt = storetest.Now()
		if err := target.Store.CreateUser(storetest.Context(t), u); err != nil {
			t.Fatal(err)
		}
		proven = append(proven, u.ID)
	}
	rapid.Check(t, func(rt *rapid.T) {
		event := storetest.NewEvent(t, handles[0], rapid.Int64Range(1, 4).Draw(rt, "capacity"))
		model := storetest.NewModel(event.Capacity, event.StartsAt, event.EndsAt)
		model.Organizer = event.OrganizerID
		crowd := make([]store.ID, 3)
		for i := range crowd {
			crowd[i] = store.NewID()
		}
		crowd, model.Proven = append(crowd, proven...), proven
		for range rapid.IntRange(1, 6).Draw(rt, "batches") {
			var batch []store.SeatRequest
			var want []store.Outcome
			for range rapid.IntRange(1, 6).Draw(rt, "size") {
				batch = append(batch, storetest.DrawRequest(rt, event.ID, crowd))
				want = append(want, model.Apply(batch[len(batch)-1]))
			}
			s := handles[rapid.IntRange(0, 1).Draw(rt, "process")]
			storetest.WantOutcomes(t, storetest.MustApply(t, s, batch...), want...)
			wantLists(t, s, event.ID, model)
		}
		wantReplayed(t, handles[0], event.ID)
	})
}

// wantLists compares an event with the model. Nobody may write to the event meanwhile.
func wantLists(tb testing.TB, s store.Store, id store.ID, m *storetest.Model) {
	tb.Helper()
	seatsOf := func(rows []store.Registration) []storetest.Seat {
		var seats []storetest.Seat
		for _, r := range rows {
			seats = append(seats, storetest.Seat{User: r.UserID, Request: r.RequestID, Number: r.Number})
		}
		return seats
	}
	roster := seatsOf(storetest.Check(tb, s, id))
	e := storetest.ReadEvent(tb, s, id)
	line := seatsOf(storetest.WaitingList(tb, s, e))
	if !slices.Equal(roster, m.Holders) || !slices.Equal(line, m.Line) {
		tb.Fatalf("roster %v and line %v, the model has %v and %v", roster, line, m.Holders, m.Line)
	}
	if e.Version != m.Version || e.Capacity != m.Capacity || e.CancelledAt.IsZero() == m.Ended ||
		!e.StartsAt.Equal(m.Starts) || !e.EndsAt.Equal(m.Ends) || !e.OpensAt.Equal(m.Opens) || !e.ClosesAt.Equal(m.Closes) {
		tb.Fatalf("the event is %+v, the model %+v", e, m)
	}
}
