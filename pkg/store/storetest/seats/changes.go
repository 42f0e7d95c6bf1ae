package seats

import (
	"context"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testChanges: every change has its row, the rows of an event have no gaps, and replaying them gives
// its counters and lists.
func testChanges(t *testing.T, target storetest.Target) {
	s := target.Store
	t.Run("a story", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		w := storetest.NewRequests(event.ID, 3)
		storetest.MustApply(t, s, w...)
		storetest.MustApply(t, s, storetest.NewCancel(w[2]), storetest.NewCancel(w[0]))
		more := int64(5)
		again := storetest.NewRequest(event.ID)
		storetest.MustApply(t, s, again, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &more}))
		storetest.MustApply(t, target.Again(t), w[1], storetest.NewRequest(store.NewID())) // change nothing
		rows := wantReplayed(t, s, event.ID)
		if len(rows) != 4 {
			t.Fatalf("%d rows: %+v", len(rows), rows)
		}
		two := rows[2].Actions
		if len(two) != 2 || !two[0].Waiting || two[1].Promoted.Count != 1 || two[1].Promoted.Users[0] != (store.NumberedUser{Number: 2, UserID: w[1].UserID}) {
			t.Fatalf("the cancellations are %+v", two)
		}
		three := rows[3].Actions
		if len(three) != 2 || !reflect.DeepEqual(three[1].Edited, []string{"capacity"}) || three[1].Promoted.Users[0].UserID != again.UserID {
			t.Fatalf("the edit is %+v", three)
		}
		if got := storetest.Collect(t, s.EventChanges(storetest.Context(t), event.ID, 2, 1)); len(got) != 1 || !reflect.DeepEqual(got[0], rows[1]) {
			t.Fatalf("a page is %+v", got)
		}
		if r, err := s.Registration(storetest.Context(t), event.ID, w[1].UserID); err != nil || !reflect.DeepEqual(r.Revisions, store.Revisions{3}) {
			t.Fatalf("the registration is %+v, %v", r, err)
		}
	})
	t.Run("of an event that does not exist", func(t *testing.T) {
		if got := storetest.Collect(t, s.EventChanges(storetest.Context(t), store.NewID(), 0, 0)); len(got) != 0 {
			t.Fatalf("rows are %+v", got)
		}
	})
	t.Run("followed, killed and resumed", func(t *testing.T) { testFollow(t, target) })
	t.Run("of one registration", func(t *testing.T) { testRegistrationChanges(t, target) })
	t.Run("of who is erased or forgotten", func(t *testing.T) { testForgotten(t, target) })
	t.Run("news", func(t *testing.T) { testNextChange(t, target) })
	t.Run("handed_on", func(t *testing.T) { testWithChanges(t, target) })
	t.Run("removed after the end", func(t *testing.T) {
		old, young := storetest.NewEvent(t, s, 3), storetest.NewEvent(t, s, 3)
		storetest.MustApply(t, s, storetest.NewRequest(old.ID), storetest.NewRequest(young.ID))
		later := old.EndsAt.AddDate(1, 0, 0)
		storetest.MustApply(t, s, storetest.NewEdit(young.ID, store.Edit{Version: store.AnyVersion, EndsAt: &later}))
		if n, err := s.PruneChanges(storetest.Context(t), old.EndsAt.AddDate(0, 1, 0), 0); err != nil || n == 0 {
			t.Fatalf("%d events, %v", n, err)
		}
		if got := storetest.Collect(t, s.EventChanges(storetest.Context(t), old.ID, 0, 0)); len(got) != 0 {
			t.Fatalf("left are %+v", got)
		}
		wantReplayed(t, s, young.ID)
		storetest.MustApply(t, s, storetest.NewRequest(old.ID))
		rows := storetest.Collect(t, s.EventChanges(storetest.Context(t), old.ID, 0, 0))
		if len(rows) != 2 || rows[0].Start != store.StartTakeover || rows[0].After.TicketsSold != 1 || rows[1].After.TicketsSold != 2 {
			t.Fatalf("the record begins anew with %+v", rows)
		}
	})
}

// testNextChange: a store that learns of changes tells of each that it makes.
func testNextChange(t *testing.T, target storetest.Target) {
	event := storetest.NewEvent(t, target.Store, 10)
	for range 3 {
		next := target.Store.NextChange()
		storetest.MustApply(t, target.Store, storetest.NewRequest(event.ID))
		if next == nil {
			return
		}
		select {
		case <-next:
		case <-storetest.Context(t).Done():
			t.Fatal("nobody tells of a change")
		}
	}
}

