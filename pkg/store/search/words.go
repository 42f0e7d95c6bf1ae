// Package search says which events and attendees a search finds, and makes pages of events by the
// indexes of an adapter. It is pure: adapters keep the indexes (WordPrefixes) and read by them
// (EventReader).
package search

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/eventio/eventio/pkg/store"
)

// Bounds of searches.
const (
	// MaxPrefix is how many characters of a word an index stores. A longer word of a search is
	// compared with the texts of the events that the index finds.
	MaxPrefix = 20
	// MaxEventWords is by how many different words an event can be found: those of the title, then
	// of the venue, then of the description.
	MaxEventWords = 300
)

// Words returns the words of a text, in the form in which they are compared, each once.
//
// Two characters are equal when they differ only in case or in diacritics, or are variants of
// each other: the text is decomposed (Unicode's NFKD), nonspacing marks are left out, and
// each character becomes the least of those that simple case folding connects. No locale and
// no folding of one letter into two: "STRASSE" is not "straße". A word is a run of letters,
// digits and the marks between them.
//
// In scripts that put no blanks between words (such as Han, kana and Thai) each character
// begins a word of two, so that a text is found by any part of it.
func Words(text string) []string {
	words := []string{} // not nil, which would mean no search
	seen := make(map[string]bool)
	addWords(text, func(word string) bool {
		if !seen[word] {
			seen[word] = true
			words = append(words, word)
		}
		return true
	})
	return words
}

// addWords calls add with each word of a text, until it returns false.
func addWords(text string, add func(word string) bool) {
	for run := range strings.FieldsFuncSeq(fold(text), func(r rune) bool { return !inWord(r) }) {
		for run != "" {
			word := strings.IndexFunc(run, unspaced)
			if word < 0 {
				word = len(run)
			}
			rest := word
			if word == 0 { // each character begins a word of two, the last one a word of one
				_, word = utf8.DecodeRuneInString(run)
				rest = word
				if next, size := utf8.DecodeRuneInString(run[word:]); unspaced(next) {
					word += size
				}
			}
			if !add(run[:word]) {
				return
			}
			run = run[rest:]
		}
	}
}

// inWord reports whether a character, as fold returns it, is a part of a word.
func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return unicode.In(r, unicode.Letter, unicode.Number, unicode.Mc)
}

// unspaced reports whether r is of a script that puts no blanks between words.
func unspaced(r rune) bool {
	const prolonged = 'ー' // of both kana, and so of neither script
	return r > unicode.MaxLatin1 && (r == prolonged || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar))
}

// fold returns text in the form in which it is compared.
func fold(text string) string {
	if ascii(text) {
		return strings.ToUpper(text) // the least of each pair
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return foldRune(r)
	}, norm.NFKD.String(text))
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func foldRune(r rune) rune {
	least := r
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		least = min(least, c)
	}
	return least
}

// eventWords returns the words by which an event is found, in the order in which they count against
// MaxEventWords.
func eventWords(e store.Event) []string {
	words := make([]string, 0, 32)
	seen := make(map[string]bool)
	for _, text := range []string{e.Title, e.Venue, e.Description} {
		addWords(text, func(word string) bool {
			if !seen[word] {
				seen[word] = true
				words = append(words, word)
			}
			return len(words) < MaxEventWords
		})
		if len(words) == MaxEventWords {
			break
		}
	}
	return words
}

// matchesEvent reports whether each of the words, as Words returns them, is the beginning of a word
// of the title, the venue or the description: what EventQuery.Words asks for.
func matchesEvent(e store.Event, words []string) bool {
	own := eventWords(e)
	return !slices.ContainsFunc(words, func(w string) bool {
		return !slices.ContainsFunc(own, func(o string) bool { return strings.HasPrefix(o, w) })
	})
}

// WordPrefixes returns what an index stores of the words of e: of each its first character, its first
// two characters, and so on up to MaxPrefix, sorted and without doubles.
func WordPrefixes(e store.Event) []string {
	all := []string{}
	for _, word := range eventWords(e) {
		n := 0
		for i, r := range word {
			if n++; n > MaxPrefix {
				break
			}
			all = append(all, word[:i+utf8.RuneLen(r)])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// indexedPrefix returns the longest prefix of a word that an index stores.
func indexedPrefix(word string) string {
	n := 0
	for i := range word {
		if n++; n > MaxPrefix {
			return word[:i]
		}
	}
	return word
}
