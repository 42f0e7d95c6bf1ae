package passwords

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

// TestIsHash: what would panic, let any password in, or take a slot for minutes is no hash, neither
// for an import nor for a log-in.
func TestIsHash(t *testing.T) {
	const salt, key = "c29tZXNhbHRzb21lc2FsdA", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	phc := func(m, t, p int, salt, key string) string {
		return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", m, t, p, salt, key)
	}
	h := NewHasher(1, 1)
	for _, c := range []struct {
		name, hash string
		want       bool
	}{
		{"ours", phc(19<<10, 2, 1, salt, key), true},
		{"of a library that is careful", phc(64<<10, 3, 4, salt, key), true},
		{"the most costly that a library has a name for", phc(1<<20, 4, 1, salt, key), true},
		{"no passes", phc(19<<10, 0, 1, salt, key), false},
		{"no threads", phc(19<<10, 2, 0, salt, key), false},
		{"no memory", phc(0, 2, 1, salt, key), false},
		{"less memory than its threads need", phc(31, 2, 4, salt, key), false},
		{"more than 1 GiB", phc(1<<20+1, 1, 1, salt, key), false},
		{"4 TiB", phc(1<<32-1, 1, 1, salt, key), false},
		{"too many passes", phc(19<<10, 17, 1, salt, key), false},
		{"passes for years", phc(19<<10, 1<<32-1, 1, salt, key), false},
		{"no key, which any password has", phc(19<<10, 2, 1, salt, ""), false},
		{"a key of a byte", phc(19<<10, 2, 1, salt, "AA"), false},
		{"a key of a kilobyte", phc(19<<10, 2, 1, salt, strings.Repeat("AAAA", 342)), false},
		{"no salt", phc(19<<10, 2, 1, "", key), false},
		{"another kind", strings.Replace(phc(19<<10, 2, 1, salt, key), "argon2id", "argon2i", 1), false},
		{"another version", strings.Replace(phc(19<<10, 2, 1, salt, key), "v=19", "v=16", 1), false},
		{"nothing", "", false},
		{"a password", "horse battery", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := IsHash(c.hash); got != c.want {
				t.Errorf("it is a hash: %t", got)
			}
			if c.want || c.hash == "" {
				return
			}
			if right, _, err := h.Matches(t.Context(), somebody, "horse battery", c.hash); err == nil || right {
				t.Errorf("a log-in is right: %t, %v", right, err)
			}
		})
	}
}

// TestHashesGiveWay checks that a turn rests while others need the cores more, that its result does not wait for
// that, and that it does not rest otherwise.
func TestHashesGiveWay(t *testing.T) {
	h := NewHasher(1, 1)
	busy := true
	h.GiveWay(func() bool { return busy })
	pair := func() (first, both time.Duration) {
		began := time.Now()
		for i := range 2 {
			if _, err := h.Hash(t.Context(), somebody, "horse battery"); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = time.Since(began)
			}
		}
		return first, time.Since(began)
	}
	if first, both := pair(); both < (1+restFactor)*first && both < first+maxRest {
		t.Errorf("a hash took %v, two took %v", first, both)
	}
	busy = false
	release, err := h.Acquire(t.Context(), somebody) // the second one's turn rests
	if err != nil {
		t.Fatal(err)
	}
	release()
	alone, rested := time.Duration(0), 0
	for range 5 { // on a busy machine a hash may take many times as long as another
		first, both := pair()
		if alone = first; both >= (1+restFactor)*first {
			rested++
		}
	}
	if rested == 5 {
		t.Errorf("while nobody needs the cores turns rest: %v alone", alone)
	}
}
