package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// lived is an event with its record and its registrations, in memory.
type lived struct {
	event store.Event
	rows  []store.ChangeRecord
	held  []store.Registration
}

// newLived makes an event of two seats, at which 1 and 2 came, 3 and 4 waited, 1 left and 3 moved up, 4 left the
// line, and which got a third seat.
func newLived() *lived {
	counters := func(capacity, sold, waiting, last, through int64) store.Counters {
		return store.Counters{Capacity: capacity, TicketsSold: sold, Waiting: waiting, LastNumber: last, ConfirmedThrough: through}
	}
	comes := func(n byte, waiting bool) store.Action {
		return store.Action{Kind: store.Register, UserID: user(n), Number: int64(n), Waiting: waiting}
	}
	goes := func(n byte, waiting bool) store.Action {
		return store.Action{Kind: store.Cancel, UserID: user(n), Number: int64(n), Waiting: waiting}
	}
	leaves := goes(1, false)
	leaves.Promoted = store.Promotion{After: 2, Through: 3, Count: 1, Users: []store.NumberedUser{{Number: 3, UserID: user(3)}}}
	l := &lived{event: store.Event{Version: 2, Revision: 6, Recorded: 6, Capacity: 3, TicketsSold: 2, LastNumber: 4, ConfirmedThrough: 3}}
	at := counters(2, 0, 0, 0, 0)
	for i, step := range []struct {
		after   store.Counters
		actions []store.Action
	}{
		{counters(2, 2, 0, 2, 2), []store.Action{comes(1, false), comes(2, false)}},
		{counters(2, 2, 2, 4, 2), []store.Action{comes(3, true), comes(4, true)}},
		{counters(2, 2, 1, 4, 3), []store.Action{leaves}},
		{counters(2, 2, 0, 4, 3), []store.Action{goes(4, true)}},
		{counters(3, 2, 0, 4, 3), []store.Action{{Kind: store.EditEvent, Edited: []string{"title", "capacity"}}}},
	} {
		l.rows = append(l.rows, store.ChangeRecord{Revision: int64(i) + 2, Before: at, After: step.after, Actions: step.actions})
		at = step.after
	}
	for n := range byte(4) {
		l.held = append(l.held, store.Registration{
			UserID: user(n + 1), Number: int64(n) + 1, RequestID: "x", RegisteredAt: time.Unix(1, 0), Cancelled: n == 0 || n == 3,
		})
	}
	return l
}

// takeover lets the record begin anew before its row i.
func (l *lived) takeover(i int) {
	start := store.ChangeRecord{Revision: l.rows[i].Revision - 1, Start: store.StartTakeover, Before: l.rows[i].Before, After: l.rows[i].Before}
	l.rows = append([]store.ChangeRecord{start}, l.rows[i:]...)
}

// bothMoveUp lets 3 and 4 move up when 1 leaves, under these numbers or unnamed.
func (l *lived) bothMoveUp(named ...int64) {
	p := store.Promotion{After: 2, Through: 4, Count: 2}
	for _, n := range named {
		p.Users = append(p.Users, store.NumberedUser{Number: n, UserID: user(byte(n))})
	}
	l.rows[2].Actions[0].Promoted = p
	l.rows[2].After = store.Counters{Capacity: 2, TicketsSold: 3, LastNumber: 4, ConfirmedThrough: 4}
	l.rows[3].Before, l.rows[3].Actions[0].Waiting = l.rows[2].After, false
	l.rows[3].After = store.Counters{Capacity: 2, TicketsSold: 2, LastNumber: 4, ConfirmedThrough: 4}
	l.rows[4].Before, l.rows[4].After.ConfirmedThrough, l.event.ConfirmedThrough = l.rows[3].After, 4, 4
}

