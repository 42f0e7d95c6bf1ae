package store

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// fill sets a field to some value that is not zero.
func fill(t *testing.T, field reflect.Value) {
	t.Helper()
	switch p := field.Addr().Interface().(type) {
	case *string:
		*p = "x"
	case *bool:
		*p = true
	case *int64:
		*p = 7
	case *time.Time:
		*p = time.UnixMilli(7).UTC()
	default:
		t.Fatalf("a field of type %T", p)
	}
}

// TestAnEditSetsEveryFieldOfItsName checks that each field of Edit is one of Event, and that Apply,
// Fields and merge know it.
func TestAnEditSetsEveryFieldOfItsName(t *testing.T) {
	edits := reflect.TypeFor[Edit]()
	for i := range edits.NumField() {
		name := edits.Field(i).Name
		if edits.Field(i).Type.Kind() != reflect.Pointer {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var edit Edit
			value := reflect.New(edits.Field(i).Type.Elem())
			fill(t, value.Elem())
			reflect.ValueOf(&edit).Elem().Field(i).Set(value)
			var want Event
			fill(t, reflect.ValueOf(&want).Elem().FieldByName(name))
			if got := edit.Apply(Event{}); !got.Equal(want) {
				t.Errorf("applied it makes %+v", got)
			}
			for f, v := range edit.Fields() {
				if p := f.Pointer(&want); !reflect.DeepEqual(reflect.ValueOf(p).Elem().Interface(), v) {
					t.Errorf("it sets %s to %v", f.Column, v)
				}
			}
			var merged Edit
			merged.merge(&edit)
			if !reflect.DeepEqual(merged, edit) {
				t.Errorf("merged it is %+v", merged)
			}
		})
	}
}

// TestEventFields checks that every field has a name of its own in both databases, and that no
// stored name has changed.
func TestEventFields(t *testing.T) {
	var keys, columns []string
	for _, f := range EventFields() {
		keys, columns = append(keys, f.Key), append(columns, f.Column)
	}
	// Add, never change: databases have these names.
	if want := []string{
		"_id", "organizer_id", "title", "description", "place", "time_zone", "waitlist", "starts_at", "ends_at",
		"registration_opens_at", "registration_closes_at", "cancelled_at", "created_at", "version", "revision", "last_edit",
		"capacity", "tickets_sold", "waiting", "last_number", "confirmed_through",
	}; !containsAll(keys, want) {
		t.Errorf("the keys are %q", keys)
	}
	if want := []string{"id", "place", "opens_at", "closes_at", "cancelled_at"}; !containsAll(columns, want) {
		t.Errorf("the columns are %q", columns)
	}
	for _, names := range [][]string{keys, columns} {
		sorted := slices.Sorted(slices.Values(names))
		if slices.Contains(names, "") || len(slices.Compact(sorted)) != len(names) {
			t.Errorf("the names are %q", names)
		}
	}
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// TestAnEventIsCreatedWithoutAHistory checks that each field that somebody else sets is as in a new event, and that what the organizer
// sets stays.
func TestAnEventIsCreatedWithoutAHistory(t *testing.T) {
	lived := Event{
		ID: ID{1}, OrganizerID: ID{2}, Title: "title", Capacity: 3, StartsAt: time.UnixMilli(1), CreatedAt: time.UnixMilli(2), Waitlist: true,
		CancelledAt: time.UnixMilli(3), Version: 4, Revision: 5, Recorded: 6, LastEdits: PastRequests{{ID: "x"}},
		TicketsSold: 7, Waiting: 8, LastNumber: 9, ConfirmedThrough: 10, LeasesGranted: 11, LeaseMillis: 12, LeasesEnding: true,
	}
	want := Event{
		ID: ID{1}, OrganizerID: ID{2}, Title: "title", Capacity: 3, StartsAt: time.UnixMilli(1), CreatedAt: time.UnixMilli(2), Waitlist: true,
		Version: 1, Revision: 1,
	}
	if got := lived.AsCreated(); !got.Equal(want) {
		t.Errorf("%+v", got)
	}
}

// TestTheFieldsOfAnEditAreThoseThatItSets checks that no other field is yielded, and none after the caller has stopped.
func TestTheFieldsOfAnEditAreThoseThatItSets(t *testing.T) {
	edit := Edit{Title: new("a"), Waitlist: new(false), Capacity: new(int64(2))}
	for stop, want := range map[int][]string{0: {"title", "waitlist", "capacity"}, 1: {"title"}, 3: {"title", "waitlist", "capacity"}} {
		var got []string
		for f := range edit.Fields() {
			if got = append(got, f.Key); len(got) == stop {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d are asked for: %q", stop, got)
		}
	}
}

// TestALaterEditGoesBeforeAnEarlierOne checks that it replaces what it sets and nothing else, and that a cancellation stays.
func TestALaterEditGoesBeforeAnEarlierOne(t *testing.T) {
	edit := Edit{Version: 3, Title: new("a"), Venue: new("b")}
	for _, later := range []Edit{{Version: 4, Title: new("c")}, {Version: 5, Cancel: true}, {Capacity: new(int64(2))}} {
		edit.merge(&later)
	}
	if want := (Edit{Version: 3, Title: new("c"), Venue: new("b"), Capacity: new(int64(2)), Cancel: true}); !reflect.DeepEqual(edit, want) {
		t.Errorf("%+v", edit)
	}
}
