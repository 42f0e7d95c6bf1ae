package text

import (
	"slices"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestPassword(t *testing.T) {
	for name, c := range map[string][2]string{
		"ascii":                 {"correct horse battery", "correct horse battery"},
		"blanks_at_the_ends":    {" horse ", " horse "},
		"case":                  {"HoRsE", "HoRsE"},
		"composed":              {composed, composed},
		"decomposed":            {decomposed, composed},
		"hangul_jamo":           {jamo, hangul},
		"foreign_blanks":        {"a\u00a0b\u3000c", "a b c"},
		"full_width_letters":    {"\uff41\uff42", "\uff41\uff42"},
		"ligature":              {"\ufb01", "\ufb01"},
		"emoji":                 {"\U0001F600", "\U0001F600"},
		"persian_non_joiner":    {"\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"},
		"middle_dot_of_catalan": {"paral\u00b7lel", "paral\u00b7lel"},
		"dotless_i":             {"\u0131I\u0130i", "\u0131I\u0130i"},
	} {
		if got, err := Password(c[0]); err != nil || got != c[1] {
			t.Errorf("%s: %+q becomes %+q, %v, want %+q", name, c[0], got, err, c[1])
		}
	}
	for name, c := range map[string][2]string{
		"empty":               {"", "is required"},
		"null_byte":           {"horse\x00", "must not contain U+0000, a control character"},
		"tab":                 {"horse\t\u00fc", "must not contain U+0009, a control character"},
		"zero_width_space":    {"horse\u200b", "must not contain U+200B ZERO WIDTH SPACE"},
		"byte_order_mark":     {"\ufeffhorse", "must not contain U+FEFF ZERO WIDTH NO-BREAK SPACE"},
		"override":            {"a\u00b7\u202e", "must not contain U+202E RIGHT-TO-LEFT OVERRIDE"},
		"family":              {family, "must not contain U+200D ZERO WIDTH JOINER in this place"},
		"middle_dot":          {"a\u00b7b", "must not contain U+00B7 MIDDLE DOT in this place"},
		"selector":            {"\u2764\ufe0f", "must not contain U+FE0F VARIATION SELECTOR-16"},
		"private_use":         {"\ue000", "must not contain U+E000, a private-use character"},
		"no_character":        {"\uffff", "must not contain U+FFFF, which is no character"},
		"31_marks_on_another": {"x" + "\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315\u0315", "must not have more than 30 marks on one character"},
		"broken_utf_8":        {"horse\xff", "must be valid UTF-8"},
	} {
		if got, err := Password(c[0]); err == nil || err.Error() != c[1] {
			t.Errorf("%s: %+q becomes %+q, %v, want: %s", name, c[0], got, err, c[1])
		}
	}
}

func TestPasswordForms(t *testing.T) {
	for typed, want := range map[string][]string{
		"":                  {""},
		"horse battery":     {"horse battery"},
		"horse\t":           {"horse\t"},
		composed:            {composed, decomposed},
		decomposed:          {composed, decomposed},
		hangul:              {hangul, jamo},
		"\u00df":            {"\u00df"},
		"a\u00a0b":          {"a b", "a\u00a0b"},
		family:              {family},
		family + decomposed: {family + composed, family + decomposed},
		"horse\xff":         {"horse\xff"},
	} {
		if got := PasswordForms(typed); !slices.Equal(got, want) {
			t.Errorf("%+q: %+q, want %+q", typed, got, want)
		}
	}
}

// FuzzPassword: the normal form is one, it is what a log-in tries first, what is typed is tried too, and
// whatever is equivalent is tried in the same forms unless it was typed half composed.
func FuzzPassword(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) { checkPassword(t, typed) })
}

func checkPassword(t fataler, typed string) {
	t.Helper()
	forms := PasswordForms(typed)
	if n := len(forms); n < 1 || n > 2 || n == 2 && forms[0] == forms[1] || !slices.Contains(forms, typed) {
		t.Fatalf("%+q: forms %+q", typed, forms)
	}
	got, err := Password(typed)
	if err != nil {
		if !utf8.ValidString(err.Error()) {
			t.Fatalf("%+q: %v", typed, err)
		}
		return
	}
	if again, err := Password(got); err != nil || again != got || forms[0] != got {
		t.Fatalf("%+q becomes %+q, and that %+q, %v; forms %+q", typed, got, again, err, forms)
	}
	for _, other := range []string{norm.NFC.String(typed), norm.NFD.String(typed)} {
		if of, err := Password(other); err != nil || of != got {
			t.Fatalf("%+q becomes %+q, the equivalent %+q becomes %+q, %v", typed, got, other, of, err)
		}
	}
}
