package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/eventio/eventio/pkg/store"
)

func TestAdmissions(t *testing.T) {
	keys := Keys{signing: "gate", secrets: map[string][]byte{"gate": []byte(strings.Repeat("g", 32))}}
	others := Keys{signing: "gate", secrets: map[string][]byte{"gate": []byte(strings.Repeat("x", 32))}}
	event, other, ada, bob := store.NewID(), store.NewID(), store.NewID(), store.NewID()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	mint := func(k Keys, event, user store.ID, at time.Time, life time.Duration) string {
		t.Helper()
		token, err := k.MintAdmission(event, user, at, life)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	sign := func(header map[string]any, claims jwt.MapClaims) string {
		t.Helper()
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
		token.Header = header
		text, err := token.SignedString(keys.secrets["gate"])
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	claims := func(change string, value any) jwt.MapClaims {
		c := jwt.MapClaims{"iss": "eventio", "aud": "eventio/admission", "event": event.Hex(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		if c[change] = value; value == nil {
			delete(c, change)
		}
		return c
	}
	header := map[string]any{"alg": "HS256", "kid": "gate"}
	person, _, err := keys.Mint(Person{ID: ada}, now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	good := mint(keys, event, store.ID{}, now, time.Minute)
	a := NewAdmissions(keys, func() time.Time { return now })
	for name, c := range map[string]struct {
		token string
		want  bool
	}{
		"for anybody":                         {good, true},
		"for Ada":                             {mint(keys, event, ada, now, time.Minute), true},
		"as another program signs":            {sign(map[string]any{"typ": "JWT", "kid": "gate", "alg": "HS256"}, claims("", "")), true},
		"the longest":                         {mint(keys, event, ada, now, MaxAdmission), true},
		"for Bob":                             {mint(keys, event, bob, now, time.Minute), false},
		"to another event":                    {mint(keys, other, ada, now, time.Minute), false},
		"to no event":                         {sign(header, claims("event", nil)), false},
		"to all events":                       {sign(header, claims("event", "*")), false},
		"expired":                             {mint(keys, event, ada, now.Add(-10*time.Minute), time.Minute), false},
		"of the future":                       {mint(keys, event, ada, now.Add(10*time.Minute), time.Minute), false},
		"that lives too long":                 {mint(keys, event, ada, now, MaxAdmission+time.Second), false},
		"that does not expire":                {sign(header, claims("exp", nil)), false},
		"from no time":                        {sign(header, claims("iat", nil)), false},
		"of a key of the same id":             {mint(others, event, ada, now, time.Minute), false},
		"of an unknown key":                   {sign(map[string]any{"alg": "HS256", "kid": "other"}, claims("", "")), false},
		"of no key":                           {sign(map[string]any{"alg": "HS256"}, claims("", "")), false},
		"without a signature":                 {good[:strings.LastIndex(good, ".")+1], false},
		"of the algorithm none":               {"eyJhbGciOiJub25lIiwia2lkIjoiZ2F0ZSJ9" + good[strings.Index(good, "."):strings.LastIndex(good, ".")+1], false},
		"of another issuer":                   {sign(header, claims("iss", "gateway")), false},
		"for another audience":                {sign(header, claims("aud", "eventio")), false},
		"of a person that is none":            {sign(header, claims("sub", "ada")), false},
		"with what it does not know and must": {sign(map[string]any{"alg": "HS256", "kid": "gate", "crit": []string{"b64"}, "b64": false}, claims("", "")), false},
		"a person's token":                    {person, false},
		"changed":                             {strings.Replace(good, ".", ".e", 1), false},
		"nothing":                             {"", false},
		"very long":                           {good + strings.Repeat("A", maxToken), false},
	} {
		if got := a.Admits(c.token, event, ada); got != c.want {
			t.Errorf("one %s admits: %v", name, got)
		}
	}
	if _, err := NewVerifier(keys, func() time.Time { return now }).Verify(good); err == nil {
		t.Error("an admission speaks for a person")
	}
}