// testFollow: a reader that stops after each few rows and is resumed at its position sees every row,
// and those of each event in order.
func testFollow(t *testing.T, target storetest.Target) {
	s := target.Store
	from, err := s.ChangesPosition(storetest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	events := []store.Event{storetest.NewEvent(t, s, 1000), storetest.NewEvent(t, s, 1000)}
	const batches = 30
	go func() {
		for range batches {
			if _, err := s.Apply(storetest.Context(t), []store.SeatRequest{storetest.NewRequest(events[0].ID), storetest.NewRequest(events[1].ID)}); err != nil {
				t.Errorf("apply: %v", err)
			}
		}
	}()
	last := map[store.ID]int64{events[0].ID: 1, events[1].ID: 1}
	want := map[store.ID]int64{events[0].ID: batches + 1, events[1].ID: batches + 1}
	reader := target.Again(t)
	for ctx := storetest.Context(t); !maps.Equal(last, want); {
		follow(ctx, t, reader, &from, last, 7)
	}
	// From the beginning everything comes again.
	last = map[store.ID]int64{events[0].ID: 1, events[1].ID: 1}
	from = ""
	follow(storetest.Context(t), t, reader, &from, last, 0)
	if !maps.Equal(last, want) {
		t.Fatalf("from the beginning it ends at %v", last)
	}
}

// follow reads n rows of the events in last, or until the reader has caught up.
func follow(ctx context.Context, t *testing.T, s store.Store, from *store.Position, last map[store.ID]int64, n int) {
	t.Helper()
	seen := 0
	for f, err := range s.Follow(ctx, *from) {
		if err != nil {
			t.Fatal(err)
		}
		*from = f.Position
		id := f.Record.EventID
		switch before, ours := last[id]; {
		case f.Record.Revision == 0 && n == 0:
			return
		case !ours:
		case f.Record.Revision > before+1:
			t.Fatalf("revision %d comes after %d", f.Record.Revision, before)
		default:
			last[id] = max(before, f.Record.Revision)
			seen++
		}
		if f.Record.Revision == 0 || n > 0 && seen == n {
			return
		}
	}
	t.Fatal("the reader ended")
}

// wantReplayed replays the rows of an event that has a record from its beginning, and compares with
// the event and its lists. It returns the rows.
func wantReplayed(t *testing.T, s store.Store, id store.ID) []store.ChangeRecord {
	t.Helper()
	e := storetest.ReadEvent(t, s, id)
	rows := storetest.Collect(t, s.EventChanges(storetest.Context(t), id, 0, 0))
	live := make(map[int64]store.ID)
	revision := int64(1)
	for _, r := range rows {
		if revision++; r.Revision != revision {
			t.Fatalf("revision %d comes at %d", r.Revision, revision)
		}
		for _, a := range r.Actions {
			switch a.Kind {
			case store.Register:
				live[a.Number] = a.UserID
			case store.Cancel:
				if live[a.Number] != a.UserID {
					t.Fatalf("%+v cancels what is not there", a)
				}
				delete(live, a.Number)
			}
		}
	}
	if revision != e.Revision || e.Recorded != e.Revision && e.Revision > 1 {
		t.Fatalf("the record ends at %d, the event is %+v", revision, e)
	}
	if len(rows) > 0 && rows[len(rows)-1].After != store.CountersOf(e) {
		t.Fatalf("the counters are %+v, the event is %+v", rows[len(rows)-1].After, e)
	}
	stored := make(map[int64]store.ID)
	for _, r := range append(storetest.Roster(t, s, e), storetest.WaitingList(t, s, e)...) {
		stored[r.Number] = r.UserID
	}
	if !maps.Equal(live, stored) {
		t.Fatalf("the record has %v, the lists have %v", live, stored)
	}
	return rows
}

// testWithChanges: who asks for the changes of a batch gets those that it stored, once, and by then they
// are stored; and of a batch that changes nothing, none.
func testWithChanges(t *testing.T, target storetest.Target) {
	event := storetest.NewEvent(t, target.Store, 1)
	var got []store.Change
	apply := func(batch ...store.SeatRequest) []store.Change {
		t.Helper()
		got = nil
		ctx := store.WithChanges(storetest.Context(t), func(changes []store.Change) { got = append(got, changes...) })
		if _, err := target.Store.Apply(ctx, batch); err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := storetest.NewRequest(event.ID)
	changes := apply(first, storetest.NewRequest(event.ID))
	if len(changes) != 1 || changes[0].After.Revision != 2 || len(changes[0].Actions) != 1 || changes[0].Actions[0].UserID != first.UserID {
		t.Errorf("told %+v", changes)
	}
	if changes := apply(storetest.NewRequest(event.ID)); len(changes) != 0 { // sold out
		t.Errorf("told %+v of nothing", changes)
	}
	if changes := apply(asking(event.ID, 1, time.Second)...); len(changes) != 0 || storetest.ReadEvent(t, target.Store, event.ID).LeasesGranted != 1 {
		t.Errorf("told %+v of a lease", changes)
	}
	if changes := apply(first); len(changes) != 0 { // comes again
		t.Errorf("told %+v of a repetition", changes)
	}
	if _, err := target.Store.Apply(storetest.Context(t), []store.SeatRequest{first}); err != nil { // nobody asks
		t.Error(err)
	}
}
