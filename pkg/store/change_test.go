package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestWhereARecordBegins checks which rows a change adds to the record of an event: its own, and one before it
// that says where the event stood, when the record does not have everything up to there.
func TestWhereARecordBegins(t *testing.T) {
	at := time.UnixMilli(5).UTC()
	for _, c := range []struct {
		name                  string
		revision, recorded    int64 // of the event before
		lastNumber, recorded2 int64
		want                  []store.Start
	}{
		{"a new event", 1, 0, 0, 2, []store.Start{""}},
		{"a record that goes on", 7, 7, 3, 8, []store.Start{""}},
		{"an imported event", 1, 1, 3, 2, []store.Start{""}},
		{"the first registration came without a record", 1, 0, 1, 2, []store.Start{store.StartTakeover, ""}},
		{"an event that was only edited without a record", 2, 0, 0, 3, []store.Start{store.StartTakeover, ""}},
		{"a change came without a record", 7, 6, 3, 8, []store.Start{store.StartTakeover, ""}},
		{"the record is being removed", 7, 7, 3, store.RemovingRecord, nil},
		{"the record was being removed", 7, store.RemovingRecord, 3, 8, []store.Start{store.StartTakeover, ""}},
	} {
		before := store.Event{
			ID: store.ID{1}, Revision: c.revision, Recorded: c.recorded, LastNumber: c.lastNumber,
			Capacity: 10, TicketsSold: 2, Waiting: 1, ConfirmedThrough: 4,
		}
		after := before
		after.Revision, after.Recorded = before.Revision+1, c.recorded2
		after.Capacity, after.TicketsSold, after.Waiting, after.LastNumber, after.ConfirmedThrough = 11, 3, 0, c.lastNumber+1, 5
		actions := []store.Action{{Kind: store.EditEvent, RequestID: "x"}}
		was := store.Counters{Capacity: 10, TicketsSold: 2, Waiting: 1, LastNumber: c.lastNumber, ConfirmedThrough: 4}
		is := store.Counters{Capacity: 11, TicketsSold: 3, Waiting: 0, LastNumber: c.lastNumber + 1, ConfirmedThrough: 5}
		var want []store.ChangeRecord
		for _, start := range c.want {
			row := store.ChangeRecord{EventID: before.ID, Revision: after.Revision, At: at, Before: was, After: is, Actions: actions}
			if start != "" {
				row = store.ChangeRecord{EventID: before.ID, Revision: before.Revision, At: at, Start: start, Before: was, After: was}
			}
			want = append(want, row)
		}
		got := store.Change{Before: before, After: after, Actions: actions, At: at}.Records()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, want)
		}
	}
}

// TestTheRecordOfAnImport checks that the first row of an imported event names its roster, in order, unless it is too
// long.
func TestTheRecordOfAnImport(t *testing.T) {
	e := store.Event{ID: store.ID{1}, Capacity: 20_000, Waiting: 5}
	at := time.Date(2027, 5, 1, 12, 0, 0, 1_234_567, time.FixedZone("", 3600))
	for n, named := range map[int]bool{0: true, 1: true, 10_000: true, 10_001: false} {
		roster := make([]store.ID, n)
		for i := range roster {
			roster[i] = store.ID{2, byte(i), byte(i >> 8)}
		}
		r := store.ImportRecord(e, roster, at)
		counters := store.Counters{Capacity: 20_000, TicketsSold: int64(n), LastNumber: int64(n), ConfirmedThrough: int64(n)}
		var want []store.NumberedUser
		if named {
			for i, user := range roster {
				want = append(want, store.NumberedUser{Number: int64(i) + 1, UserID: user})
			}
		}
		if r.EventID != e.ID || r.Revision != 1 || r.Start != store.StartImport || r.Before != counters || r.After != counters ||
			!reflect.DeepEqual(r.Roster, want) || !r.At.Equal(time.UnixMilli(at.UnixMilli())) || r.At.Location() != time.UTC {
			t.Errorf("a roster of %d: %d named, %+v to %+v at %v", n, len(r.Roster), r.Before, r.After, r.At)
		}
	}
}

// TestAnImportedEventHasItsRoster checks the counters of an imported event, whatever it came with, and that it has a record.
func TestAnImportedEventHasItsRoster(t *testing.T) {
	e := store.Event{ID: store.ID{1}, Title: "x", Capacity: 9, Version: 5, Revision: 6, Recorded: 4, TicketsSold: 2, Waiting: 7, LastNumber: 8, ConfirmedThrough: 1}
	want := store.Event{ID: store.ID{1}, Title: "x", Capacity: 9, Version: 1, Revision: 1, Recorded: 1, TicketsSold: 3, LastNumber: 3, ConfirmedThrough: 3}
	if got := store.ImportedEvent(e, 3); !got.Equal(want) {
		t.Errorf("%+v", got)
	}
}
