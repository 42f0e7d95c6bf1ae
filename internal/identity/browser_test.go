package identity

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func TestAKnownBrowser(t *testing.T) {
	ada := Person{ID: store.NewID(), PasswordVersion: 3}
	keys := parse(t, entry("old", "o"))
	value, expires := keys.mintBrowser(ada, instant)
	if !expires.Equal(instant.Add(BrowserLifetime)) {
		t.Errorf("it expires at %v", expires)
	}
	flip := func(at int) string {
		raw := []byte(value)
		raw[at] = map[bool]byte{true: 'B', false: 'A'}[raw[at] == 'A']
		return string(raw)
	}
	id, _ := keys.verifyBrowser(value, ada, instant)
	guessed, _ := Keys{signing: "nobody"}.mintBrowser(ada, instant) // with a secret of no bytes
	for _, c := range []struct {
		name, keys, value string
		person            Person
		at                time.Duration
		known             bool
	}{
		{"of the same person", entry("old", "o"), value, ada, 0, true},
		{"until it expires", entry("old", "o"), value, ada, BrowserLifetime - time.Second, true},
		{"and no longer", entry("old", "o"), value, ada, BrowserLifetime, false},
		{"by a clock that is behind", entry("old", "o"), value, ada, -leeway, true},
		{"and by more", entry("old", "o"), value, ada, -leeway - time.Second, false},
		{"beside a newer key", entry("new", "n") + "," + entry("old", "o"), value, ada, 0, true},
		{"without its key", entry("new", "n"), value, ada, 0, false},
		{"with another key of that name", entry("old", "n"), value, ada, 0, false},
		{"of another person", entry("old", "o"), value, Person{ID: store.NewID(), PasswordVersion: 3}, 0, false},
		{"of nobody", entry("old", "o"), value, Person{}, 0, false},
		{"before the password changed", entry("old", "o"), value, Person{ID: ada.ID, PasswordVersion: 4}, 0, false},
		{"empty", entry("old", "o"), "", ada, 0, false},
		{"without a key's name", entry("old", "o"), value[strings.Index(value, ":"):], ada, 0, false},
		{"a name only", entry("old", "o"), "old:", ada, 0, false},
		{"cut", entry("old", "o"), value[:len(value)-4], ada, 0, false},
		{"longer", entry("old", "o"), value + "AAAA", ada, 0, false},
		{"another expiry", entry("old", "o"), flip(len("old:") + 9), ada, 0, false},
		{"another id", entry("old", "o"), flip(len("old:") + 20), ada, 0, false},
		{"another MAC", entry("old", "o"), flip(len("old:") + 50), ada, 0, false},
		{"another spelling", entry("old", "o"), value + "=", ada, 0, false},
		{"another spelling of its end", entry("old", "o"), value[:len(value)-1] + string(value[len(value)-1]+1), ada, 0, false},
		{"by a key that nobody has", entry("old", "o"), guessed, ada, 0, false},
		{"zeros", entry("old", "o"), "old:" + base64.RawURLEncoding.EncodeToString(make([]byte, browserSize)), ada, 0, false},
		{"very long", entry("old", "o"), "old:" + strings.Repeat("A", 1<<20), ada, 0, false},
	} {
		got, known := parse(t, c.keys).verifyBrowser(c.value, c.person, instant.Add(c.at))
		if known != c.known || known && got != id || !known && got != "" {
			t.Errorf("%s: id %x, known %t", c.name, got, known)
		}
	}
	if other, _ := keys.mintBrowser(ada, instant); other == value {
		t.Error("two browsers have the same value")
	}
	if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(value, "old:")); err != nil || strings.Contains(string(raw), string(ada.ID[:])) {
		t.Errorf("it tells whose it is: %x, %v", raw, err)
	}
}

// TestABrowserIsNoToken: what proves a browser logs nobody in, and a token proves no browser,
// though both are signed with keys made of the same secret.
func TestABrowserIsNoToken(t *testing.T) {
	g := Alone()
	ada := Person{ID: store.NewID()}
	value, _ := g.SignBrowser(ada)
	if _, known := g.KnownBrowser(value, ada); !known {
		t.Fatal("it is not known")
	}
	if _, err := g.Check(value); err == nil {
		t.Error("a browser is taken for a token")
	}
	token, _, err := g.Sign(ada)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := g.KnownBrowser(token, ada); known {
		t.Error("a token is taken for a browser")
	}
	if _, known := Alone().KnownBrowser(value, ada); known {
		t.Error("it is known to a process with another key")
	}
}

// TestABrowserStaysKnown: another process with the same keys knows it, months later too.
func TestABrowserStaysKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, ada := parse(t, entry("a", "s")), Person{ID: store.NewID()}
		value, expires := newGuard(keys, Config{}).SignBrowser(ada)
		restarted := newGuard(keys, Config{})
		time.Sleep(time.Until(expires) - time.Second)
		if _, known := restarted.KnownBrowser(value, ada); !known {
			t.Error("it is forgotten too early")
		}
		time.Sleep(time.Second)
		if _, known := restarted.KnownBrowser(value, ada); known {
			t.Error("it is known for ever")
		}
	})
}
