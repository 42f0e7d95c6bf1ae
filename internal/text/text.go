// Package text brings what people type into one normal form, or says in plain words why it has
// none, so that two ways to type the same thing are the same thing. There is one form for each
// kind of text:
//
//	Line           names, titles, places
//	Lines          descriptions
//	Address        e-mail addresses
//	AddressKeys    what an account is found by
//	Password       new passwords
//	PasswordForms  what a stored hash is compared with
//
// What is searched for is folded by search.Words, which ignores case and marks too. It finds a
// text and its normal form by the same words.
//
// # Promises
//
// The normal form of a normal form is itself. Texts that Unicode calls canonically equivalent,
// such as a composed and a decomposed ü, have the same one, or are both refused. Lengths are
// those of the normal form. Errors are in words that follow the name of a field, as in "must not
// contain U+200B ZERO WIDTH SPACE". All functions are safe for concurrent use.
//
// The tables are those of Unicode that golang.org/x/text has for the Go release that builds:
// 15.0 up to Go 1.26, then 17.0. A character that is assigned later is refused until then, because
// how it normalizes is not known, except where Unicode reserves a range for characters that never
// change form: emoji and ideographs, which people have in their names and titles long before a
// server is rebuilt.
package text

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/runenames"
)

var (
	errBlank    = errors.New("is required and must not be blank")
	errEncoding = errors.New("must be valid UTF-8")
	errMarks    = errors.New("must not have more than 30 marks on one character")
)

// Line returns the normal form of a required text of one line: NFC (Unicode Standard Annex 15),
// without white space at its ends, with something to see in it, and with at most maxChars code
// points, which is how JSON Schema counts. It refuses what is not seen or turns the direction of
// what is seen: control and format characters, line ends, tabs, private-use characters, code points
// that are no characters, variation selectors and tags. Joiners and selectors are taken where
// they have an effect: in emoji, and in the scripts that need them.
func Line(value string, maxChars int) (string, error) {
	value, err := normal(value, maxChars, false)
	if err != nil {
		return "", err
	}
	if !strings.ContainsFunc(value, seen) {
		return "", errBlank
	}
	return value, nil
}

// Lines returns the normal form of a text that may be empty and may have several lines. It is
// like Line, and takes tabs and line ends, which stay as they are.
func Lines(value string, maxChars int) (string, error) {
	return normal(value, maxChars, true)
}

func normal(value string, maxChars int, lines bool) (string, error) {
	if !utf8.ValidString(value) {
		return "", errEncoding
	}
	value, err := compose(strings.TrimSpace(value))
	if err != nil {
		return "", err
	}
	if err := checkVisible([]rune(value), lines); err != nil {
		return "", err
	}
	if utf8.RuneCountInString(value) > maxChars {
		return "", fmt.Errorf("must have at most %d characters", maxChars)
	}
	return value, nil
}

// joinsGraphemes is what package norm puts between marks when there are more than 30 in a row
// (Unicode Standard Annex 15, Stream-Safe Text Format). It is not seen.
const joinsGraphemes = '\u034f'

// compose returns NFC. It refuses more marks in a row than Unicode bounds, since the text that
// package norm makes of them is not equivalent any more.
func compose(value string) (string, error) {
	composed := norm.NFC.String(value)
	if strings.Count(composed, string(joinsGraphemes)) > strings.Count(value, string(joinsGraphemes)) {
		return "", errMarks
	}
	return composed, nil
}

// seen reports whether a character of a text that was checked leaves a trace of its own.
func seen(r rune) bool {
	const braillePatternBlank = '\u2800' // a symbol without dots
	return r != braillePatternBlank && unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) || reserved(r)
}

// refuse returns the reason that names a character.
func refuse(r rune) error { return fmt.Errorf("must not contain %s", describe(r)) }

// refuseHere returns the reason that names a character which other places may have.
func refuseHere(r rune) error { return fmt.Errorf("must not contain %s in this place", describe(r)) }

// describe names a character for people who cannot see it.
func describe(r rune) string {
	switch {
	case unicode.Is(unicode.Cc, r):
		return fmt.Sprintf("%U, a control character", r)
	case unicode.Is(unicode.Co, r):
		return fmt.Sprintf("%U, a private-use character", r)
	case unicode.Is(unicode.Noncharacter_Code_Point, r):
		return fmt.Sprintf("%U, which is no character", r)
	case unicode.Is(unicode.Cn, r):
		return fmt.Sprintf("%U, which Unicode %s does not assign", r, unicode.Version)
	}
	return fmt.Sprintf("%U %s", r, runenames.Name(r))
}