// TestFindingsOfARecord changes one thing of a record at a time, or of what it is compared with.
func TestFindingsOfARecord(t *testing.T) {
	stands := func(revision int, is, makes string) string {
		return fmt.Sprintf("revision %d ends with %s, and what it tells makes %s", revision, is, makes)
	}
	c := func(capacity, sold, waiting, last, through int) string {
		return fmt.Sprintf("capacity %d, tickets_sold %d, waiting %d, last_number %d, confirmed_through %d", capacity, sold, waiting, last, through)
	}
	wrong := func(revision int, kind store.Kind, n byte, number int, what string) string {
		return fmt.Sprintf("revision %d: %s of user %s under the number %d %s", revision, kind, user(n).Hex(), number, what)
	}
	const (
		moves  = "moves people up who do not wait"
		absent = "cancels what is not there"
		given  = "takes a number that was given before"
		others = "the record tells of other registrations with numbers above 0 than there are"
	)
	for name, tt := range map[string]struct {
		change func(l *lived)
		want   []string
	}{
		"nothing":                   {func(*lived) {}, nil},
		"no record is kept":         {func(l *lived) { l.event.Recorded, l.rows = 0, nil }, nil},
		"it is being removed":       {func(l *lived) { l.event.Recorded, l.rows = store.RemovingRecord, l.rows[3:] }, nil},
		"an earlier record is left": {func(l *lived) { l.event.Recorded, l.rows = 0, l.rows[:2] }, nil},
		"an older version was":      {func(l *lived) { l.event.Revision, l.event.TicketsSold, l.held[0].Cancelled = 7, 3, false }, nil},
		"recorded beyond its end": {func(l *lived) { l.event.Recorded, l.event.Revision = 7, 7 },
			[]string{"the record ends at revision 6, and the event is recorded up to 7"}},
		"recorded beyond the event": {func(l *lived) { l.event.Revision = 5 },
			[]string{"it is recorded up to revision 6 and is at 5"}},
		"the first row is gone": {func(l *lived) { l.rows = l.rows[1:] },
			[]string{"the record has revision 3 after 0: what was between is missing"}},
		"two rows are gone": {func(l *lived) { l.rows = slices.Delete(l.rows, 1, 3) },
			[]string{"the record has revision 5 after 2: what was between is missing"}},
		"a row twice": {func(l *lived) { l.rows = slices.Insert(l.rows, 1, l.rows[0]) },
			[]string{"the record has revision 2 after 2: what was between is missing"}},
		"another beginning": {func(l *lived) {
			l.rows[1].Before.Waiting = 1
			l.rows[1].After.Waiting = 3
			l.rows[2].Before.Waiting = 3
		},
			[]string{
				"revision 3 begins with " + c(2, 2, 1, 2, 2) + ", and the record stood at " + c(2, 2, 0, 2, 2),
				stands(4, c(2, 2, 1, 4, 3), c(2, 2, 2, 4, 3)),
			}},
		"the first begins with something": {func(l *lived) { l.rows[0].Before.TicketsSold = 1 },
			[]string{
				"revision 2 begins with " + c(2, 1, 0, 0, 0) + ", and the record stood at " + c(2, 0, 0, 0, 0),
				stands(2, c(2, 2, 0, 2, 2), c(2, 3, 0, 2, 2)),
			}},
		"a capacity that no edit sets": {func(l *lived) { l.rows[4].Actions[0].Edited = []string{"title"} },
			[]string{stands(6, c(3, 2, 0, 4, 3), c(2, 2, 0, 4, 3))}},
		"a number that was only remembered": {func(l *lived) {
			l.event.LastNumber, l.rows[4].After.LastNumber = 5, 5
			l.held = append(l.held, store.Registration{UserID: user(5), Number: 5, RequestID: "x", RegisteredAt: time.Unix(1, 0), Cancelled: true})
		}, nil},
		"the last number falls": {func(l *lived) { l.rows[4].After.LastNumber = 3 },
			[]string{
				stands(6, c(3, 2, 0, 3, 3), c(3, 2, 0, 4, 3)),
				"it has " + c(3, 2, 0, 4, 3) + ", and the record says " + c(3, 2, 0, 3, 3),
			}},
		"another event": {func(l *lived) { l.event.Capacity = 4 },
			[]string{"it has " + c(4, 2, 0, 4, 3) + ", and the record says " + c(3, 2, 0, 4, 3)}},
		"a number that is given": {func(l *lived) { l.rows[0].Actions[1].Number = 1 },
			[]string{
				wrong(2, store.Register, 2, 1, given), stands(2, c(2, 2, 0, 2, 2), c(2, 2, 0, 2, 1)), others,
			}},
		"one cancels who never came": {func(l *lived) { l.rows[3].Actions[0].Number = 5 },
			[]string{wrong(5, store.Cancel, 4, 5, absent), others}},
		"one who waits cancels a seat": {func(l *lived) { l.rows[3].Actions[0].Waiting = false },
			[]string{wrong(5, store.Cancel, 4, 4, absent), stands(5, c(2, 2, 0, 4, 3), c(2, 1, 1, 4, 3))}},
		"the last who has a seat leaves": {func(l *lived) {
			l.rows[2].Actions[0].UserID, l.rows[2].Actions[0].Number = user(2), 2
			l.held[0].Cancelled, l.held[1].Cancelled = false, true
		}, nil},
		"another person came":    {func(l *lived) { l.rows[0].Actions[1].UserID = user(7) }, []string{others}},
		"another person left":    {func(l *lived) { l.rows[3].Actions[0].UserID = user(7) }, []string{others}},
		"one more is registered": {func(l *lived) { l.held[1].UserID = user(7) }, []string{others}},
		"nobody moves up": {func(l *lived) { l.rows[2].Actions[0].Promoted = store.Promotion{} },
			[]string{stands(4, c(2, 2, 1, 4, 3), c(2, 1, 2, 4, 2))}},
		"one moves up from nowhere": {func(l *lived) { l.rows[2].Actions[0].Promoted.After = 1 }, []string{wrong(4, store.Cancel, 1, 1, moves)}},
		"one moves up to nowhere": {func(l *lived) {
			p := &l.rows[2].Actions[0].Promoted
			p.Through, p.Users = 2, nil
		}, []string{wrong(4, store.Cancel, 1, 1, moves), stands(4, c(2, 2, 1, 4, 3), c(2, 2, 1, 4, 2))}},
		"the last moves up":         {func(l *lived) { l.bothMoveUp() }, nil},
		"two are named":             {func(l *lived) { l.bothMoveUp(3, 4) }, nil},
		"two are named in no order": {func(l *lived) { l.bothMoveUp(4, 3) }, []string{wrong(4, store.Cancel, 1, 1, moves)}},
		"one is named twice":        {func(l *lived) { l.bothMoveUp(4, 4) }, []string{wrong(4, store.Cancel, 1, 1, moves)}},
		"more move up than wait": {func(l *lived) {
			p := &l.rows[2].Actions[0].Promoted
			p.Through, p.Users = 5, nil
		}, []string{wrong(4, store.Cancel, 1, 1, moves), stands(4, c(2, 2, 1, 4, 3), c(2, 2, 1, 4, 5))}},
		"fewer are named": {func(l *lived) { l.rows[2].Actions[0].Promoted.Count = 2 },
			[]string{wrong(4, store.Cancel, 1, 1, moves), stands(4, c(2, 2, 1, 4, 3), c(2, 3, 0, 4, 3))}},
		"one is named who has a seat": {func(l *lived) { l.rows[2].Actions[0].Promoted.Users[0].Number = 2 }, []string{wrong(4, store.Cancel, 1, 1, moves)}},
		"one is named behind the end": {func(l *lived) { l.rows[2].Actions[0].Promoted.Users[0].Number = 4 }, []string{wrong(4, store.Cancel, 1, 1, moves)}},
		"a later beginning":           {func(l *lived) { l.takeover(2) }, nil},
		"a later beginning, behind a gap": {func(l *lived) {
			first := l.rows[1]
			l.takeover(3)
			l.rows = append([]store.ChangeRecord{first}, l.rows...)
		}, nil},
		"a later beginning, and one too many": {func(l *lived) { l.takeover(2); l.held[0].Cancelled = false; l.event.TicketsSold = 3 },
			[]string{
				"it has " + c(3, 3, 0, 4, 3) + ", and the record says " + c(3, 2, 0, 4, 3),
				"3 registrations with a number up to 4, and the record says 2",
			}},
		"a beginning that changes something": {func(l *lived) { l.takeover(2); l.rows[0].Before.Waiting++ },
			[]string{"revision 3 begins the record and changes something"}},
		"a later beginning, and somebody new": {func(l *lived) {
			l.takeover(4)
			l.rows = append(l.rows, store.ChangeRecord{Revision: 7, Before: l.rows[1].After, After: store.Counters{Capacity: 3, TicketsSold: 3, LastNumber: 5, ConfirmedThrough: 5},
				Actions: []store.Action{{Kind: store.Register, UserID: user(5), Number: 5}}})
			l.event.Revision, l.event.Recorded, l.event.TicketsSold, l.event.LastNumber, l.event.ConfirmedThrough = 7, 7, 3, 5, 5
			l.held = append(l.held, store.Registration{UserID: user(6), Number: 5, RequestID: "x", RegisteredAt: time.Unix(1, 0)})
		}, []string{"the record tells of other registrations with numbers above 4 than there are"}},
		"a recount takes the record along": {func(l *lived) {
			l.rows[1].Actions = []store.Action{{Kind: store.EditEvent}, {Kind: store.Recount}} // whatever else it says
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLived()
			tt.change(l)
			wantFindings(t, Snapshot{Event: l.event, Found: true, Registrations: sequence(l.held), Changes: sequence(l.rows)}, tt.want...)
		})
	}
}

