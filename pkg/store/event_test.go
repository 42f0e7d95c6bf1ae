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
