package store

import (
	"strings"
	"unicode"
)

// Words splits a search at blanks, into words as Contains wants them.
func Words(search string) []string { return strings.Fields(Fold(search)) }

// Fold maps text to a form in which letters that differ only in case are equal: each
// character becomes the least of those that Unicode's simple case folding connects. No
// locale, no normalisation and no folding of one letter into two: "straße" is "STRAẞE" and
// not "STRASSE".
func Fold(s string) string { return strings.Map(foldRune, s) }

func foldRune(r rune) rune {
	least := r
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		least = min(least, c)
	}
	return least
}

// Cases are all characters that fold to the same as r does, r first.
func Cases(r rune) []rune {
	all := []rune{r}
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		all = append(all, c)
	}
	return all
}

// Contains reports whether each of the folded words is a part of the title or of the
// description, in any case. It is what FindEvents means by EventQuery.Words.
func (e Event) Contains(words []string) bool {
	if len(words) == 0 {
		return true
	}
	title, description := Fold(e.Title), Fold(e.Description)
	for _, w := range words {
		if !strings.Contains(title, w) && !strings.Contains(description, w) {
			return false
		}
	}
	return true
}