// TestFindingsOfAnImport checks the record of an imported event against its roster, named or not.
func TestFindingsOfAnImport(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(l *lived)
		want   []string
	}{
		"nothing":         {func(*lived) {}, nil},
		"too long":        {func(l *lived) { l.rows[0].Roster = nil }, nil},
		"another person":  {func(l *lived) { l.rows[0].Roster[1].UserID = user(7) }, []string{"the record tells of other registrations with numbers above 0 than there are"}},
		"another number":  {func(l *lived) { l.rows[0].Roster[1].Number = 4 }, []string{"the record tells of other registrations with numbers above 0 than there are"}},
		"one less":        {func(l *lived) { l.rows[0].Roster = l.rows[0].Roster[1:] }, []string{"revision 1 names 2 people and counts 3", "the record tells of other registrations with numbers above 0 than there are"}},
		"one is not held": {func(l *lived) { l.rows[0].Roster = nil; l.held[1].Cancelled = true; l.event.TicketsSold = 2 }, []string{"it has capacity 5, tickets_sold 2, waiting 0, last_number 3, confirmed_through 3, and the record says capacity 5, tickets_sold 3, waiting 0, last_number 3, confirmed_through 3", "2 registrations with a number up to 3, and the record says 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lived{event: store.Event{Version: 1, Revision: 1, Recorded: 1, Capacity: 5, TicketsSold: 3, LastNumber: 3, ConfirmedThrough: 3}}
			var roster []store.ID
			for n := range byte(3) {
				roster = append(roster, user(n+1))
				l.held = append(l.held, store.Registration{UserID: user(n + 1), Number: int64(n) + 1, RequestID: "x", RegisteredAt: time.Unix(1, 0)})
			}
			l.rows = []store.ChangeRecord{store.ImportRecord(l.event, roster, time.Unix(1, 0))}
			tt.change(l)
			wantFindings(t, Snapshot{Event: l.event, Found: true, Registrations: sequence(l.held), Changes: sequence(l.rows)}, tt.want...)
		})
	}
}

