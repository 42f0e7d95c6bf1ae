package changes

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
)

// TestThePaceIsWhatTheItemsSay compares the minutes, which few rows tell, with a count of all items.
func TestThePaceIsWhatTheItemsSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		created := time.Date(2027, 3, 2, 10, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 59).Draw(rt, "second")) * time.Second)
		s := &simulated{
			event: store.Event{ID: store.ID{1}, Version: 1, Revision: 1, Capacity: 2, Waitlist: true, CreatedAt: created, StartsAt: created.AddDate(1, 0, 0), EndsAt: created.AddDate(2, 0, 0)},
			held:  make(map[store.ID]store.Registration),
		}
		now := created
		for i := range rapid.IntRange(0, 40).Draw(rt, "batches") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 7, 25, 200}).Draw(rt, "seconds")) * time.Second)
			var batch []store.SeatRequest
			for j := range rapid.IntRange(1, 4).Draw(rt, "requests") {
				req := store.SeatRequest{
					Kind:    rapid.SampledFrom([]store.Kind{store.Register, store.Register, store.Cancel, store.EditEvent}).Draw(rt, "kind"),
					EventID: s.event.ID, RequestID: fmt.Sprint(i, ".", j), At: now,
				}
				if req.Kind == store.EditEvent {
					capacity := rapid.Int64Range(1, 6).Draw(rt, "capacity")
					req.Edit = &store.Edit{Version: store.AnyVersion, Capacity: &capacity}
				} else {
					req.UserID = store.ID{2, byte(rapid.IntRange(0, 7).Draw(rt, "user"))}
				}
				batch = append(batch, req)
			}
			s.apply(batch...)
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "later")) * time.Second)
		n := rapid.IntRange(1, 20).Draw(rt, "minutes")
		got, err := PaceOf(context.Background(), counted{Changes: &s.rows}, s.event, now, n)
		if err != nil {
			rt.Fatal(err)
		}
		if want := countedPace(s, now, n); !slices.Equal(got, want) {
			rt.Fatalf("from %v to %v, %d:\ngot  %v\nwant %v", created, now, n, got, want)
		}
	})
}

// countedPace reads everything.
func countedPace(s *simulated, now time.Time, n int) (minutes []Minute) {
	last := now.Truncate(time.Minute)
	for at := s.event.CreatedAt.Truncate(time.Minute); !at.After(last); at = at.Add(time.Minute) {
		m := Minute{At: at}
		for _, row := range s.rows.rows {
			if row.At.Before(at.Add(time.Minute)) {
				m.TicketsSold, m.Waiting = row.After.TicketsSold, row.After.Waiting
			}
			if !row.At.Truncate(time.Minute).Equal(at) {
				continue
			}
			for _, item := range Items(row) {
				switch item.Type {
				case Registered, Waitlisted:
					m.Registrations++
				case Cancelled:
					m.Cancelled++
				}
			}
		}
		minutes = append(minutes, m)
	}
	return minutes[max(0, len(minutes)-n):]
}

// TestThePaceOfARush checks how many rows are read of an event with very many.
func TestThePaceOfARush(t *testing.T) {
	t.Parallel()
	begin := time.Date(2027, 3, 2, 10, 0, 0, 0, time.UTC)
	const rowsAMinute, minutes = 1000, 60
	r := &rush{begin: begin, every: time.Minute / rowsAMinute, count: rowsAMinute * minutes}
	e := store.Event{ID: store.ID{1}, CreatedAt: begin, Revision: r.count + 1, Recorded: r.count + 1, Capacity: 1 << 40}
	e.TicketsSold, e.LastNumber = r.count*10, r.count*10
	got, err := PaceOf(context.Background(), counted{Changes: r}, e, begin.Add(minutes*time.Minute-time.Second), minutes)
	if err != nil || len(got) != minutes {
		t.Fatalf("%d minutes, %v", len(got), err)
	}
	for _, m := range got {
		if m.Registrations != rowsAMinute*10 || m.Cancelled != 0 {
			t.Errorf("in the minute of %v: %+v", m.At, m)
		}
	}
	if r.reads > 700 {
		t.Errorf("%d reads of %d rows", r.reads, r.count)
	}
	t.Logf("%d reads of %d rows", r.reads, r.count)
	for failAt := 1; failAt < 20; failAt += 6 {
		failing := &rush{begin: begin, every: r.every, count: r.count, failAt: failAt}
		if _, err := PaceOf(context.Background(), counted{Changes: failing}, e, begin.Add(time.Hour), minutes); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("read %d fails: %v", failAt, err)
		}
	}
}

