package outbox

import (
	"encoding/base64"
	"testing"
)

// TestMailsThatSomebodyAskedFor checks which mails nobody can switch off: those that give access.
func TestMailsThatSomebodyAskedFor(t *testing.T) {
	for kind, want := range map[Kind]bool{
		PasswordReset: true, EmailProof: true,
		Registered: false, Waiting: false, Promoted: false, Cancelled: false, LeftLine: false, EventChanged: false,
		EventCancelled: false, "of a newer version": false,
	} {
		if kind.Asked() != want {
			t.Errorf("%s is asked for: %v", kind, !want)
		}
	}
}

func TestTokensAreRandom(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		token := NewToken()
		if random, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(random) != 32 || seen[token] {
			t.Fatalf("the token %q: %v", token, err)
		}
		seen[token] = true
	}
}
