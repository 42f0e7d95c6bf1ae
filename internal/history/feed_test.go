package history

import (
	"errors"
	"slices"
	"testing"
)

// TestCheckFeed: a record that is whole is accepted, and one with any fault is not.
func TestCheckFeed(t *testing.T) {
	told := event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(Cancel, "u", "c", Done).
		op(Register, "w", "m", Unknown).op(ReadSeat, "v", "", Seen, numbered(2)).h
	right := []Change{
		{1, "", "registered", "u", 1, 1, 1, 0},
		{2, "", "waitlisted", "v", 2, 1, 1, 1},
		{3, "", "cancelled", "u", 1, 1, 1, 0},
		{3, "", "promoted", "v", 2, 1, 1, 0},
		{4, "", "remembered", "", 0, 1, 1, 0},
	}
	landed := append(slices.Clip(right), Change{5, "", "waitlisted", "w", 3, 1, 1, 1})
	for name, feed := range map[string][]Change{"whole": right, "an_unknown_one_has_landed": landed} {
		if err := CheckFeed(told, told.Events[0], feed); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spoil := range map[string]func([]Change) []Change{
		"a_revision_is_missing": func(f []Change) []Change { return append(f[:1], f[2:]...) },
		"a_revision_comes_twice": func(f []Change) []Change {
			return append(f[:2:2], append([]Change{f[1]}, f[2:]...)...)
		},
		"the_last_is_missing":            func(f []Change) []Change { return f[:1] },
		"the_first_are_missing":          func(f []Change) []Change { return f[2:] },
		"a_counter_is_wrong":             func(f []Change) []Change { f[1].Line = 2; return f },
		"more_are_sold_than_there_are":   func(f []Change) []Change { f[0].Capacity = 0; return f },
		"somebody_passes_another":        func(f []Change) []Change { f[3].User = "w"; return f },
		"nobody_moves_up":                func(f []Change) []Change { f[3].Type = "remembered"; return f },
		"a_number_is_another":            func(f []Change) []Change { f[1].Number = 3; return f },
		"a_registration_that_nobody_had": func(f []Change) []Change { return append(f, Change{5, "", "waitlisted", "x", 3, 1, 1, 1}) },
		"a_number_goes_down":             func(f []Change) []Change { return append(f, Change{5, "", "waitlisted", "w", 2, 1, 1, 1}) },
		"registered_twice":               func(f []Change) []Change { return append(f, Change{5, "", "waitlisted", "v", 3, 1, 1, 1}) },
		"cancelled_twice":                func(f []Change) []Change { return append(f, Change{5, "", "cancelled", "u", 1, 1, 1, 0}) },
	} {
		feed := spoil(append([]Change(nil), right...))
		if err := CheckFeed(told, told.Events[0], feed); !errors.Is(err, ErrIllegal) {
			t.Errorf("%s: it is accepted: %v", name, err)
		}
	}
}
