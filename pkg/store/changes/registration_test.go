package changes

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
)

// rows is a record of one event that counts its reads, and fails at one of them.
type rows struct {
	store.Changes
	rows          []store.ChangeRecord // by revision
	reads, failAt int
}

func (r *rows) EventChanges(_ context.Context, _ store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		if r.reads++; r.reads == r.failAt {
			yield(store.ChangeRecord{}, store.ErrUnavailable)
			return
		}
		for _, row := range r.rows {
			if row.Revision > after {
				if limit--; !yield(row, nil) || limit == 0 {
					return
				}
			}
		}
	}
}

// told reads what happened to a registration.
func (r *rows) told(held store.UserRegistration) (string, error) {
	items, err := OfRegistration(context.Background(), r, held)
	return textOf(items), err
}

func textOf(items []ItemOf) string {
	var all []string
	for _, i := range items {
		text := fmt.Sprintf("%d.%d %s %d", i.Record.Revision, i.Index, i.Type, i.Number)
		if i.Waited {
			text += " waited"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// simulated is an event that keeps what Decide says, and its record.
type simulated struct {
	event store.Event
	held  map[store.ID]store.Registration
	rows
}

func (s *simulated) apply(batch ...store.SeatRequest) {
	state := store.EventState{Event: s.event, Registrations: s.held}
	for _, r := range s.held {
		if !r.Cancelled && !s.event.Confirmed(r) {
			state.Waiting = append(state.Waiting, store.NumberedUser{Number: r.Number, UserID: r.UserID})
		}
	}
	slices.SortFunc(state.Waiting, func(a, b store.NumberedUser) int { return int(a.Number - b.Number) })
	_, changed := store.Decide(map[store.ID]store.EventState{s.event.ID: state}, batch)
	for _, c := range changed {
		s.event = c.After
		s.held = maps.Clone(s.held)
		for _, r := range slices.Concat(c.Added, c.Replaced) {
			s.held[r.UserID] = r
		}
		s.rows.rows = append(s.rows.rows, c.Records()...)
	}
}

// TestARegistrationIsToldWhole compares what is found of each registration by few reads with what a reader
// of the whole record sees of it.
func TestARegistrationIsToldWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &simulated{
			event: store.Event{ID: store.ID{1}, Version: 1, Revision: 1, Capacity: 2, Waitlist: true, StartsAt: time.UnixMilli(1 << 41), EndsAt: time.UnixMilli(1 << 42)},
			held:  make(map[store.ID]store.Registration),
		}
		users := make([]store.ID, 8)
		for i := range users {
			users[i] = store.ID{2, byte(i)}
		}
		n := 0
		for range rapid.IntRange(1, 25).Draw(rt, "batches") {
			var batch []store.SeatRequest
			for range rapid.IntRange(1, 4).Draw(rt, "requests") {
				n++
				req := store.SeatRequest{
					Kind:    rapid.SampledFrom([]store.Kind{store.Register, store.Register, store.Cancel, store.EditEvent}).Draw(rt, "kind"),
					EventID: s.event.ID, RequestID: fmt.Sprint(n), At: time.UnixMilli(int64(n)).UTC(),
				}
				if req.Kind == store.EditEvent {
					capacity := rapid.Int64Range(1, 6).Draw(rt, "capacity")
					req.Edit = &store.Edit{Version: store.AnyVersion, Capacity: &capacity}
				} else {
					req.UserID = rapid.SampledFrom(users).Draw(rt, "user")
				}
				batch = append(batch, req)
			}
			s.apply(batch...)
		}
		for user, r := range s.held {
			if len(r.Revisions) > 30 {
				continue // the list is bounded
			}
			var want []ItemOf
			for _, row := range s.rows.rows {
				for _, item := range Items(row) {
					if item.UserID == user {
						want = append(want, ItemOf{row, item})
					}
				}
			}
			got, err := s.told(store.UserRegistration{Registration: r, Event: s.event})
			if err != nil || got != textOf(want) {
				rt.Fatalf("%+v is told %s, %v; want %s", r, got, err, textOf(want))
			}
		}
	})
}

