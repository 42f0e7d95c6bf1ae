package text

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestAddress(t *testing.T) {
	label := strings.Repeat("a", 63)
	for name, c := range map[string]struct{ typed, address, key string }{
		"plain":                        {"ada@example.org", "ada@example.org", "ada@example.org"},
		"case":                         {"Ada.Lovelace@EXAMPLE.org", "Ada.Lovelace@example.org", "ada.lovelace@example.org"},
		"blanks_around":                {" \u3000ada@example.org\u00a0\r\n", "ada@example.org", "ada@example.org"},
		"tag":                          {"ada+x@example.org", "ada+x@example.org", "ada+x@example.org"},
		"signs":                        {"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"},
		"dots_that_few_servers_take":   {".ada..b.@example.org", ".ada..b.@example.org", ".ada..b.@example.org"},
		"quoted":                       {`"ada"@example.org`, `"ada"@example.org`, `"ada"@example.org`},
		"composed":                     {"jos\u00e9@example.org", "jos\u00e9@example.org", "jos\u00e9@example.org"},
		"decomposed":                   {"Jose\u0301@example.org", "Jos\u00e9@example.org", "jos\u00e9@example.org"},
		"digit_before_a_letter":        {"1\u00e9.@example.org", "1\u00e9.@example.org", "1\u00e9.@example.org"},
		"hangul_jamo":                  {jamo + "@example.org", hangul + "@example.org", hangul + "@example.org"},
		"turkish_dotless_i":            {"\u0131@example.org", "\u0131@example.org", "\u0131@example.org"},
		"turkish_dotted_capital":       {"AL\u0130@example.org", "AL\u0130@example.org", "ali@example.org"},
		"turkish_dotted_decomposed":    {"ALI\u0307@example.org", "AL\u0130@example.org", "ali@example.org"},
		"greek_capitals":               {"\u039d\u038a\u039a\u039f\u03a3@example.org", "\u039d\u038a\u039a\u039f\u03a3@example.org", "\u03bd\u03af\u03ba\u03bf\u03c3@example.org"},
		"greek_final_sigma":            {"\u03bd\u03af\u03ba\u03bf\u03c2@example.org", "\u03bd\u03af\u03ba\u03bf\u03c2@example.org", "\u03bd\u03af\u03ba\u03bf\u03c3@example.org"},
		"kelvin_sign":                  {"\u212aim@example.org", "Kim@example.org", "kim@example.org"},
		"right_to_left":                {"\u05d3\u05d5\u05d31@example.org", "\u05d3\u05d5\u05d31@example.org", "\u05d3\u05d5\u05d31@example.org"},
		"full_width":                   {"\uff21\uff44\uff41\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff4f\uff52\uff47", "Ada@example.org", "ada@example.org"},
		"half_width_katakana":          {"\uff76\uff9e@example.org", "\u30ac@example.org", "\u30ac@example.org"},
		"ideographic_full_stop":        {"ada@example\u3002org", "ada@example.org", "ada@example.org"},
		"domain_in_letters":            {"ada@b\u00fccher.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"},
		"domain_in_ascii":              {"ada@xn--bcher-kva.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"},
		"domain_in_capital_ascii":      {"ada@XN--BCHER-KVA.EXAMPLE", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"},
		"domain_in_capitals":           {"ada@B\u00dcCHER.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"},
		"domain_decomposed":            {"ada@bu\u0308cher.example", "ada@b\u00fccher.example", "ada@xn--bcher-kva.example"},
		"sharp_s":                      {"ada@fa\u00df.de", "ada@fa\u00df.de", "ada@xn--fa-hia.de"},
		"sharp_s_in_capitals":          {"ada@FA\u1e9e.de", "ada@fa\u00df.de", "ada@xn--fa-hia.de"},
		"turkish_dotted_capital_there": {"ada@\u0130stanbul.example", "ada@istanbul.example", "ada@istanbul.example"},
		"double_s":                     {"ada@fass.de", "ada@fass.de", "ada@fass.de"},
		"persian_domain":               {"ada@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "ada@\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "ada@xn--mgba3gch31f060k.com"},
		"one_label":                    {"ada@localhost", "ada@localhost", "ada@localhost"},
		"hyphens_in_the_middle":        {"ada@r3---sn-ab.example", "ada@r3---sn-ab.example", "ada@r3---sn-ab.example"},
		"ipv4":                         {"ada@[192.0.2.1]", "ada@[192.0.2.1]", "ada@[192.0.2.1]"},
		"ipv6":                         {"ada@[IPv6:2001:DB8:0:0::1]", "ada@[IPv6:2001:db8::1]", "ada@[ipv6:2001:db8::1]"},
		"ipv6_in_small_letters":        {"ada@[ipv6:2001:db8::1]", "ada@[IPv6:2001:db8::1]", "ada@[ipv6:2001:db8::1]"},
		"label_of_63_bytes":            {"ada@" + label + ".org", "ada@" + label + ".org", "ada@" + label + ".org"},
		"65_bytes_before_the_at":       {strings.Repeat("a", 65) + "@example.org", strings.Repeat("a", 65) + "@example.org", strings.Repeat("a", 65) + "@example.org"},
		"254_bytes":                    {strings.Repeat("a", 242) + "@example.org", strings.Repeat("a", 242) + "@example.org", strings.Repeat("a", 242) + "@example.org"},
		"254_bytes_when_it_is_trimmed": {" " + strings.Repeat("a", 242) + "@example.org ", strings.Repeat("a", 242) + "@example.org", strings.Repeat("a", 242) + "@example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			address, key, err := Address(c.typed)
			if err != nil || address != c.address || key != c.key {
				t.Errorf("%+q becomes %+q and %+q, %v, want %+q and %+q", c.typed, address, key, err, c.address, c.key)
			}
		})
	}
}

