package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestKeysOfAddresses checks which keys an address may have, and who gets the new one: who has the older one, if
// there is another.
func TestKeysOfAddresses(t *testing.T) {
	for _, c := range []struct {
		email          string
		older          []string
		key            string
		renewedFromOld bool
	}{
		{"Ada@example.org", nil, "ada@example.org", false},
		{"ada@bücher.example", []string{"ada@bücher.example"}, "ada@xn--bcher-kva.example", true},
		{" no address ", nil, "no address", false},
	} {
		if older := store.OlderEmailKeys(c.email); !slices.Equal(older, c.older) || store.EmailKey(c.email) != c.key {
			t.Errorf("%q has the keys %q and %q", c.email, older, store.EmailKey(c.email))
		}
		all := store.EmailKeys(c.email)
		if want := slices.Concat(c.older, []string{c.key}); !slices.Equal(all, want) {
			t.Errorf("%q has the keys %q", c.email, all)
		}
		if renewed, ok := store.RenewedEmailKey(c.email, all[0]); renewed != c.key || ok != c.renewedFromOld {
			t.Errorf("%q with the first key: %q, %v", c.email, renewed, ok)
		}
		for _, other := range []string{c.key, "another"} {
			if renewed, ok := store.RenewedEmailKey(c.email, other); renewed != c.key || ok {
				t.Errorf("%q with the key %q: %q, %v", c.email, other, renewed, ok)
			}
		}
	}
}

func TestWhoLosesAnAddress(t *testing.T) {
	at := time.Date(2027, 5, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	u := store.User{ID: store.ID{1}, Name: "Ada", Email: "ada@example.org", PasswordVersion: 4}
	got := u.WithoutEmail(at)
	want := u
	want.Email, want.PasswordVersion, want.PasswordChangedAt = "010000000000000000000000@freed.invalid", 5, at.UTC()
	if got != want {
		t.Errorf("%+v", got)
	}
	kept := store.KeptKey{User: store.ID{1}, Email: "a\u202eb@example.org", Other: store.ID{2}}.String()
	if !strings.Contains(kept, `"a\u202eb@example.org"`) || !strings.Contains(kept, store.ID{1}.Hex()) || !strings.Contains(kept, store.ID{2}.Hex()) {
		t.Error(kept)
	}
}
