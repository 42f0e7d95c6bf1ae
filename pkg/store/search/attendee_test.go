package search

import (
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

func TestAttendeesAreFound(t *testing.T) {
	id, err := store.ParseID("6b056f1db8a8b20890367b25")
	if err != nil {
		t.Fatal(err)
	}
	a := store.Attendee{UserID: id, Number: 42, Name: "Zoë Ångström-Müller", Email: "z.muller+guests@Example.org"}
	for query, want := range map[string]bool{
		"zoe": true, "ZOË": true, "ang": true, "muller": true, "mull zo": true, // names: by beginnings, in any order
		"z.muller+guests@example.org": true, "example": true, "@example.org": true, // addresses: whole or in part
		"42": true, "4": false, "420": false, // the number: whole
		"6b056f1db8a8b20890367b25": true, "6B056F1DB8A8B20890367B25": true, "6b056f": false,
		"zoe ada": false, "xample": false, "": true,
	} {
		if got := MatchesAttendee(a, Words(query)); got != want {
			t.Errorf("%q: found is %t, want %t", query, got, want)
		}
	}
	unknown := store.Attendee{UserID: id, Number: 7}
	if !MatchesAttendee(unknown, Words("7")) || MatchesAttendee(unknown, Words("ada")) {
		t.Error("who has no name is found by the number alone")
	}
}

func TestNamesAreSortedAsTheyAreSearched(t *testing.T) {
	for _, same := range [][2]string{{"Zoë", "ZOE"}, {" Ada", "ada"}, {"Ångström", "angstrom"}} {
		if a, b := NameKey(store.Attendee{Name: same[0]}), NameKey(store.Attendee{Name: same[1]}); a != b {
			t.Errorf("%q is %q and %q is %q", same[0], a, same[1], b)
		}
	}
	if NameKey(store.Attendee{Name: "Öz"}) >= NameKey(store.Attendee{Name: "Pa"}) {
		t.Error("Öz is not before Pa")
	}
}
