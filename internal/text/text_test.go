package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// Forms of the same text.
const (
	composed   = "M\u00fcller"
	decomposed = "Mu\u0308ller"
	hangul     = "\ud55c\uae00" // 한글
	jamo       = "\u1112\u1161\u11ab\u1100\u1173\u11af"
	vietnamese = "Nguy\u1ec5n V\u0103n \u1ea4m"
	family     = "\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466"
	scotland   = "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F"
	texas      = "\U0001F3F4\U000E0075\U000E0073\U000E0074\U000E0078\U000E007F"
)

func TestLine(t *testing.T) {
	same := func(s string) [2]string { return [2]string{s, s} }
	for name, c := range map[string][2]string{
		"ascii":                              same("Concert <in> the \"garden\" & more"),
		"composed":                           same(composed),
		"decomposed":                         {decomposed, composed},
		"hangul":                             same(hangul),
		"hangul_jamo":                        {jamo, hangul},
		"vietnamese":                         same(vietnamese),
		"vietnamese_decomposed":              {norm.NFD.String(vietnamese), vietnamese},
		"vietnamese_half_composed":           {"Nguy\u00ea\u0303n", "Nguy\u1ec5n"},
		"marks_in_another_order":             {"a\u0323\u0307", "\u1ea1\u0307"},
		"turkish_dotless_i":                  same("\u0131I\u0130i"),
		"turkish_dotted_capital_decomposed":  {"I\u0307stanbul", "\u0130stanbul"},
		"angstrom_sign":                      {"\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"},
		"full_width_letters":                 same("\uff21\uff22\uff23"),
		"ligature":                           same("\ufb01sh"),
		"sharp_s":                            same("Stra\u00dfe"),
		"blanks_around":                      {" \t\u00a0\u3000Ada\u2003\r\n", "Ada"},
		"blanks_inside":                      same("Ada\u00a0\u3000Lovelace"),
		"right_to_left":                      same("\u05e9\u05dc\u05d5\u05dd"),
		"arabic_sign_of_a_year":              same("\u06012027"),
		"persian_non_joiner":                 same("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
		"persian_non_joiner_after_no_joiner": same("\u06a9\u0627\u0631\u200c\u0647\u0627"),
		"persian_number_and_word":            same("20\u200c\u0633\u0627\u0644\u0647"),
		"persian_vowel_sign_before_joiner":   same("\u0628\u0650\u200c\u0647"),
		"persian_joiner_at_the_end":          same("\u0647\u200d"),
		"hindi_joiner":                       same("\u0915\u094d\u200d\u0937"),
		"hindi_non_joiner":                   same("\u0915\u094d\u200c\u0937"),
		"bengali_joiner_before_virama":       same("\u09b0\u200d\u09cd\u09af\u09be\u09b2\u09bf"),
		"malayalam_joiner_at_the_end":        same("\u0d05\u0d35\u0d28\u0d4d\u200d"),
		"sinhala_joiner":                     same("\u0dc1\u0dca\u200d\u0dbb\u0dd3"),
		"khmer_blank":                        same("\u1780\u1784\u200b\u1780\u1784"),
		"mongolian_vowel":                    same("\u182e\u1820\u182d\u180e\u1820"),
		"mongolian_variant":                  same("\u182d\u180b"),
		"emoji":                              same("\U0001F600"),
		"emoji_family":                       same(family),
		"emoji_with_skin_and_joiner":         same("\U0001F9D1\U0001F3FD\u200d\U0001F680"),
		"emoji_with_selector_and_joiner":     same("\u2764\ufe0f\u200d\U0001F525"),
		"emoji_arrow":                        same("\U0001F642\u200d\u2194\ufe0f"),
		"emoji_keycap":                       same("1\ufe0f\u20e3 #\ufe0f\u20e3"),
		"emoji_letter":                       same("\u2139\ufe0f"),
		"emoji_as_text":                      same("\u2764\ufe0e"),
		"emoji_punctuation":                  same("\u203c\ufe0f"),
		"flag":                               same("\U0001F1E9\U0001F1EA"),
		"flag_of_scotland":                   same(scotland + " and " + scotland),
		"emoji_of_a_later_unicode":           same("\U0001FAE9"),
		"ideograph_of_a_later_unicode":       same("\U0002EBF0"),
		"japanese_name_with_variant":         same("\u845b\U000e0100\u57ce"),
		"symbol_only":                        same("\u2665"),
		"full_stop_only":                     same("."),
		"replacement_character":              same("J\ufffdrg"),
		"thirty_marks":                       same("x" + strings.Repeat("\u0315", 30)),
		"200_characters":                     {" " + strings.Repeat("u\u0308", 200), strings.Repeat("\u00fc", 200)},
		"200_emoji":                          same(strings.Repeat("\U0001F600", 200)),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Line(c[0], 200); err != nil || got != c[1] {
				t.Errorf("%+q becomes %+q, %v, want %+q", c[0], got, err, c[1])
			}
		})
	}
}