func TestAddressRefuses(t *testing.T) {
	const (
		no     = "must not contain "
		form   = "must be an e-mail address like name@example.org"
		tooBig = "must have at most 254 bytes"
	)
	label := strings.Repeat("a", 63)
	for name, c := range map[string][2]string{
		"empty":                       {"", "is required and must not be blank"},
		"blank":                       {" \u3000", "is required and must not be blank"},
		"no_at":                       {"ada.example.org", form},
		"only_at":                     {"@", form},
		"no_local_part":               {"@example.org", form},
		"no_domain":                   {"ada@", form},
		"two_ats":                     {"ada@x@example.org", form},
		"full_width_second_at":        {"ada@x\uff20example.org", form},
		"blank_inside":                {"ada lovelace@example.org", form},
		"line_end":                    {"ada@example.org\r\nBcc: eve@example.org", form},
		"null_byte":                   {"ada\x00@example.org", no + "U+0000, a control character"},
		"null_byte_in_domain":         {"ada@exam\x00ple.org", no + "U+0000, a control character"},
		"zero_width_space":            {"a\u200bda@example.org", no + "U+200B ZERO WIDTH SPACE"},
		"zero_width_space_in_domain":  {"ada@exam\u200bple.org", no + "U+200B ZERO WIDTH SPACE"},
		"soft_hyphen_in_domain":       {"ada@exam\u00adple.org", no + "U+00AD SOFT HYPHEN"},
		"byte_order_mark":             {"\ufeffada@example.org", no + "U+FEFF ZERO WIDTH NO-BREAK SPACE"},
		"byte_order_mark_at_the_end":  {"ada@example.org\ufeff", no + "U+FEFF ZERO WIDTH NO-BREAK SPACE"},
		"rlo":                         {"ada\u202e@example.org", no + "U+202E RIGHT-TO-LEFT OVERRIDE"},
		"isolate_in_domain":           {"ada@\u2067example.org", no + "U+2067 RIGHT-TO-LEFT ISOLATE"},
		"tag":                         {"ada\U000E0061@example.org", no + "U+E0061 TAG LATIN SMALL LETTER A"},
		"selector_in_domain":          {"ada@ex\ufe0fample.org", no + "U+FE0F VARIATION SELECTOR-16"},
		"ligature":                    {"\ufb01@example.org", no + "U+FB01 LATIN SMALL LIGATURE FI"},
		"letter_in_a_circle":          {"\u24d0@example.org", no + "U+24D0 CIRCLED LATIN SMALL LETTER A"},
		"mathematical_letter":         {"\U0001D41A@example.org", no + "U+1D41A MATHEMATICAL BOLD SMALL A"},
		"emoji":                       {"\U0001F600@example.org", no + "U+1F600 GRINNING FACE"},
		"joiner":                      {"a\u200db\u00e9@example.org", no + "U+200D ZERO WIDTH JOINER in this place"},
		"joiner_in_domain":            {"ada@ex\u200dample.org", form},
		"private_use":                 {"\ue000@example.org", no + "U+E000, a private-use character"},
		"mixed_directions":            {"\u05d3\u05d5\u05d3ada@example.org", "must not mix directions of writing before the @"},
		"mixed_directions_in_domain":  {"ada@\u05d3\u05d5\u05d3a.org", form},
		"underscore_in_domain":        {"ada@my_host.example", no + "U+005F LOW LINE"},
		"trailing_dot":                {"ada@example.org.", form},
		"ideographic_trailing_dot":    {"ada@example.org\u3002", form},
		"empty_label":                 {"ada@example..org", form},
		"leading_dot":                 {"ada@.example.org", form},
		"hyphen_first":                {"ada@-example.org", form},
		"hyphen_last":                 {"ada@example-.org", form},
		"punycode_of_nothing":         {"ada@xn--.org", form},
		"punycode_of_ascii":           {"ada@xn--abc-.org", form},
		"punycode_of_a_capital":       {"ada@xn--Bcher-fnd.example\u00dc", form},
		"label_of_64_bytes":           {"ada@a" + label + ".org", form},
		"label_of_64_bytes_in_ascii":  {"ada@" + strings.Repeat("\u00fc", 60) + ".org", form},
		"ipv4_without_brackets_named": {"ada@[IPv6:192.0.2.1]", form},
		"ipv6_without_its_name":       {"ada@[2001:db8::1]", form},
		"ipv6_with_a_zone":            {"ada@[IPv6:fe80::1%eth0]", form},
		"literal_of_another_kind":     {"ada@[x400:c=us]", form},
		"literal_without_end":         {"ada@[192.0.2.1", form},
		"broken_utf_8":                {"ada\xff@example.org", "must be valid UTF-8"},
		"255_bytes":                   {strings.Repeat("a", 243) + "@example.org", tooBig},
		"255_bytes_in_ascii_only":     {strings.Repeat("a", 239) + "@\u00fc.example", tooBig},
	} {
		t.Run(name, func(t *testing.T) {
			if address, key, err := Address(c[0]); err == nil || err.Error() != c[1] {
				t.Errorf("%+q becomes %+q and %+q, %v, want: %s", c[0], address, key, err, c[1])
			}
		})
	}
}

