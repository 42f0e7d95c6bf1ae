package store_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestEditsAreChecked: each field of an edit at its bounds is taken, and beyond them it is wrong,
// by itself and beside a field that is right.
func TestEditsAreChecked(t *testing.T) {
	year := func(n int) *time.Time { return new(time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC)) }
	inHamburg := time.Date(2027, 5, 1, 18, 0, 0, 0, time.FixedZone("", 7200))
	for name, edit := range map[string]store.Edit{
		"nothing":             {},
		"any version":         {Version: store.AnyVersion, Cancel: true},
		"the longest texts":   {Title: new(strings.Repeat("😀", 200)), Venue: new(strings.Repeat("é", 200)), Description: new(strings.Repeat("é", 10_000))},
		"texts that are none": {Venue: new(""), Description: new(""), TimeZone: new("")},
		"lines":               {Description: new("a\r\n\tb")},
		"the bounds of seats": {Capacity: new(int64(1_000_000_000))},
		"one seat":            {Capacity: new(int64(1))},
		"the first year":      {StartsAt: year(1), EndsAt: year(9999)},
		"no limits":           {OpensAt: new(time.Time), ClosesAt: new(time.Time)},
		"another zone":        {StartsAt: &inHamburg, TimeZone: new("Europe/Berlin")},
	} {
		if wrong := edit.Check(); len(wrong) > 0 {
			t.Errorf("%s: %v", name, wrong)
		}
	}
	for field, edits := range map[string][]store.Edit{
		"version": {{Version: -2}, {Version: -1 << 63}},
		"title": {
			{Title: new("")}, {Title: new(" \t")}, {Title: new(" x")}, {Title: new("x\n")}, {Title: new("a\nb")}, {Title: new("a\x00b")},
			{Title: new("a\u0085b")}, {Title: new("x\u202egnp")}, {Title: new("\u200b")}, {Title: new("Mu\u0308nchen")}, {Title: new("a\xffb")}, {Title: new(strings.Repeat("x", 201))}, {Title: new(strings.Repeat("x", 100_000))},
		},
		"description": {
			{Description: new(strings.Repeat("x", 10_001))}, {Description: new("a\x00")}, {Description: new("\x1b[31m")}, {Description: new("a\xc3")},
			{Description: new("\u202e")}, {Description: new("a\ufeff")},
		},
		"place":                  {{Venue: new(" ")}, {Venue: new("x ")}, {Venue: new("a\nb")}, {Venue: new("\ufeffKöln")}, {Venue: new(strings.Repeat("x", 201))}},
		"time_zone":              {{TimeZone: new("Local")}, {TimeZone: new("../../etc/passwd")}, {TimeZone: new("right/UTC")}, {TimeZone: new("europe/berlin")}, {TimeZone: new(" ")}},
		"starts_at":              {{StartsAt: year(0)}, {StartsAt: year(10_000)}, {StartsAt: new(year(1).Add(time.Nanosecond))}},
		"ends_at":                {{EndsAt: year(-1)}, {EndsAt: year(292_000_000)}},
		"registration_opens_at":  {{OpensAt: year(0)}, {OpensAt: new(year(2027).Add(time.Microsecond))}},
		"registration_closes_at": {{ClosesAt: year(10_000)}},
		"capacity":               {{Capacity: new(int64(0))}, {Capacity: new(int64(-1))}, {Capacity: new(int64(1_000_000_001))}, {Capacity: new(int64(2e12))}, {Capacity: new(int64(-1 << 63))}},
	} {
		for i, edit := range edits {
			if wrong := edit.Check(); len(wrong) != 1 || wrong[0].Field != field || !strings.HasPrefix(wrong[0].Error(), field+" must ") && !strings.HasPrefix(wrong[0].Error(), field+" is required") {
				t.Errorf("%s %d: %v", field, i, wrong)
			}
		}
	}
	all := store.Edit{Title: new(""), Capacity: new(int64(0)), Venue: new("fine")}
	if wrong := all.Check(); len(wrong) != 2 {
		t.Errorf("two fields are wrong, %v is said", wrong)
	}
}

// TestEveryFieldOfAnEditIsBounded: each field that an edit has, also one that is added later, is
// wrong with a value beyond all bounds. A bool has none.
func TestEveryFieldOfAnEditIsBounded(t *testing.T) {
	for field := range reflect.TypeFor[store.Edit]().Fields() {
		var edit store.Edit
		set := reflect.ValueOf(&edit).Elem().FieldByIndex(field.Index)
		switch set.Interface().(type) {
		case *string:
			set.Set(reflect.ValueOf(new(strings.Repeat("x", 1_000_000))))
		case *int64:
			set.Set(reflect.ValueOf(new(int64(1 << 62))))
		case *time.Time:
			set.Set(reflect.ValueOf(new(time.Date(1_000_000, 1, 1, 0, 0, 0, 0, time.UTC))))
		case int64:
			set.SetInt(-1 << 62)
		case *bool, bool:
			continue
		default:
			t.Errorf("%s has a type that this test does not know", field.Name)
		}
		if wrong := edit.Check(); len(wrong) != 1 {
			t.Errorf("%s may be anything: %v", field.Name, wrong)
		}
	}
}