// TestARegistrationIsFoundInWhatIsLeft has records that tell of no more than a part: they begin late, name nobody of
// many, or have lost rows.
func TestARegistrationIsFoundInWhatIsLeft(t *testing.T) {
	counters := func(sold, waiting, last, through int64) store.Counters {
		return store.Counters{Capacity: 3, TicketsSold: sold, Waiting: waiting, LastNumber: last, ConfirmedThrough: through}
	}
	user, other := store.ID{1}, store.ID{2}
	edit := func(revision int64, before, after store.Counters, p store.Promotion) store.ChangeRecord {
		return store.ChangeRecord{Revision: revision, Before: before, After: after, Actions: []store.Action{{Kind: store.EditEvent, Promoted: p}}}
	}
	three, many := counters(3, 97, 100, 3), counters(53, 47, 100, 53)
	start := store.ChangeRecord{Revision: 9, Start: store.StartTakeover, Before: three, After: three}
	range3to53 := edit(12, three, many, store.Promotion{After: 3, Through: 53, Count: 50})
	late := []store.ChangeRecord{
		start, edit(10, three, three, store.Promotion{}), edit(11, three, three, store.Promotion{}), range3to53,
		edit(13, many, many, store.Promotion{}), edit(14, many, counters(54, 46, 100, 54), store.Promotion{After: 53, Through: 54, Count: 1, Users: []store.NumberedUser{{Number: 54, UserID: user}}}),
	}
	all := counters(3, 0, 3, 3)
	imported := store.ChangeRecord{Revision: 1, Start: store.StartImport, Before: all, After: all}
	named := imported
	named.Roster = []store.NumberedUser{{Number: 1, UserID: other}, {Number: 2, UserID: user}}
	waits := store.ChangeRecord{Revision: 2, Before: all, After: counters(3, 1, 4, 3), Actions: []store.Action{{Kind: store.Register, UserID: user, Number: 4, Waiting: true}}}
	movesUp := store.ChangeRecord{
		Revision: 4, Before: counters(3, 1, 4, 3), After: counters(3, 0, 4, 4),
		Actions: []store.Action{{Kind: store.Cancel, UserID: other, Number: 1, Promoted: store.Promotion{After: 3, Through: 4, Count: 1, Users: []store.NumberedUser{{Number: 4, UserID: user}}}}},
	}
	leaves := store.ChangeRecord{Revision: 6, Before: movesUp.After, After: counters(2, 0, 4, 4), Actions: []store.Action{{Kind: store.Cancel, UserID: user, Number: 4}}}
	for _, c := range []struct {
		name      string
		rows      []store.ChangeRecord
		number    int64
		cancelled bool
		revisions store.Revisions
		want      string
	}{
		{"a record that begins late/who had a seat before it", late, 3, false, nil, ""},
		{"a record that begins late/the first who moved up", late, 4, false, nil, "12.2 promoted 4"},
		{"a record that begins late/the last who moved up", late, 53, false, nil, "12.2 promoted 53"},
		{"a record that begins late/who moved up by name", late, 54, false, nil, "14.2 promoted 54"},
		{"a record that begins late/who waits", late, 55, false, nil, ""},
		{"a record that begins late/who has cancelled", late, 4, true, nil, ""},
		{"a record that begins late/who came later and whose row is gone", late, 101, false, store.Revisions{8}, ""},
		{"a record that begins late/the last before it", []store.ChangeRecord{start, edit(10, three, counters(100, 0, 100, 100), store.Promotion{After: 3, Through: 100, Count: 97})}, 100, false, nil, "10.2 promoted 100"},
		{"a record that begins late/none before it", []store.ChangeRecord{start, edit(10, three, counters(101, 0, 101, 101), store.Promotion{After: 3, Through: 101, Count: 98})}, 101, false, nil, ""},
		{"an import of a long roster/the last of it", []store.ChangeRecord{imported}, 3, false, store.Revisions{1}, "1.1 registered 3"},
		{"an import of a long roster/who came later", []store.ChangeRecord{imported}, 4, false, store.Revisions{1}, ""},
		{"an import with a roster/one of it", []store.ChangeRecord{named}, 2, false, store.Revisions{1}, "1.3 registered 2"},
		{"a row is gone/of one that waited", []store.ChangeRecord{imported, movesUp}, 4, false, store.Revisions{2}, ""},
		{"a row is gone/of the move", []store.ChangeRecord{imported, waits, leaves}, 4, true, store.Revisions{2, 6}, "2.1 waitlisted 4, 6.1 cancelled 4"},
		{"a row is gone/of the move, and others move up behind it", []store.ChangeRecord{
			imported, waits, edit(7, counters(4, 9, 13, 4), counters(13, 0, 13, 13), store.Promotion{After: 4, Through: 13, Count: 9}),
		}, 4, false, store.Revisions{2}, "2.1 waitlisted 4"},
		{"all rows behind are gone", []store.ChangeRecord{imported, waits}, 4, false, store.Revisions{2}, "2.1 waitlisted 4"},
		{"no row is gone", []store.ChangeRecord{imported, waits, movesUp, leaves}, 4, true, store.Revisions{2, 6}, "2.1 waitlisted 4, 4.2 promoted 4, 6.1 cancelled 4"},
		{"many move up before somebody comes", []store.ChangeRecord{
			edit(2, counters(3, 2, 5, 3), counters(5, 0, 5, 5), store.Promotion{After: 3, Through: 5, Count: 2}),
			{Revision: 3, Before: counters(5, 0, 5, 5), After: counters(6, 0, 6, 6), Actions: []store.Action{{Kind: store.Register, UserID: user, Number: 6}}},
		}, 6, false, store.Revisions{3}, "3.1 registered 6"},
		{"nothing is left", nil, 4, false, store.Revisions{2}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			held := store.UserRegistration{
				Registration: store.Registration{UserID: user, Number: c.number, Cancelled: c.cancelled, Revisions: c.revisions},
			}
			if len(c.rows) > 0 {
				last := c.rows[len(c.rows)-1]
				if c.name == "all rows behind are gone" {
					last.Revision, last.After.ConfirmedThrough = 90, 4
				}
				held.Event = store.Event{Recorded: last.Revision, Revision: last.Revision, ConfirmedThrough: last.After.ConfirmedThrough, LastNumber: last.After.LastNumber}
			}
			r := &rows{rows: c.rows}
			if got, err := r.told(held); err != nil || got != c.want {
				t.Fatalf("%s, %v; want %s", got, err, c.want)
			}
			for fail := range r.reads {
				if got, err := (&rows{rows: c.rows, failAt: fail + 1}).told(held); err == nil {
					t.Errorf("read %d fails, and yet %s is told", fail+1, got)
				}
			}
		})
	}
}