// TestFindingsOfARowThatCannotBeRead checks that nothing is made of a record with such a row, wherever it is, but that it is told.
func TestFindingsOfARowThatCannotBeRead(t *testing.T) {
	for i := range 5 {
		l := newLived()
		changes := func(yield func(store.ChangeRecord, error) bool) {
			for j, r := range l.rows {
				var err error
				if i == j {
					r, err = store.ChangeRecord{}, fmt.Errorf("%w: row %d", store.ErrDamaged, j)
				}
				if !yield(r, err) {
					return
				}
			}
		}
		want := []string{fmt.Sprintf("row %d", i)}
		if i < 4 {
			before := i + 1
			if i == 0 {
				before = 0
			}
			want = append(want, fmt.Sprintf("the record has revision %d after %d: what was between is missing", i+3, before))
		}
		wantFindings(t, Snapshot{Event: l.event, Found: true, Registrations: sequence(l.held), Changes: changes}, want...)
	}
	broken := func(yield func(store.ChangeRecord, error) bool) { yield(store.ChangeRecord{}, store.ErrUnavailable) }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := CheckEvent(ended, snapshots{Snapshot: Snapshot{Found: true, Changes: broken, Registrations: sequence[store.Registration](nil)}}, store.ID{9}, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a record that cannot be read now: %v", err)
	}
}
