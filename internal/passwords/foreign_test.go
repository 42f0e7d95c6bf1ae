package passwords

import (
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
)

// What other programs have made of foreignPassword.
const (
	foreignPassword = "correct horse bättery"
	bcrypt2b        = "$2b$10$32bbCwk/n2KINy2RSnpgZuq2K4zW.3i/ao1EN/0NrtEVXwNQSmE2C" // pyca/bcrypt 5
	bcrypt2a        = "$2a$04$wh6.gGQxTkDmjsuzpPrrEO9FHQIzKEtDuN6pWR.6ySXBHzyxmluzW"
	bcrypt2y        = "$2y$04$iqNp4lWkY47YH94JzlisTOWtEyNLeq.yG9Gy1.C3.g9RjvZ/rkyJC"
	bcryptLong      = "$2b$04$e7wM7TOz0qjZqveIzY/rQ.8EGI2Tt8Xlw4AtAC/5bSQqJyOzNxBQK" // of 72 x
	scryptPHC       = "$scrypt$ln=14,r=8,p=1$PSdEiLGWknLuvZeSkjImJA$/AaY550tRYRJZuvtOndcsz3YFj7N1fzHIxd4qCeyt1Q"
	scryptWerkzeug  = "scrypt:32768:8:1$MOTOjcVktIE1FhZz$7e28a37d9efaa29de80005fdb501ec4362f83248a3cb1c99be64baab86e9fe45985d958d10a4f3e0f09e5e5c8941551453b46e259b466bc4d541ff64c7acfa98"
	scryptDjango    = "scrypt$16384$4AIWWbc2MRfJUQYKpexkaz$8$5$WtIRhpKc+vKC4XSJc+1B7rKrNtvxwFGWyumvL0KTMMwdC2JlrzXHLQQoFcbc1Bt7s3ujGB3Tzo/zFZLz7f3yIQ=="
)

// TestForeignHashes: the right password is right and any other is wrong, and what is right is to be made anew.
func TestForeignHashes(t *testing.T) {
	h := NewHasher(1, 1)
	for name, hash := range map[string]string{
		"bcrypt 2b": bcrypt2b, "bcrypt 2a": bcrypt2a, "bcrypt 2y": bcrypt2y, "scrypt as a PHC string": scryptPHC, "scrypt of Werkzeug": scryptWerkzeug, "scrypt of Django": scryptDjango,
	} {
		if !IsForeign(hash) || IsHash(hash) {
			t.Errorf("%s: it is foreign %t, argon2id %t", name, IsForeign(hash), IsHash(hash))
		}
		for password, want := range map[string]bool{foreignPassword: true, strings.ToUpper(foreignPassword): false, "": false, hash: false,
			"correct horse ba\u0308ttery": true} { // another form of the same
			right, weak, err := h.Matches(t.Context(), somebody, password, hash)
			if err != nil || right != want || !weak {
				t.Errorf("%s: %q is right %t, weak %t, %v", name, password, right, weak, err)
			}
		}
	}
	// bcrypt sees 72 bytes of a password.
	for n, want := range map[int]bool{71: false, 72: true, 100: true} {
		if right, _, err := h.Matches(t.Context(), somebody, strings.Repeat("x", n), bcryptLong); err != nil || right != want {
			t.Errorf("%d characters are right %t, %v", n, right, err)
		}
	}
}

// TestForeignHashesAreBounded: what costs too much, or cannot be a hash, is none, and nobody logs in with it.
func TestForeignHashesAreBounded(t *testing.T) {
	ours, err := argon2id.CreateHash("x", argon2id.DefaultParams)
	if err != nil {
		t.Fatal(err)
	}
	h := NewHasher(1, 1)
	for name, hash := range map[string]string{
		"bcrypt for two seconds":     strings.Replace(bcrypt2b, "$10$", "$15$", 1),
		"bcrypt for a day":           strings.Replace(bcrypt2b, "$10$", "$31$", 1),
		"bcrypt of no cost":          strings.Replace(bcrypt2b, "$10$", "$03$", 1),
		"bcrypt that is broken":      strings.Replace(bcrypt2b, "$2b$", "$2x$", 1),
		"bcrypt that is short":       bcrypt2b[:59],
		"scrypt of a gigabyte":       strings.Replace(scryptPHC, "ln=14", "ln=20", 1),
		"scrypt of all memory":       strings.Replace(scryptPHC, "ln=14", "ln=31", 1),
		"scrypt beyond numbers":      strings.Replace(scryptPHC, "ln=14", "ln=64", 1),
		"scrypt of large blocks":     strings.Replace(scryptPHC, "r=8", "r=65535", 1),
		"scrypt for minutes":         strings.Replace(scryptPHC, "p=1", "p=65535", 1),
		"scrypt of no cost":          strings.Replace(scryptPHC, "ln=14", "ln=0", 1),
		"scrypt without blocks":      strings.Replace(scryptPHC, "r=8", "r=0", 1),
		"scrypt without threads":     strings.Replace(scryptPHC, "p=1", "p=0", 1),
		"scrypt of an odd cost":      strings.Replace(scryptDjango, "16384", "16385", 1),
		"scrypt with a large number": strings.Replace(scryptWerkzeug, "32768", "99999999999999999999", 1),
		"scrypt without a salt":      "$scrypt$ln=14,r=8,p=1$AA$/AaY550tRYRJZuvtOndcsz3YFj7N1fzHIxd4qCeyt1Q",
		"scrypt without a key":       "$scrypt$ln=14,r=8,p=1$PSdEiLGWknLuvZeSkjImJA$AA",
		"scrypt with an odd key":     scryptWerkzeug[:len(scryptWerkzeug)-1],
		"argon2id":                   ours,
		"nothing":                    "",
		"a password":                 foreignPassword,
	} {
		if IsForeign(hash) {
			t.Errorf("%s is taken", name)
		}
		if hash == "" || hash == ours {
			continue
		}
		if right, _, err := h.Matches(t.Context(), somebody, foreignPassword, hash); right || err == nil {
			t.Errorf("%s: right %t, %v", name, right, err)
		}
	}
}

// FuzzForeign: no text panics, or is taken and costs more than its bounds say.
func FuzzForeign(f *testing.F) {
	for _, hash := range []string{bcrypt2b, scryptPHC, scryptWerkzeug, scryptDjango, "$scrypt$ln=31,r=1,p=1$AAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(hash)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		if IsForeign(hash) && IsHash(hash) {
			t.Error("it is both")
		}
	})
}
