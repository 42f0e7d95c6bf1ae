package text

import (
	"slices"
	"strings"
	"unicode"
)

const (
	zeroWidthSpace     = '\u200b'
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
	mongolianSeparator = '\u180e' // between a stem and its last vowel
	blackFlag          = '\U0001F3F4'
)

// Seen returns a text that is searched for without the characters that no stored text has because
// nobody sees them. People paste them. Joiners and the zero-width space stay: words of stored texts end at
// them, too.
func Seen(typed string) string {
	return strings.Map(func(r rune) rune {
		if r != zeroWidthSpace && r != zeroWidthJoiner && r != zeroWidthNonJoiner && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) &&
			unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return r
	}, typed)
}

// checkVisible refuses the first character that nobody sees or that turns the direction of
// others, unless it does there what Unicode has it for.
func checkVisible(rs []rune, lines bool) error {
	for i, r := range rs {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			if !lines {
				return refuse(r)
			}
		case ' ' <= r && r <= '~':
		case unicode.In(r, unicode.Cc, unicode.Co, unicode.Zl, unicode.Zp):
			return refuse(r)
		case unicode.Is(unicode.Variation_Selector, r):
			if !selects(rs, i) {
				return refuseHere(r)
			}
		case r == zeroWidthJoiner, r == zeroWidthNonJoiner, r == zeroWidthSpace, r == mongolianSeparator:
			if !joins(rs, i) {
				return refuseHere(r)
			}
		case isTag(r):
			if !endsFlag(rs, i) {
				return refuseHere(r)
			}
		case unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point):
			if !unicode.Is(unicode.Prepended_Concatenation_Mark, r) { // those are seen: the Arabic sign of a year
				return refuse(r)
			}
		case unicode.Is(unicode.Cn, r) && !reserved(r):
			return refuse(r)
		}
	}
	return nil
}

// reserved reports whether a code point that our version of Unicode does not assign is kept
// for emoji (Extended_Pictographic, Unicode Technical Standard 51) or for ideographs (planes 2
// and 3). Neither will have a decomposition, so a text with it is in NFC already.
func reserved(r rune) bool {
	if !unicode.Is(unicode.Cn, r) || unicode.Is(unicode.Noncharacter_Code_Point, r) {
		return false
	}
	return 0x1F000 <= r && r <= 0x1FAFF || 0x1FC00 <= r && r <= 0x1FFFD || // emoji
		0x20000 <= r && r <= 0x2F7FF || 0x30000 <= r && r <= 0x3FFFD // ideographs; 2F800 to 2FA1F decompose
}

// joining reports whether a character is of a script whose words have joiners: one that connects
// letters as Arabic does, or one of South and Southeast Asia in which consonants join. RFC 5892,
// appendix A, looks at the letters, not at the script: it is made for names of hosts, and refuses
// ordinary Persian (a joiner after a letter that does not connect) and Bengali (a joiner before the
// virama). Texts for people are no identifiers.
func joining(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Adlam, unicode.Hanifi_Rohingya, unicode.Mongolian,
		unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
		unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese)
}

// joins reports whether the zero-width character at i stands where it has an effect.
func joins(rs []rune, i int) bool {
	before, after := base(rs, i), next(rs, i)
	switch rs[i] {
	case zeroWidthSpace: // where a line may end, in scripts without blanks: Khmer keyboards type it as their blank
		unspaced := func(r rune) bool {
			return unicode.In(r, unicode.Khmer, unicode.Lao, unicode.Myanmar, unicode.Thai)
		}
		return unspaced(before) && unspaced(after)
	case mongolianSeparator:
		return unicode.Is(unicode.Mongolian, before) && unicode.Is(unicode.Mongolian, after)
	case zeroWidthNonJoiner: // also between a number and the word that it is part of
		return (joining(before) || unicode.Is(unicode.Nd, before)) && joining(after)
	}
	// zeroWidthJoiner: it may end a word, and shows then how its last letter would go on.
	return joining(before) || pictographic(rs[max(0, i-1)]) && pictographic(after)
}

// pictographic reports whether an emoji may have the character beside a joiner: a symbol, the
// selector that makes one an emoji, or a modifier of its skin.
func pictographic(r rune) bool {
	const emojiPresentation = '\ufe0f'
	return r == emojiPresentation || unicode.In(r, unicode.So, unicode.Sm, unicode.Sk) || reserved(r)
}

// base returns the last character before i that is not a nonspacing mark, or 0.
func base(rs []rune, i int) rune {
	for i--; i >= 0; i-- {
		if !unicode.Is(unicode.Mn, rs[i]) {
			return rs[i]
		}
	}
	return 0
}

// next returns the character after i, or 0.
func next(rs []rune, i int) rune {
	if i+1 < len(rs) {
		return rs[i+1]
	}
	return 0
}

// selects reports whether the variation selector at i follows a character of a kind that has
// variants (StandardizedVariants.txt, emoji-variation-sequences.txt, and the Ideographic
// Variation Database, which Japanese names need).
func selects(rs []rune, i int) bool {
	if i == 0 {
		return false
	}
	const informationSource = '\u2139' // the only letter that is an emoji
	selector, before := rs[i], rs[i-1]
	switch {
	case selector <= '\u180f': // the selectors of Mongolian
		return unicode.Is(unicode.Mongolian, before)
	case selector <= '\ufe0f':
		return unicode.In(before, unicode.S, unicode.P, unicode.Han, unicode.Myanmar, unicode.Phags_Pa) || before == informationSource ||
			'0' <= before && before <= '9' || reserved(before)
	}
	return unicode.Is(unicode.Han, before) || reserved(before)
}

func isTag(r rune) bool { return 0xE0020 <= r && r <= 0xE007F }

// endsFlag reports whether the tag at i is part of one of the flags that are recommended for
// interchange (emoji-sequences.txt): England, Scotland and Wales. Any other run of tags is a text
// that nobody sees.
func endsFlag(rs []rune, i int) bool {
	first := i
	for first > 0 && isTag(rs[first-1]) {
		first--
	}
	last := i
	for isTag(next(rs, last)) {
		last++
	}
	if first == 0 || rs[first-1] != blackFlag {
		return false
	}
	const ends = 0x7F
	region := make([]rune, 0, last-first+1)
	for _, tag := range rs[first : last+1] {
		region = append(region, tag-0xE0000)
	}
	return slices.Contains([]string{"gbeng", "gbsct", "gbwls"}, string(region[:len(region)-1])) && region[len(region)-1] == ends
}
