package passwords

import (
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"

	"github.com/eventio/eventio/internal/fairqueue"
)

func TestPolicies(t *testing.T) {
	const email = "Ada@example.org"
	for _, c := range []struct {
		name, password   string
		usable           bool // by whoever has it already
		allowed, guarded bool // by the zero policy, and where easily guessed ones are refused
	}{
		{"empty", "", false, false, false},
		{"only blanks", "          ", false, false, false},
		{"a null byte", "horse\x00battery", false, false, false},
		{"7 characters of 14 bytes", "äöüßäöü", true, false, false},
		{"8 characters", "aB3$xyzw", true, true, true},
		{"256 bytes", strings.Repeat("ä", 128), true, true, true},
		{"257 bytes", strings.Repeat("ä", 128) + "a", false, false, false},
		{"a common one in other letters", "PassWord1", true, true, false},
		{"the first of the list", strings.TrimSpace(commonPasswords[:strings.Index(commonPasswords, "\n")]), true, true, false},
		{"the address in other letters", "aDA@EXAMPLE.ORG", true, true, false},
	} {
		if err := Check(c.password); (err == nil) != c.usable {
			t.Errorf("%s: Check returns %v", c.name, err)
		}
		if err := (Policy{}).Check(c.password, email); (err == nil) != c.allowed {
			t.Errorf("%s: the zero policy returns %v", c.name, err)
		}
		if err := RefuseGuessable().Check(c.password, email); (err == nil) != c.guarded {
			t.Errorf("%s: the strict policy returns %v", c.name, err)
		}
	}
}

// somebody is a caller whose network is not known.
var somebody fairqueue.Party

func TestHasher(t *testing.T) {
	h := NewHasher(1, 1)
	hash, err := h.Hash(t.Context(), somebody, "horse battery")
	if err != nil || !IsHash(hash) || IsHash("horse battery") {
		t.Fatalf("%q, %v", hash, err)
	}
	for _, c := range []struct {
		name, password, hash string
		right, weak          bool
	}{
		{"right", "horse battery", hash, true, false},
		{"wrong", "horse batterY", hash, false, false},
		{"nobody, with the password of the dummy", "", "", false, false},
	} {
		right, weak, err := h.Matches(t.Context(), somebody, c.password, c.hash)
		if err != nil || right != c.right || weak != c.weak {
			t.Errorf("%s: right %t, weak %t, %v", c.name, right, weak, err)
		}
	}
	for name, weaken := range map[string]func(*argon2id.Params){
		"memory": func(p *argon2id.Params) { p.Memory-- },
		"passes": func(p *argon2id.Params) { p.Iterations-- },
		"salt":   func(p *argon2id.Params) { p.SaltLength-- },
		"key":    func(p *argon2id.Params) { p.KeyLength-- },
	} {
		params := Params()
		weaken(&params)
		old, err := argon2id.CreateHash("horse battery", &params)
		if err != nil {
			t.Fatal(err)
		}
		if right, weak, err := h.Matches(t.Context(), somebody, "horse battery", old); err != nil || !right || !weak {
			t.Errorf("a hash of less %s: right %t, weak %t, %v", name, right, weak, err)
		}
	}
}
