package text

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// MaxAddress is the most bytes of an e-mail address (RFC 5321, section 4.5.3.1.3, less the
// brackets), in each of its two forms. Of its parts only the labels of the domain have limits of
// their own: 64 bytes for what is before the @ is what every mail server must take, and some
// take more.
const MaxAddress = 254

var errAddress = errors.New("must be an e-mail address like name@example.org")

// domains maps names of hosts by UTS 46, nontransitional: ß stays ß. Hyphens in the third and
// fourth place are taken, as browsers take them; at the ends of a label Address refuses them.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.CheckHyphens(false), idna.BidiRule(), idna.VerifyDNSLength(true))

// mailbox is the UsernameCasePreserved profile of RFC 8265, section 3.4, without its rule about directions:
// package precis applies that to texts without a right-to-left character too, though the RFC
// does not, and would refuse 1é.
var mailbox = precis.NewIdentifier(precis.FoldWidth)

// Address returns the two normal forms of an e-mail address: the one that is stored, shown and
// written to, and the key that addresses are compared by. White space around it does not count.
//
// The domain is in letters in the first form (bücher.example) and in ASCII in the key
// (xn--bcher-kva.example), whichever of them was typed; both are in lower case. Literals such as
// [192.0.2.1] and [IPv6:2001:db8::1] are in their shortest form.
//
// What is before the @ is, in the first form, a UsernameCasePreserved of RFC 8265, section 3.4: NFC,
// case as typed, and no characters that look like others by definition (ligatures, letters in
// circles), that are not seen, or that turn the direction. Full-width letters become the ordinary ones, as
// that profile has it: Japanese keyboards type them by accident, and no mailbox has them. The key is
// in lower case, by which a Turkish dotless ı stays one.
//
// Nothing that ASCII allows before the @ is refused, except white space and a second @ in quotes.
func Address(typed string) (address, key string, err error) {
	if !utf8.ValidString(typed) {
		return "", "", errEncoding
	}
	whole, err := compose(width.Fold.String(strings.TrimSpace(typed)))
	if err != nil {
		return "", "", err
	}
	if whole == "" {
		return "", "", errBlank
	}
	local, domain, _ := strings.Cut(whole, "@")
	if local == "" || domain == "" || strings.Contains(domain, "@") || strings.ContainsFunc(whole, unicode.IsSpace) {
		return "", "", errAddress
	}
	if local, err = localPart(local); err != nil {
		return "", "", err
	}
	letters, ascii, err := domainPart(domain)
	if err != nil {
		return "", "", err
	}
	address, key = local+"@"+letters, lower(local)+"@"+ascii
	if max(len(address), len(key)) > MaxAddress {
		return "", "", fmt.Errorf("must have at most %d bytes", MaxAddress)
	}
	return address, key, nil
}

// AddressKeys returns the keys under which an account may be stored for an address that is typed
// to log in: one, or two. It takes every text.
//
// The last one is the key of Address. If there are two, the first one is what the key was before Address:
// lower case, trimmed. Some accounts keep that one: those with an address that Address refuses, and
// those whose new key another account has already. The caller takes the account of the first key
// that has one, so that such an account can be reached by typing what its owner always typed.
func AddressKeys(typed string) []string {
	older := strings.ToLower(strings.TrimSpace(typed))
	_, key, err := Address(typed)
	if err != nil || key == older {
		return []string{older}
	}
	return []string{older, key}
}

// localPart returns the normal form of what is before the @.
func localPart(local string) (string, error) {
	form, err := mailbox.String(local)
	switch {
	case err != nil:
		return "", culprit(mailbox.Allowed(), local)
	case bidirule.DirectionString(form) == bidi.RightToLeft && !bidirule.ValidString(form):
		return "", errors.New("must not mix directions of writing before the @")
	}
	return form, nil
}

// lower maps what is before the @ to the form in which it is compared. Greek has two small
// letters for Σ, of which one ends words.
func lower(local string) string {
	return norm.NFC.String(strings.ReplaceAll(strings.ToLower(local), "ς", "σ"))
}

// capitals maps two letters whose lower case UTS 46 has changed (ẞ, in Unicode 15.1) or has otherwise than
// what is before the @ (İ, which it makes an i with a second dot).
var capitals = strings.NewReplacer("ẞ", "ß", "İ", "i")

// domainPart returns the normal form of what is behind the @, in letters and in ASCII.
func domainPart(domain string) (letters, ascii string, err error) {
	if strings.HasPrefix(domain, "[") {
		literal, err := literalPart(domain)
		return literal, strings.ToLower(literal), err
	}
	for _, r := range domain { // UTS 46 leaves out what is not seen
		if r != zeroWidthJoiner && r != zeroWidthNonJoiner && unicode.In(r, unicode.C, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return "", "", refuse(r)
		}
	}
	ascii, err = domains.ToASCII(capitals.Replace(domain))
	if err == nil {
		letters, err = domains.ToUnicode(ascii)
	}
	if err != nil {
		var r rune
		if n, _ := fmt.Sscanf(err.Error(), "idna: disallowed rune U+%X", &r); n == 1 {
			return "", "", refuse(r)
		}
		return "", "", errAddress
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return "", "", errAddress
		}
	}
	return letters, ascii, nil
}

// ForMail returns an address as every mail server takes it: with the domain in ASCII. Only what is before the @ may
// need one that knows other letters (RFC 6531), and there is no other form of it. What is no address stays.
func ForMail(address string) string {
	at := strings.LastIndexByte(address, '@') + 1
	return address[:at] + ASCIIDomain(address[at:])
}

// ASCIIDomain returns the name of a host in ASCII. What is in ASCII, or is no such name, stays.
func ASCIIDomain(domain string) string {
	if strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII }) {
		if _, ascii, err := domainPart(domain); err == nil {
			return ascii
		}
	}
	return domain
}

// literalPart returns the normal form of an address literal (RFC 5321, section 4.1.3).
func literalPart(domain string) (string, error) {
	inside, ok := strings.CutSuffix(domain[1:], "]")
	const tag = "IPv6:"
	tagged := len(inside) >= len(tag) && strings.EqualFold(inside[:len(tag)], tag)
	if tagged {
		inside = inside[len(tag):]
	}
	address, err := netip.ParseAddr(inside)
	if !ok || err != nil || address.Zone() != "" || address.Is4() == tagged {
		return "", errAddress
	}
	if tagged {
		return "[" + tag + address.String() + "]", nil
	}
	return "[" + address.String() + "]", nil
}