// TestReadsThatAreNotNeeded checks that nothing is read of a registration but what it names, unless it has moved up.
func TestReadsThatAreNotNeeded(t *testing.T) {
	user := store.ID{1}
	r := &rows{}
	for revision := range int64(50) {
		r.rows = append(r.rows, store.ChangeRecord{
			Revision: revision + 1, Before: store.Counters{LastNumber: 5, ConfirmedThrough: 3}, After: store.Counters{LastNumber: 5, ConfirmedThrough: 3},
			Actions: []store.Action{{Kind: store.Register, UserID: user, Number: 3, Waiting: revision == 7}},
		})
	}
	for name, c := range map[string]struct {
		number    int64
		revisions store.Revisions
		reads     int
	}{
		"a seat at once":                    {3, store.Revisions{4}, 1},
		"who waits":                         {4, store.Revisions{8}, 1},
		"who waits, from before the record": {5, nil, 0},
		"a seat, from before the record":    {3, nil, 1},
	} {
		r.reads = 0
		_, err := r.told(store.UserRegistration{
			Registration: store.Registration{UserID: user, Number: c.number, Revisions: c.revisions},
			Event:        store.Event{Recorded: 50, Revision: 50, ConfirmedThrough: 3, LastNumber: 5},
		})
		if err != nil || r.reads != c.reads {
			t.Errorf("%s: %d reads, %v", name, r.reads, err)
		}
	}
}

// TestAMoveIsFoundByFewReads checks that the row at which somebody moved up is found by halving.
func TestAMoveIsFoundByFewReads(t *testing.T) {
	const last = 4096
	user := store.ID{1}
	r := &rows{rows: []store.ChangeRecord{{Revision: 1, After: store.Counters{LastNumber: 1}, Actions: []store.Action{{Kind: store.Register, UserID: user, Number: 1, Waiting: true}}}}}
	for revision := int64(2); revision <= last; revision++ {
		row := store.ChangeRecord{Revision: revision, After: store.Counters{LastNumber: 1}, Actions: []store.Action{{Kind: store.EditEvent}}}
		if revision >= 3000 {
			row.After.ConfirmedThrough = 1
		}
		if revision == 3000 {
			row.Actions[0].Promoted = store.Promotion{Through: 1, Count: 1}
		}
		r.rows = append(r.rows, row)
	}
	held := store.UserRegistration{
		Registration: store.Registration{UserID: user, Number: 1, Revisions: store.Revisions{1}},
		Event:        store.Event{Recorded: last, Revision: last, ConfirmedThrough: 1, LastNumber: 1},
	}
	if got, err := r.told(held); err != nil || got != "1.1 waitlisted 1, 3000.2 promoted 1" || r.reads > 15 {
		t.Errorf("%s after %d reads, %v", got, r.reads, err)
	}
}
