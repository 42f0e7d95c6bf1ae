package search

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/eventio/eventio/pkg/store"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		" \t.,-_ (*)$ 🎟":                "",
		"Konzert am Hafen, am Kai":      "KONZERT AM HAFEN KAI",
		"naïve Žižek Ångström ÉTÉ":      "NAIVE ZIZEK ANGSTROM ETE",
		"e\u0301te\u0301":               "ETE",
		"İstanbul":                      "ISTANBUL",
		"K ſ ﬁn Ⅳ ２０２７ x²":              "K S FIN IV 2027 X2",
		"Straße STRA\u1E9EE":            "STRAßE",
		"ΤΈΛΟΣ τέλος τέλοσ":             "ΤΕΛΟΣ",
		"Ёлка ЙОД":                      "ЕЛКА ИОД",
		"don't rock'n'roll":             "DON T ROCK N ROLL",
		"C++ 100% a_b":                  "C 100 A B",
		"हिन्दी":                        "हिनदी",
		"東京タワー2027年":                    "東京 京タ タワ ワー ー 2027 年",
		"ｶﾀｶﾅ":                          "カタ タカ カナ ナ",
		"\xff\xfe bad\xffutf":           "BAD UTF",
		strings.Repeat("Ab", 30):        strings.Repeat("AB", 30),
		"one\nTwo\u2028three\u00a0vier": "ONE TWO THREE VIER",
	} {
		if got := strings.Join(Words(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if Words("") == nil {
		t.Error("a search for nothing is no search")
	}
}

func TestBeginnings(t *testing.T) {
	long := strings.Repeat("é", MaxPrefix-1) + "xyz"
	e := store.Event{Title: "Ab ac", Venue: "Ä", Description: long}
	got := WordPrefixes(e)
	want := []string{"A", "AB", "AC"}
	for n := 1; n < MaxPrefix; n++ {
		want = append(want, strings.Repeat("E", n))
	}
	want = append(want, strings.Repeat("E", MaxPrefix-1)+"X")
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for word, found := range map[string]bool{
		long: true, long + "z": false, strings.Repeat("e", MaxPrefix-1) + "xyq": false, "b": false, "A": true,
	} {
		if matchesEvent(e, Words(word)) != found {
			t.Errorf("%q is found: %v", word, !found)
		}
	}
}

// TestHowManyWordsCount checks which words of an event are found: those of the title first, then of
// the venue, then of the description, each once, up to MaxEventWords.
func TestHowManyWordsCount(t *testing.T) {
	var many []string
	for i := range MaxEventWords {
		many = append(many, fmt.Sprintf("w%d same", i))
	}
	e := store.Event{Title: "title", Venue: "place", Description: strings.Join(many, " ")}
	for word, found := range map[string]bool{
		"title": true, "place": true, "same": true, "w0": true,
		fmt.Sprintf("w%d", MaxEventWords-4): true, fmt.Sprintf("w%d", MaxEventWords-3): false,
	} {
		if matchesEvent(e, Words(word)) != found {
			t.Errorf("%q is found: %v", word, !found)
		}
	}
	full := store.Event{Title: strings.Join(many, " "), Venue: "place", Description: "text"}
	for _, word := range []string{"place", "text"} { // the title alone has as many as count
		if matchesEvent(full, Words(word)) {
			t.Errorf("%q is found behind a title of %d words", word, MaxEventWords)
		}
	}
}

// FuzzMatchesWords checks that an event is found by its own text, by every beginning of each of its
// words, in every case, and by what an index has of it.
func FuzzMatchesWords(f *testing.F) {
	for _, s := range []string{"Konzert am Hafen", "straße ΤΈΛΟΣ", "İı Kk", "(a+)+$ .*", "東京タワー x", "हिन्दी", "\xff", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := Words(text)
		if len(words) > MaxEventWords {
			t.Skip()
		}
		for _, w := range words {
			if again := Words(w); again[0] != w {
				t.Fatalf("the word %q has the words %q", w, again)
			}
		}
		for _, e := range []store.Event{{Title: text}, {Description: text}, {Venue: text}} {
			for _, search := range []string{text, strings.Map(otherCase, text)} {
				if !matchesEvent(e, Words(search)) {
					t.Fatalf("%q does not find %q", search, text)
				}
			}
			index := WordPrefixes(e)
			for _, w := range words {
				for i := range w {
					if i > 0 && !matchesEvent(e, []string{w[:i]}) {
						t.Fatalf("%q does not find %q", w[:i], text)
					}
				}
				if !slices.Contains(index, indexedPrefix(w)) {
					t.Fatalf("the index %q has no %q", index, w)
				}
			}
		}
	})
}

// otherCase returns the next character that differs from r in its case only.
func otherCase(r rune) rune {
	if unicode.Is(unicode.Mn, r) { // U+0345 is one, and its capital is a letter
		return r
	}
	return unicode.SimpleFold(r)
}
