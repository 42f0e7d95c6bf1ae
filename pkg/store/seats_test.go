package store_test

import (
	"reflect"
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

// TestChangesAreToldToWhoAsks checks that whoever asks is called once, with what has changed but leases, and not without anything.
func TestChangesAreToldToWhoAsks(t *testing.T) {
	seat := store.Change{Before: store.Event{Revision: 1}, After: store.Event{Revision: 2}}
	lease := store.Change{Before: store.Event{Revision: 1}, After: store.Event{Revision: 1, LeaseMillis: 5}}
	for name, c := range map[string]struct {
		changes []store.Change
		told    int
	}{
		"nothing":           {nil, 0},
		"a lease":           {[]store.Change{lease}, 0},
		"a seat":            {[]store.Change{seat}, 1},
		"leases and a seat": {[]store.Change{lease, seat, lease}, 1},
	} {
		var told [][]store.Change
		given := slices.Clone(c.changes)
		store.TellChanges(store.WithChanges(t.Context(), func(changes []store.Change) { told = append(told, changes) }), c.changes)
		if len(told) != c.told || c.told > 0 && (len(told[0]) != 1 || told[0][0].After.Revision != 2) || !reflect.DeepEqual(c.changes, given) {
			t.Errorf("%s: told %+v of %+v", name, told, c.changes)
		}
		store.TellChanges(t.Context(), c.changes) // nobody asks
	}
}

// TestWhichOutcomesMayChangeByThemselves checks which refusals of a registration are not for good.
func TestWhichOutcomesMayChangeByThemselves(t *testing.T) {
	want := []store.Outcome{store.SoldOut, store.RegistrationNotOpen, store.RegistrationClosed, store.EmailUnproven}
	for _, word := range testenv.Constants(t, ".", "Outcome") {
		if o := store.Outcome(word); o.Refuses() != slices.Contains(want, o) {
			t.Errorf("%s refuses: %t", o, o.Refuses())
		}
	}
}
