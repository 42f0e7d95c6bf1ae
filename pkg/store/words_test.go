package store

import (
	"strings"
	"testing"
	"unicode"
)

// FuzzContains: an event is found by every word of its own text, in every case that folds.
func FuzzContains(f *testing.F) {
	for _, s := range []string{"Konzert am Hafen", "straße ΤΈΛΟΣ", "İı Kk", "(a+)+$ .*", "\xff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		for _, search := range []string{text, Fold(text)} {
			if !(Event{Title: text}).Contains(Words(search)) || !(Event{Description: text}).Contains(Words(search)) {
				t.Fatalf("%q does not find %q", search, text)
			}
		}
		for _, r := range text {
			for _, c := range Cases(r) {
				if Fold(string(c)) != Fold(string(r)) {
					t.Fatalf("%q and %q fold apart", c, r)
				}
			}
		}
		if Fold(Fold(text)) != Fold(text) {
			t.Fatal("folding twice differs from folding once")
		}
		if strings.ContainsFunc(Fold(text), unicode.IsSpace) != strings.ContainsFunc(text, unicode.IsSpace) {
			t.Fatal("folding changed the blanks")
		}
	})
}