func TestAddressKeys(t *testing.T) {
	for typed, want := range map[string][]string{
		"ada@example.org":           {"ada@example.org"},
		" ADA@Example.ORG ":         {"ada@example.org"},
		"ada@b\u00fccher.example":   {"ada@b\u00fccher.example", "ada@xn--bcher-kva.example"},
		"ada@xn--bcher-kva.example": {"ada@xn--bcher-kva.example"},
		"Jose\u0301@example.org":    {"jose\u0301@example.org", "jos\u00e9@example.org"},
		"a\u200bda@example.org":     {"a\u200bda@example.org"}, // an old account may have it
		"\U0001F600@my_host":        {"\U0001F600@my_host"},
		"":                          {""},
		"ada\xff@example.org":       {"ada\ufffd@example.org"},
	} {
		if got := AddressKeys(typed); !slices.Equal(got, want) {
			t.Errorf("%+q: %+q, want %+q", typed, got, want)
		}
	}
}

// FuzzAddress: both forms lead to themselves, are within the limit, and are those of every equivalent
// text.
func FuzzAddress(f *testing.F) {
	for _, s := range append(seeds(), "b\u00fccher.example", "XN--BCHER-KVA.example", "fa\u00df.de", "[IPv6:::1]", "[192.0.2.1]", "a.b-c", "\u3002", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc") {
		f.Add("ada@" + s)
		f.Add(s + "@example.org")
	}
	f.Fuzz(func(t *testing.T, typed string) { checkAddress(t, typed) })
}

func checkAddress(t fataler, typed string) {
	t.Helper()
	keys := AddressKeys(typed)
	if len(keys) < 1 || len(keys) > 2 || keys[0] != strings.ToLower(strings.TrimSpace(typed)) {
		t.Fatalf("%+q has the keys %+q", typed, keys)
	}
	address, key, err := Address(typed)
	if err != nil {
		return
	}
	if len(address) > MaxAddress || len(key) > MaxAddress || !norm.NFC.IsNormalString(address) || keys[len(keys)-1] != key {
		t.Fatalf("%+q becomes %+q and %+q, keys %+q", typed, address, key, keys)
	}
	equal := []string{address, key, norm.NFC.String(typed), norm.NFD.String(typed), " " + typed}
	for i, other := range equal {
		again, itsKey, err := Address(other)
		if err != nil || itsKey != key || i == 0 && again != address {
			t.Fatalf("%+q becomes %+q and %+q, but %+q becomes %+q and %+q, %v", typed, address, key, other, again, itsKey, err)
		}
	}
}

func TestForMail(t *testing.T) {
	for address, want := range map[string]string{
		"ada@bücher.example":            "ada@xn--bcher-kva.example",
		"Ada@xn--bcher-kva.example":     "Ada@xn--bcher-kva.example",
		"josé@example.org":              "josé@example.org",
		`"a@b"@straße.example`:          `"a@b"@xn--strae-oqa.example`,
		"ada@[IPv6:2001:db8::1]":        "ada@[IPv6:2001:db8::1]",
		"ada@under_score.example":       "ada@under_score.example",
		"nobody":                        "nobody",
		"":                              "",
		"ada@" + "ü\u200b" + ".example": "ada@" + "ü\u200b" + ".example",
	} {
		if got := ForMail(address); got != want {
			t.Errorf("%q becomes %q, want %q", address, got, want)
		}
	}
}