// TestThePaceOfWhatIsNotRecorded: minutes before the record begins are left out, an imported roster was
// not made in a minute, and without a record there is what is known.
func TestThePaceOfWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2027, 3, 2, 10, minute, 30, 0, time.UTC) }
	counters := func(sold int64) store.Counters {
		return store.Counters{Capacity: 9, TicketsSold: sold, LastNumber: sold, ConfirmedThrough: sold}
	}
	event := func(revision, sold int64) store.Event {
		return store.Event{ID: store.ID{1}, CreatedAt: at(-600), Revision: revision, Capacity: 9, TicketsSold: sold, LastNumber: sold}
	}
	for _, c := range []struct {
		name string
		rows []store.ChangeRecord
		e    store.Event
		want string
	}{
		{"no record", nil, event(7, 5), "8: 0 5, 9: 0 5, 10: 0 5"},
		{"a record that began late", []store.ChangeRecord{
			{Revision: 6, At: at(9), Start: store.StartTakeover, Before: counters(4), After: counters(4)},
			{Revision: 7, At: at(9), Before: counters(4), After: counters(5)},
		}, event(7, 5), "9: 1 5, 10: 0 5"},
		{"an import", []store.ChangeRecord{
			{Revision: 1, At: at(9), Start: store.StartImport, Before: counters(4), After: counters(4)},
			{Revision: 2, At: at(10), Before: counters(4), After: counters(5)},
		}, event(2, 5), "8: 0 4, 9: 0 4, 10: 1 5"},
		{"a change after the event was read", []store.ChangeRecord{
			{Revision: 2, At: at(10), Before: counters(0), After: counters(1)},
			{Revision: 3, At: at(10), Before: counters(1), After: counters(2)},
		}, event(2, 1), "8: 0 0, 9: 0 0, 10: 1 1"},
		{"a record that began after the event was read", []store.ChangeRecord{
			{Revision: 8, At: at(10), Start: store.StartTakeover, Before: counters(6), After: counters(6)},
		}, event(7, 5), "8: 0 5, 9: 0 5, 10: 0 5"},
		{"an event that is made by a clock that is ahead", nil, store.Event{CreatedAt: at(12), Revision: 1, Capacity: 9}, "10: 0 0"},
	} {
		r := &rows{rows: c.rows}
		got, err := PaceOf(context.Background(), counted{Changes: r}, c.e, at(10), 3)
		if err != nil {
			t.Fatal(err)
		}
		for fail := range r.reads {
			if got, err := PaceOf(context.Background(), counted{Changes: &rows{rows: c.rows, failAt: fail + 1}}, c.e, at(10), 3); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s: read %d fails, and yet %+v, %v", c.name, fail+1, got, err)
			}
		}
		var text []string
		for _, m := range got {
			text = append(text, fmt.Sprintf("%d: %d %d", m.At.Minute(), m.Registrations, m.TicketsSold))
		}
		if got := strings.Join(text, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// rush is a record with very many rows, of ten registrations each.
type rush struct {
	store.Changes
	begin         time.Time
	every         time.Duration
	count         int64
	reads, failAt int
}

func (r *rush) EventChanges(_ context.Context, _ store.ID, after int64, _ int) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		if r.reads++; r.reads == r.failAt {
			yield(store.ChangeRecord{}, store.ErrUnavailable)
			return
		}
		n := max(after, 1) - 1 // rows before it; the first has revision 2
		if n < r.count {
			sold := n * 10
			yield(store.ChangeRecord{Revision: n + 2, At: r.begin.Add(time.Duration(n) * r.every), Before: store.Counters{TicketsSold: sold, LastNumber: sold}}, nil)
		}
	}
}

// TestThePaceHasWhoWasRefused: each count is in its own minute, whatever else happened in it, and minutes that are
// not told of have none.
func TestThePaceHasWhoWasRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 2, 10, 9, 30, 0, time.UTC)
	minute := now.Truncate(time.Minute)
	e := store.Event{ID: store.ID{1}, CreatedAt: now.Add(-time.Hour), Capacity: 1}
	source := counted{Changes: &rows{}, refused: []store.RefusedMinute{
		{EventID: e.ID, At: minute.Add(-3 * time.Minute), Refused: 9},
		{EventID: e.ID, At: minute.Add(-2 * time.Minute), Refused: 4},
		{EventID: e.ID, At: minute, Refused: 7},
		{EventID: e.ID, At: minute.Add(time.Minute), Refused: 1}, // by a clock that is ahead
	}}
	got, err := PaceOf(context.Background(), source, e, now, 3)
	if err != nil || len(got) != 3 || got[0].Refused != 4 || got[1].Refused != 0 || got[2].Refused != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
	source.err = store.ErrUnavailable
	if _, err := PaceOf(context.Background(), source, e, now, 3); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("refusals cannot be read: %v", err)
	}
}

// counted is a record of changes with refusals beside it.
type counted struct {
	store.Changes
	store.Refusals
	refused []store.RefusedMinute
	err     error
}

func (c counted) RefusedMinutes(_ context.Context, _ store.ID, since time.Time) ([]store.RefusedMinute, error) {
	return slices.DeleteFunc(slices.Clone(c.refused), func(m store.RefusedMinute) bool { return m.At.Before(since) }), c.err
}