// TestTimesOfAnEvent checks the times of an event against each other, each at its bound.
func TestTimesOfAnEvent(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2027, 5, 1, hour, 0, 0, 0, time.UTC) }
	justAfter := func(hour int) time.Time { return at(hour).Add(time.Millisecond) }
	none := time.Time{}
	for _, c := range []struct {
		name                        string
		starts, ends, opens, closes time.Time
		wrong                       string
	}{
		{"no hours", at(18), at(20), none, none, ""},
		{"hours", at(18), at(20), at(9), at(17), ""},
		{"the shortest", at(18), justAfter(18), at(18), justAfter(18), ""},
		{"hours without an end", at(18), at(20), at(19), none, ""},
		{"hours without a beginning", at(18), at(20), none, at(1), ""},
		{"hours that end late", at(18), at(20), at(9), at(23), ""},
		{"none of them", none, none, none, none, "ends_at"},
		{"no time at all", at(18), at(18), none, none, "ends_at"},
		{"backwards", at(18), at(17), none, none, "ends_at"},
		{"opens at the end", at(18), at(20), at(20), none, "registration_opens_at"},
		{"opens before it", at(18), justAfter(20), at(20), none, ""},
		{"no hour at all", at(18), at(20), at(9), at(9), "registration_closes_at"},
		{"closes before it opens", at(18), at(20), at(9), at(8), "registration_closes_at"},
		{"all", at(18), at(17), at(17), at(16), "ends_at registration_opens_at registration_closes_at"},
	} {
		e := store.Event{StartsAt: c.starts, EndsAt: c.ends, OpensAt: c.opens, ClosesAt: c.closes}
		var fields []string
		for _, w := range e.CheckTimes() {
			fields = append(fields, w.Field)
			if !strings.HasPrefix(w.Reason, "must be ") {
				t.Errorf("%s: %s", c.name, w.Reason)
			}
		}
		if got := strings.Join(fields, " "); got != c.wrong {
			t.Errorf("%s: %q is wrong, want %q", c.name, got, c.wrong)
		}
	}
}

// TestAnEditAnswersForItsOwnTimes checks that an edit is refused when a time that it sets does not fit the event's
// others, whichever it sets alone, and not for times that were wrong before, as an import may have them.
func TestAnEditAnswersForItsOwnTimes(t *testing.T) {
	at := func(hour int) *time.Time { return new(time.Date(2027, 5, 1, hour, 0, 0, 0, time.UTC)) }
	event := func(starts, ends, opens, closes int) store.Event {
		e := newEvent(5)
		e.StartsAt, e.EndsAt = *at(starts), *at(ends)
		if opens > 0 {
			e.OpensAt = *at(opens)
		}
		if closes > 0 {
			e.ClosesAt = *at(closes)
		}
		return e
	}
	early := event(1, 20, 9, 17)
	for name, c := range map[string]struct {
		event store.Event
		edit  store.Edit
		fits  bool
	}{
		"all as it was":                    {early, store.Edit{Title: new("x")}, true},
		"begins when it ends":              {early, store.Edit{StartsAt: at(20)}, false},
		"begins just before":               {early, store.Edit{StartsAt: at(19)}, true},
		"ends when it begins":              {early, store.Edit{EndsAt: at(1)}, false},
		"ends when registration opens":     {early, store.Edit{EndsAt: at(9)}, false},
		"ends before registration closes":  {early, store.Edit{EndsAt: at(10)}, true},
		"opens when it ends":               {event(1, 20, 0, 0), store.Edit{OpensAt: at(20)}, false},
		"opens while it runs":              {event(1, 20, 0, 0), store.Edit{OpensAt: at(19)}, true},
		"opens when it closes":             {early, store.Edit{OpensAt: at(17)}, false},
		"closes when it opens":             {early, store.Edit{ClosesAt: at(9)}, false},
		"closes later":                     {early, store.Edit{ClosesAt: at(23)}, true},
		"dates that were wrong/hours":      {event(18, 17, 9, 0), store.Edit{OpensAt: at(8), ClosesAt: at(10)}, true},
		"dates that were wrong/other text": {event(18, 17, 9, 0), store.Edit{Title: new("x")}, true},
		"an opening that was wrong/begin":  {event(18, 20, 21, 0), store.Edit{StartsAt: at(17)}, true},
		"an opening that was wrong/close":  {event(18, 20, 21, 0), store.Edit{ClosesAt: at(22)}, true},
		"an opening that was wrong/end":    {event(18, 20, 21, 0), store.Edit{EndsAt: at(21)}, false},
		"hours that were wrong/dates":      {event(18, 20, 9, 8), store.Edit{StartsAt: at(17), EndsAt: at(21)}, true},
		"hours that were wrong/still":      {event(18, 20, 9, 8), store.Edit{OpensAt: at(8)}, false},
	} {
		c.edit.Version = store.AnyVersion
		results, changes := store.Decide(map[store.ID]store.EventState{c.event.ID: {Event: c.event}},
			[]store.SeatRequest{{Kind: store.EditEvent, EventID: c.event.ID, RequestID: "x", Edit: &c.edit}})
		want := store.VersionMismatch
		if c.fits {
			want = store.Edited
		}
		if results[0].Outcome != want || len(changes) > 0 != c.fits {
			t.Errorf("%s: %s, %d changes", name, results[0].Outcome, len(changes))
		}
	}
}

func TestWhichEditsChangeSearches(t *testing.T) {
	for name, c := range map[string]struct {
		edit store.Edit
		want bool
	}{
		"title": {store.Edit{Title: new("")}, true}, "description": {store.Edit{Description: new("")}, true}, "venue": {store.Edit{Venue: new("")}, true},
		"nothing": {store.Edit{}, false},
		"others":  {store.Edit{TimeZone: new("UTC"), Capacity: new(int64(1)), StartsAt: new(time.Now()), Waitlist: new(true), Cancel: true}, false},
	} {
		if c.edit.ChangesSearch() != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}