func TestLineRefuses(t *testing.T) {
	const (
		no     = "must not contain "
		here   = " in this place"
		blank  = "is required and must not be blank"
		tooBig = "must have at most 200 characters"
	)
	for name, c := range map[string][2]string{
		"empty":                        {"", blank},
		"blanks":                       {" \t\u00a0\u2003\u3000 ", blank},
		"hangul_filler":                {"\u3164", no + "U+3164 HANGUL FILLER"},
		"braille_without_dots":         {"\u2800\u2800", blank},
		"mark_only":                    {"\u0308", blank},
		"null_byte":                    {"a\x00b", no + "U+0000, a control character"},
		"line_end":                     {"a\nb", no + "U+000A, a control character"},
		"tab":                          {"a\tb", no + "U+0009, a control character"},
		"escape":                       {"a\x1b[2J", no + "U+001B, a control character"},
		"delete":                       {"a\x7fb", no + "U+007F, a control character"},
		"next_line":                    {"a\u0085b", no + "U+0085, a control character"},
		"line_separator":               {"a\u2028b", no + "U+2028 LINE SEPARATOR"},
		"paragraph_separator":          {"a\u2029b", no + "U+2029 PARAGRAPH SEPARATOR"},
		"soft_hyphen":                  {"Kon\u00adzert", no + "U+00AD SOFT HYPHEN"},
		"zero_width_space":             {"Kon\u200bzert", no + "U+200B ZERO WIDTH SPACE" + here},
		"word_joiner":                  {"Kon\u2060zert", no + "U+2060 WORD JOINER"},
		"byte_order_mark":              {"\ufeffKonzert", no + "U+FEFF ZERO WIDTH NO-BREAK SPACE"},
		"grapheme_joiner":              {"a\u034f\u0308", no + "U+034F COMBINING GRAPHEME JOINER"},
		"rlo":                          {"a\u202egpj.exe", no + "U+202E RIGHT-TO-LEFT OVERRIDE"},
		"lro":                          {"a\u202db", no + "U+202D LEFT-TO-RIGHT OVERRIDE"},
		"rle":                          {"a\u202bb", no + "U+202B RIGHT-TO-LEFT EMBEDDING"},
		"pdf":                          {"a\u202cb", no + "U+202C POP DIRECTIONAL FORMATTING"},
		"lri":                          {"a\u2066b", no + "U+2066 LEFT-TO-RIGHT ISOLATE"},
		"rli":                          {"a\u2067b", no + "U+2067 RIGHT-TO-LEFT ISOLATE"},
		"fsi":                          {"a\u2068b", no + "U+2068 FIRST STRONG ISOLATE"},
		"pdi":                          {"a\u2069b", no + "U+2069 POP DIRECTIONAL ISOLATE"},
		"lrm":                          {"a\u200eb", no + "U+200E LEFT-TO-RIGHT MARK"},
		"rlm":                          {"\u05d0\u200f", no + "U+200F RIGHT-TO-LEFT MARK"},
		"alm":                          {"\u0627\u061c", no + "U+061C ARABIC LETTER MARK"},
		"joiner_between_latin_letters": {"a\u200db", no + "U+200D ZERO WIDTH JOINER" + here},
		"joiner_first":                 {"\u200d\U0001F600", no + "U+200D ZERO WIDTH JOINER" + here},
		"joiner_last":                  {"\U0001F600\u200d", no + "U+200D ZERO WIDTH JOINER" + here},
		"joiner_twice":                 {"\U0001F600\u200d\u200d\U0001F600", no + "U+200D ZERO WIDTH JOINER" + here},
		"non_joiner_in_latin":          {"a\u200cb", no + "U+200C ZERO WIDTH NON-JOINER" + here},
		"non_joiner_at_the_end":        {"\u0645\u06cc\u200c", no + "U+200C ZERO WIDTH NON-JOINER" + here},
		"selector_on_a_letter":         {"a\ufe0f", no + "U+FE0F VARIATION SELECTOR-16" + here},
		"selector_first":               {"\ufe0fa", no + "U+FE0F VARIATION SELECTOR-16" + here},
		"selector_twice":               {"\u2764\ufe0f\ufe0f", no + "U+FE0F VARIATION SELECTOR-16" + here},
		"ideographic_selector":         {"a\U000e0100", no + "U+E0100 VARIATION SELECTOR-17" + here},
		"mongolian_selector":           {"a\u180b", no + "U+180B MONGOLIAN FREE VARIATION SELECTOR ONE" + here},
		"mongolian_separator":          {"a\u180eb", no + "U+180E MONGOLIAN VOWEL SEPARATOR" + here},
		"tags":                         {"a\U000E0068\U000E0069", no + "U+E0068 TAG LATIN SMALL LETTER H" + here},
		"flag_that_is_none":            {texas, no + "U+E0075 TAG LATIN SMALL LETTER U" + here},
		"flag_without_end":             {scotland[:len(scotland)-4], no + "U+E0067 TAG LATIN SMALL LETTER G" + here},
		"flag_and_more_tags":           {scotland + "\U000E0061", no + "U+E0067 TAG LATIN SMALL LETTER G" + here},
		"flag_with_another_end":        {scotland[:len(scotland)-4] + "\U000E0061", no + "U+E0067 TAG LATIN SMALL LETTER G" + here},
		"flag_of_another_base":         {"\U0001F600" + scotland[4:], no + "U+E0067 TAG LATIN SMALL LETTER G" + here},
		"language_tag":                 {"a\U000E0001", no + "U+E0001 LANGUAGE TAG"},
		"interlinear_annotation":       {"a\ufff9b", no + "U+FFF9 INTERLINEAR ANNOTATION ANCHOR"},
		"musical_control":              {"a\U0001D173", no + "U+1D173 MUSICAL SYMBOL BEGIN BEAM"},
		"khmer_vowel_that_is_not_seen": {"\u1780\u17b4", no + "U+17B4 KHMER VOWEL INHERENT AQ"},
		"half_width_filler":            {"a\uffa0", no + "U+FFA0 HALFWIDTH HANGUL FILLER"},
		"private_use":                  {"a\ue000", no + "U+E000, a private-use character"},
		"private_use_plane":            {"a\U000F0000", no + "U+F0000, a private-use character"},
		"no_character":                 {"a\uffff", no + "U+FFFF, which is no character"},
		"no_character_of_arabic":       {"a\ufdd0", no + "U+FDD0, which is no character"},
		"no_character_of_plane_2":      {"a\U0002FFFE", no + "U+2FFFE, which is no character"},
		"unassigned":                   {"a\u0378", no + "U+0378, which Unicode " + unicode.Version + " does not assign"},
		"unassigned_not_seen":          {"a\U000E0fff", no + "U+E0FFF, which Unicode " + unicode.Version + " does not assign"},
		"lone_surrogate":               {"a\xed\xa0\x80", "must be valid UTF-8"},
		"broken_utf_8":                 {"a\xc3(", "must be valid UTF-8"},
		"31_marks":                     {"x" + strings.Repeat("\u0315", 31), "must not have more than 30 marks on one character"},
		"201_characters":               {strings.Repeat("\u00fc", 201), tooBig},
		"200_that_become_400":          {strings.Repeat("\u0958", 200), tooBig},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Line(c[0], 200); err == nil || err.Error() != c[1] {
				t.Errorf("%+q becomes %+q, %v, want: %s", c[0], got, err, c[1])
			}
		})
	}
}

