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

func TestCases(t *testing.T) {
	for r, want := range map[rune]string{'k': "k\u212aK", 'K': "Kk\u212a", '7': "7", 'ß': "ßẞ"} {
		if got := string(Cases(r)); got != want {
			t.Errorf("cases of %c are %q, want %q", r, got, want)
		}
	}
}

// TestContains: every word must be there, each in one of the two texts.
func TestContains(t *testing.T) {
	e := Event{Title: "Konzert am Hafen", Description: "mit Chor"}
	for search, want := range map[string]bool{
		"": true, "KONZERT": true, "chor": true, "hafen CHOR": true, "onze": true, "konzert oper": false, "oper chor": false, "oper": false,
	} {
		if got := e.Contains(Words(search)); got != want {
			t.Errorf("%q: %t", search, got)
		}
	}
}
