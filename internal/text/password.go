package text

import (
	"errors"
	"unicode/utf8"

	"golang.org/x/text/runes"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// Password returns the normal form of a new password: the OpaqueString profile of RFC 8265,
// section 4.2. It is NFC, with every kind of blank as U+0020, and is otherwise as typed: nothing is
// trimmed, and case and width count. It refuses what not every keyboard can type again, such as
// control characters, code points without a character, and joiners outside of words, so also
// emoji that are made of several. The caller bounds the length of the result.
func Password(typed string) (string, error) {
	if !utf8.ValidString(typed) {
		return "", errEncoding
	}
	if typed == "" {
		return "", errors.New("is required")
	}
	composed, err := compose(typed)
	if err != nil {
		return "", err
	}
	form, err := precis.OpaqueString.String(composed)
	if err != nil {
		return "", culprit(precis.OpaqueString.Allowed(), composed)
	}
	return form, nil
}

// PasswordForms returns what to compare with a stored hash when somebody types a password: one
// text, or two. Hashes that are older than Password are of what was typed then.
//
// The first one is what a hash that is made now is made of. The second one is as typed, or, when that
// is the first one too, decomposed: so an old password that was set with decomposed umlauts is right
// when it is typed with composed ones, and the other way round. No more are tried, although an old hash
// may be of a third form (half composed, or decomposed with a foreign blank): each costs a hash.
// Passwords in ASCII, and all that have no other form, cost one.
//
// How many there are depends on what is typed only. To keep it so, the caller compares with each
// form until one is right, with the same dummy hash where there is no such account: then a
// wrong password and an unknown address both cost all of them. A caller that skips the second form for
// accounts whose hash is known to be of a normal form must hash all the same. Whoever got in by
// the second form has their hash renewed from the first one.
func PasswordForms(typed string) []string {
	first, err := Password(typed)
	if err != nil {
		first = norm.NFC.String(typed) // an old password that could not be set any more
	}
	second := typed
	if second == first {
		second = norm.NFD.String(first)
	}
	if second == first {
		return []string{first}
	}
	return []string{first, second}
}

// culprit returns the reason why a PRECIS profile refuses a text, given the characters that the
// profile takes everywhere: the first character that is taken nowhere, else the first that is
// refused beside its neighbours.
func culprit(everywhere runes.Set, text string) error {
	for _, r := range text {
		if !everywhere.Contains(r) && !contextual(r) {
			return refuse(r)
		}
	}
	for _, r := range text {
		if !everywhere.Contains(r) {
			return refuseHere(r)
		}
	}
	return errors.New("has characters that do not go together")
}

// contextual reports the characters that RFC 5892, appendix A, takes beside certain others only.
func contextual(r rune) bool {
	switch r {
	case zeroWidthNonJoiner, zeroWidthJoiner, '\u00b7', '\u0375', '\u05f3', '\u05f4', '\u30fb':
		return true
	}
	return '\u0660' <= r && r <= '\u0669' || '\u06f0' <= r && r <= '\u06f9'
}
