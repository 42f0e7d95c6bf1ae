package store_test

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestEveryOutcomeIsOfAKind: each is in the row of some kind of request, but for NotOrganizer, Overtaken and LeaseOut,
// which nobody is told; each kind has a row, and no row has a word twice or one that is no outcome.
func TestEveryOutcomeIsOfAKind(t *testing.T) {
	words := testenv.Constants(t, ".", "Outcome")
	for _, word := range append(words, "", "of tomorrow", "Registered") {
		o := store.Outcome(word)
		if want := slices.Contains(words, word) && o != store.NotOrganizer && o != store.Overtaken && o != store.LeaseOut; o.Valid() != want {
			t.Errorf("%q is the outcome of a kind: %t", o, !want)
		}
	}
	for _, kind := range testenv.Constants(t, ".", "Kind") {
		row := store.Kind(kind).Outcomes()
		if len(row) == 0 {
			t.Errorf("a %s has no outcomes", kind)
		}
		for i, o := range row {
			if !slices.Contains(words, string(o)) || slices.Contains(row[:i], o) {
				t.Errorf("the row of %s has %q twice, or it is no outcome", kind, o)
			}
		}
	}
	if row := store.Kind("probe").Outcomes(); len(row) > 0 {
		t.Errorf("a kind that the store does not know has the outcomes %q", row)
	}
}
