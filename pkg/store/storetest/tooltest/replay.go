package tooltest

import (
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testReplay: replaying the record gives the event and its registrations, and damage to a row, or to a
// registration that only the record knows of, is told.
func testReplay(t *testing.T, target Target) {
	s := target.Store
	// event makes an event, and returns the last 8 of the 9 rows of its record, from revision 3 on.
	event := func(t *testing.T) (store.Event, []store.ChangeRecord) {
		t.Helper()
		e := storetest.NewWaitlistEvent(t, s, 2)
		w := storetest.NewRequests(e.ID, 5)
		more := int64(3)
		for _, batch := range [][]store.SeatRequest{
			w[:2], w[2:], {storetest.NewCancel(w[0])}, {storetest.NewCancel(w[4])}, {storetest.WithKey(storetest.NewCancel(storetest.NewRequest(e.ID)))},
			{storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Capacity: &more})}, {storetest.NewRequest(e.ID), storetest.NewRequest(e.ID)},
			{storetest.NewCancel(w[2]), storetest.NewRequest(e.ID)},
		} {
			storetest.MustApply(t, s, batch...)
		}
		wantClean(t, target, e.ID)
		return e, storetest.Collect(t, s.EventChanges(storetest.Context(t), e.ID, 2, 0))
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, rows []store.ChangeRecord)
		want   string
	}{
		{"a row is gone", func(t *testing.T, rows []store.ChangeRecord) { target.RemoveChange(t, rows[3]) }, "the record has revision 7 after 5"},
		{"the first people are gone", func(t *testing.T, rows []store.ChangeRecord) { target.RemoveChange(t, rows[0]) }, "the record has revision 4 after 2"},
		{"the last row is gone", func(t *testing.T, rows []store.ChangeRecord) { target.RemoveChange(t, rows[7]) }, "the record ends at revision 9, and the event is recorded up to 10"},
		{"all rows are gone", func(t *testing.T, rows []store.ChangeRecord) {
			for _, r := range rows {
				target.RemoveChange(t, r)
			}
		}, "the record ends at revision 2"},
		{"another person came", func(t *testing.T, rows []store.ChangeRecord) {
			rows[0].Actions[0].UserID = store.NewID()
			target.SetChange(t, rows[0])
		}, "the record tells of other registrations"},
		{"another number was given", func(t *testing.T, rows []store.ChangeRecord) {
			rows[0].Actions[1].Number = 1
			target.SetChange(t, rows[0])
		}, "takes a number that was given before"},
		{"another one left", func(t *testing.T, rows []store.ChangeRecord) {
			rows[3].Actions[0].UserID = rows[1].Actions[0].UserID
			target.SetChange(t, rows[3])
		}, "the record tells of other registrations"},
		{"an action is missing", func(t *testing.T, rows []store.ChangeRecord) {
			rows[6].Actions = rows[6].Actions[1:]
			target.SetChange(t, rows[6])
		}, "revision 9 ends with"},
		{"nobody moved up", func(t *testing.T, rows []store.ChangeRecord) {
			rows[2].Actions[0].Promoted = store.Promotion{}
			target.SetChange(t, rows[2])
		}, "revision 5 ends with"},
		{"somebody else moved up", func(t *testing.T, rows []store.ChangeRecord) {
			rows[2].Actions[0].Promoted.Users[0].Number = 5
			target.SetChange(t, rows[2])
		}, "moves people up who do not wait"},
		{"a counter is wrong", func(t *testing.T, rows []store.ChangeRecord) {
			rows[4].After.Waiting++
			target.SetChange(t, rows[4])
		}, "revision 7 ends with"},
		{"the last counters are wrong", func(t *testing.T, rows []store.ChangeRecord) {
			rows[7].After.LastNumber += 5
			target.SetChange(t, rows[7])
		}, "and the record says"},
		{"the capacity is another one", func(t *testing.T, rows []store.ChangeRecord) {
			e := storetest.ReadEvent(t, s, rows[0].EventID)
			e.Capacity++
			target.SetCounters(t, e)
		}, "it has capacity 4"},
		{"a row says that the record begins with it", func(t *testing.T, rows []store.ChangeRecord) {
			rows[4].Start = store.StartTakeover
			rows[4].Before.TicketsSold++
			target.SetChange(t, rows[4])
		}, "begins the record and changes something"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, rows := event(t)
			c.damage(t, rows)
			found := checkEvent(t, target.VerifyReader, e.ID)
			for _, f := range found.Findings {
				if strings.Contains(f.Text, c.want) {
					return
				}
			}
			t.Errorf("findings are %+v, want %q", found.Findings, c.want)
		})
	}
	t.Run("a recount takes the record along", func(t *testing.T) {
		e, rows := event(t)
		damaged := storetest.ReadEvent(t, s, e.ID)
		damaged.TicketsSold--
		target.SetCounters(t, damaged)
		rows[0].Actions[0].UserID = store.NewID()
		target.SetChange(t, rows[0])
		storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(e.ID)), store.Recounted)
		wantClean(t, target, e.ID)
		storetest.MustApply(t, s, storetest.NewRequest(e.ID))
		wantClean(t, target, e.ID)
	})
	t.Run("a record that was removed", func(t *testing.T) {
		e, _ := event(t)
		if _, err := s.PruneChanges(storetest.Context(t), e.EndsAt.AddDate(1, 0, 0), 0); err != nil {
			t.Fatal(err)
		}
		wantClean(t, target, e.ID)
		storetest.MustApply(t, s, storetest.NewRequest(e.ID))
		wantClean(t, target, e.ID)
		rows := storetest.Collect(t, s.EventChanges(storetest.Context(t), e.ID, 0, 0))
		rows[0].After.Waiting++
		rows[0].Before.Waiting++
		target.SetChange(t, rows[0])
		if found := checkEvent(t, target.VerifyReader, e.ID); len(found.Findings) == 0 {
			t.Error("its start is wrong, and nobody tells")
		}
	})
	t.Run("an import whose roster is named, and one that is too long", func(t *testing.T) {
		for _, n := range []int{3, 10_001} {
			e, roster := newRoster(n)
			importEvent(t, s, e, roster)
			storetest.MustApply(t, s, storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: roster[1]}), storetest.NewRequest(e.ID))
			wantClean(t, target, e.ID)
			rows := storetest.Collect(t, s.EventChanges(storetest.Context(t), e.ID, 1, 0))
			rows[0].Actions[0].Number, rows[0].Actions[0].UserID = 1, roster[1] // under another's number
			if n > 3 {
				rows[0].Actions = rows[0].Actions[1:]
			}
			target.SetChange(t, rows[0])
			if found := checkEvent(t, target.VerifyReader, e.ID); len(found.Findings) == 0 {
				t.Errorf("with %d people nobody tells that a row is wrong", n)
			}
		}
	})
	t.Run("a row that cannot be read", func(t *testing.T) {
		e, rows := event(t)
		target.CutChange(t, rows[2])
		found := checkEvent(t, target.VerifyReader, e.ID)
		if len(found.Findings) != 2 || !strings.Contains(found.Findings[0].Text, "at revision 5: it is cut off") ||
			!strings.Contains(found.Findings[1].Text, "revision 6 after 4") {
			t.Errorf("findings are %+v", found.Findings)
		}
	})
}