func TestLines(t *testing.T) {
	for sent, want := range map[string]string{
		"":                       "",
		" \n ":                   "",
		" a\tb\r\nc\n\nd\n":      "a\tb\r\nc\n\nd",
		"\u2800":                 "\u2800",
		decomposed + "\n" + jamo: composed + "\n" + hangul,
	} {
		if got, err := Lines(sent, 20); err != nil || got != want {
			t.Errorf("%+q becomes %+q, %v, want %+q", sent, got, err, want)
		}
	}
	for _, sent := range []string{"a\vb", "a\fb", "a\x00", "a\u0085b", "a\u2028b", "a\n\u202e", "a\u200b", strings.Repeat("a", 21)} {
		if got, err := Lines(sent, 20); err == nil {
			t.Errorf("%+q becomes %+q", sent, got)
		}
	}
}

// seeds are what the fuzz tests begin with, beside the tables.
func seeds() []string {
	return []string{
		composed, decomposed, jamo, family, scotland, texas, vietnamese, "\u212b\u0958\ufb1d\u2adc", "\u0344\u0f73", "a\u0345\u0301", "ΝΙΚΟΣ", "İı",
		"\u1e9b\u0323", "\uff76\uff9e", "\u0915\u094d\u200d\u0937", "\ufeff", "\u2000\u2001", strings.Repeat("\u0301", 40), "\u034f", "\xff", "\U0001F600\u200d\U0001F600",
	}
}

// FuzzLine: what is taken is in a form that is taken as it is, is not longer than the limit, is found by
// the same words, and is the form of every text that is canonically equivalent.
func FuzzLine(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sent string) { checkLine(t, sent) })
}

// fataler is what tests, fuzz tests and properties have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkLine(t fataler, sent string) {
	t.Helper()
	const most = 30
	for name, form := range map[string]func(string, int) (string, error){"Line": Line, "Lines": Lines} {
		got, err := form(sent, most)
		if err != nil {
			if got != "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("%s(%+q) refused with %+q, %v", name, sent, got, err)
			}
		} else {
			if again, err := form(got, most); err != nil || again != got {
				t.Fatalf("%s(%+q) = %+q, and of that: %+q, %v", name, sent, got, again, err)
			}
			if n := utf8.RuneCountInString(got); n > most || !norm.NFC.IsNormalString(got) {
				t.Fatalf("%s(%+q) = %+q of %d", name, sent, got, n)
			}
			if before, after := Words(sent), Words(got); strings.Join(before, " ") != strings.Join(after, " ") {
				t.Fatalf("%+q is found by %q, its form by %q", sent, before, after)
			}
		}
		if !utf8.ValidString(sent) || marksInARow(sent) > 30 {
			continue
		}
		for _, other := range []string{norm.NFC.String(sent), norm.NFD.String(sent)} {
			if of, otherErr := form(other, most); of != got || (err == nil) != (otherErr == nil) {
				t.Fatalf("%s(%+q) = %+q, %v; of the equivalent %+q: %+q, %v", name, sent, got, err, other, of, otherErr)
			}
		}
	}
}

// Words is store.Words, which words_test.go puts here: package store imports this one.
var Words func(string) []string

// TestEveryCharacter looks at each code point alone and between others; of the letters that have no other
// form, and of what is no character, at a sample.
func TestEveryCharacter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		c := string(r)
		if r > 0x400 && r%101 != 0 && unicode.In(r, unicode.Lo, unicode.Co, unicode.Cn) && norm.NFKC.IsNormalString(c) {
			continue
		}
		for _, s := range []string{c, "x" + c + "\u0301\u0323"} {
			checkLine(t, s)
			checkPassword(t, s)
			checkAddress(t, s+"@"+s+".org")
		}
	}
}

// TestSequences looks at random texts of characters that change under a normal form or depend on their
// neighbours.
func TestSequences(t *testing.T) {
	var changing []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !norm.NFKC.IsNormalString(string(r)) || norm.NFC.PropertiesString(string(r)).CCC() != 0 {
			if !unicode.Is(unicode.Hangul, r) && !unicode.Is(unicode.Han, r) {
				changing = append(changing, r)
			}
		}
	}
	changing = append(changing, []rune(strings.Join(seeds(), "")+"aAiIsSkK.@-_1\u0627\u05d0\u1100\u1161\u11a8\uac00")...)
	texts := rapid.StringOfN(rapid.SampledFrom(changing), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		s := texts.Draw(t, "text")
		checkLine(t, s)
		checkPassword(t, s)
		checkAddress(t, s+"@example.org")
		checkAddress(t, "ada@"+s)
	})
}

// marksInARow counts as package norm does, which puts a character between too many.
func marksInARow(s string) int {
	most, run := 0, 0
	for _, r := range norm.NFD.String(s) {
		if run++; norm.NFKD.PropertiesString(string(r)).CCC() == 0 {
			run = 0
		}
		most = max(most, run)
	}
	return most
}
