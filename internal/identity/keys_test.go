package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/eventio/eventio/pkg/store"
)

func secretOf(c string) []byte { return []byte(strings.Repeat(c, MinSecret)) }

func entry(id, c string) string { return id + ":" + base64.RawURLEncoding.EncodeToString(secretOf(c)) }

func parse(t testing.TB, list string) Keys {
	t.Helper()
	k, err := ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// instant is now in these tests.
var instant = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func verifierAt(k Keys, at time.Time) Verifier { return NewVerifier(k, func() time.Time { return at }) }

func TestParseKeys(t *testing.T) {
	for name, list := range map[string]string{
		"empty":           "",
		"no kid":          ":" + base64.RawURLEncoding.EncodeToString(secretOf("s")),
		"no secret":       "a",
		"kid with a path": entry("../../a", "s"),
		"kid too long":    entry(strings.Repeat("a", 65), "s"),
		"not base64url":   "a:" + strings.Repeat("+/", 40),
		"too short":       "a:" + base64.RawURLEncoding.EncodeToString(secretOf("s")[1:]),
		"twice":           entry("a", "s") + "," + entry("a", "t"),
		"an empty entry":  entry("a", "s") + ",",
	} {
		k, err := ParseKeys(list)
		if err == nil || !k.Empty() {
			t.Errorf("%s: got %v keys, %v", name, len(k.secrets), err)
			continue
		}
		if encoded := base64.RawURLEncoding.EncodeToString(secretOf("s")); strings.Contains(err.Error(), encoded[:20]) {
			t.Errorf("%s: the error tells a secret: %v", name, err)
		}
	}
	padded := "a:" + base64.URLEncoding.EncodeToString(secretOf("s")) + " , " + entry("b", "t")
	if k := parse(t, padded); k.signing != "a" || len(k.secrets) != 2 {
		t.Errorf("signing is %q of %d keys", k.signing, len(k.secrets))
	}
}

func TestRotation(t *testing.T) {
	p := Person{
		ID: store.NewID(), Scopes: OwnScopes, PasswordVersion: 3, SessionID: store.NewID(), LoginAt: instant, ExpiresAt: instant.Add(time.Hour),
	}
	token, expires, err := parse(t, entry("old", "o")).Mint(p, instant, time.Hour)
	if err != nil || !expires.Equal(instant.Add(time.Hour)) {
		t.Fatal(expires, err)
	}
	for _, c := range []struct {
		name, keys string
		at         time.Duration
		ok         bool
	}{
		{"the same key", entry("old", "o"), 0, true},
		{"a newer one signs, the old one still verifies", entry("new", "n") + "," + entry("old", "o"), time.Minute, true},
		{"and until its end only", entry("new", "n") + "," + entry("old", "o"), time.Hour + leeway, false},
		{"a removed key is dead at once", entry("new", "n"), 0, false},
		{"the kid alone is not the key", entry("old", "n"), 0, false},
		{"just within the leeway", entry("old", "o"), time.Hour + leeway - time.Second, true},
		{"a clock that is behind by the leeway", entry("old", "o"), -leeway, true},
		{"and by more", entry("old", "o"), -leeway - time.Second, false},
	} {
		got, err := verifierAt(parse(t, c.keys), instant.Add(c.at)).Verify(token)
		if (err == nil) != c.ok || c.ok && got != p || !c.ok && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}

func TestMintRefuses(t *testing.T) {
	k := parse(t, entry("a", "s"))
	for _, lifetime := range []time.Duration{-time.Second, 0, MaxLifetime + time.Second} {
		if _, _, err := k.Mint(Person{ID: store.NewID()}, instant, lifetime); err == nil {
			t.Errorf("a lifetime of %v was taken", lifetime)
		}
	}
	if _, _, err := (Keys{}).Mint(Person{ID: store.NewID()}, instant, time.Hour); err == nil {
		t.Error("a token was signed with no key")
	}
	if _, err := verifierAt(Keys{}, instant).Verify(""); !errors.Is(err, ErrInvalid) {
		t.Errorf("without keys: %v", err)
	}
}

// forgeries are tokens that must not be believed at instant, by name, for keys a:s,b:t.
func forgeries(t testing.TB) map[string]string {
	t.Helper()
	goodClaims := jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": store.NewID().Hex(), "pv": 0,
		"iat": instant.Unix(), "nbf": instant.Unix(), "exp": instant.Add(time.Hour).Unix(),
	}
	goodHeader := map[string]any{"alg": "HS256", "typ": tokenType, "kid": "a"}
	sign := func(method jwt.SigningMethod, key any, header, change map[string]any) string {
		c := maps.Clone(goodClaims)
		for name, v := range change {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		}
		token := jwt.NewWithClaims(method, c)
		token.Header = maps.Clone(goodHeader)
		token.Header["alg"] = method.Alg()
		for name, v := range header {
			if token.Header[name] = v; v == nil {
				delete(token.Header, name)
			}
		}
		s, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	type m = map[string]any
	claim := func(change m) string { return sign(jwt.SigningMethodHS256, secretOf("s"), nil, change) }
	head := func(change m) string { return sign(jwt.SigningMethodHS256, secretOf("s"), change, nil) }
	good := claim(nil)
	if _, err := verifierAt(parse(t, entry("a", "s")+","+entry("b", "t")), instant).Verify(good); err != nil {
		t.Fatalf("the token that all others are made from is refused: %v", err)
	}
	parts := strings.Split(good, ".")
	raw := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(m{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(secretOf("x"))})
	if err != nil {
		t.Fatal(err)
	}
	hour := func(n int) int64 { return instant.Add(time.Duration(n) * time.Hour).Unix() }
	return map[string]string{
		"empty":                       "",
		"no token":                    "a",
		"our header alone":            parts[0],
		"our header and a dot":        parts[0] + ".",
		"our header and two dots":     parts[0] + "..",
		"two parts":                   parts[0] + "." + parts[1],
		"four parts":                  good + ".",
		"cut":                         good[:len(good)-1],
		"signature of zeros":          parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43),
		"no signature":                parts[0] + "." + parts[1] + ".",
		"padded":                      good + "=",
		"a changed claim":             parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + parts[2],
		"another spelling of its end": good[:len(good)-1] + string(good[len(good)-1]+1),
		"wrong key":                   sign(jwt.SigningMethodHS256, secretOf("x"), nil, nil),
		"the other key's kid":         sign(jwt.SigningMethodHS256, secretOf("t"), nil, nil),
		"alg none":                    raw(`{"alg":"none","typ":"` + tokenType + `","kid":"a"}`),
		"alg None":                    raw(`{"alg":"None","typ":"` + tokenType + `","kid":"a"}`),
		"alg none, signed":            sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil) + parts[2],
		"alg missing":                 raw(`{"typ":"`+tokenType+`","kid":"a"}`) + parts[2],
		"alg a number":                raw(`{"alg":256,"typ":"`+tokenType+`","kid":"a"}`) + parts[2],
		"HS384":                       sign(jwt.SigningMethodHS384, secretOf("s"), nil, nil),
		"HS512":                       sign(jwt.SigningMethodHS512, secretOf("s"), nil, nil),
		"ES256, and the server's HS":  sign(jwt.SigningMethodES256, ec, nil, nil),
		"HMAC with a public key":      sign(jwt.SigningMethodHS256, public, nil, nil),
		"unknown kid":                 head(m{"kid": "c"}),
		"no kid":                      head(m{"kid": nil}),
		"empty kid":                   head(m{"kid": ""}),
		"kid a number":                head(m{"kid": 1}),
		"kid with a path":             head(m{"kid": "../../../../dev/null"}),
		"kid with SQL":                head(m{"kid": "a' UNION SELECT 's"}),
		"kid of a null byte":          head(m{"kid": "a\x00"}),
		"jwk in the header":           sign(jwt.SigningMethodHS256, secretOf("x"), m{"jwk": json.RawMessage(jwk)}, nil),
		"jwk beside a good key":       head(m{"jwk": json.RawMessage(jwk)}),
		"jku":                         head(m{"jku": "http://127.0.0.1/keys"}),
		"x5u":                         head(m{"x5u": "http://127.0.0.1/keys"}),
		"crit":                        head(m{"crit": []string{"exp"}}),
		"b64":                         head(m{"b64": false}),
		"no typ":                      head(m{"typ": nil}),
		"another typ":                 head(m{"typ": "JWT"}),
		"an access token's typ":       head(m{"typ": "at+jwt"}),
		"another iss":                 claim(m{"iss": "other"}),
		"no iss":                      claim(m{"iss": nil}),
		"another aud":                 claim(m{"aud": "other"}),
		"no aud":                      claim(m{"aud": nil}),
		"no exp":                      claim(m{"exp": nil}),
		"exp a string":                claim(m{"exp": "tomorrow"}),
		"expired":                     claim(m{"iat": hour(-2), "nbf": hour(-2), "exp": hour(-1)}),
		"not yet valid":               claim(m{"nbf": hour(1), "exp": hour(2)}),
		"issued in the future":        claim(m{"iat": hour(1), "exp": hour(2)}),
		"no iat":                      claim(m{"iat": nil}),
		"no nbf":                      claim(m{"nbf": nil}),
		"iat null":                    claim(m{"iat": json.RawMessage("null")}),
		"exp huge":                    claim(m{"exp": json.RawMessage("9223372036854775807")}),
		"exp beyond a number":         claim(m{"exp": json.RawMessage("1e400")}),
		"two aud":                     claim(m{"aud": []string{audience, "other"}}),
		"header in another order":     raw(`{"typ":"`+tokenType+`","kid":"a","alg":"HS256"}`) + parts[2],
		"living for a year":           claim(m{"exp": hour(24 * 365)}),
		"no sub":                      claim(m{"sub": nil}),
		"sub no id":                   claim(m{"sub": "admin"}),
		"sub zeros":                   claim(m{"sub": store.ID{}.Hex()}),
		"pv negative":                 claim(m{"pv": -1}),
		"pv a string":                 claim(m{"pv": "0"}),
		"10 KB":                       claim(m{"x": strings.Repeat("x", 10<<10)}),
		"10 KB of dots":               strings.Repeat(".", 10<<10),
		"900 levels deep":             base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 900))) + "." + parts[1] + "." + parts[2],
	}
}

func TestForgeriesAreAllTheSame(t *testing.T) {
	v := verifierAt(parse(t, entry("a", "s")+","+entry("b", "t")), instant)
	for name, token := range forgeries(t) {
		if p, err := v.Verify(token); !errors.Is(err, ErrInvalid) || p != (Person{}) {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
}

// FuzzVerify: nothing makes the verifier panic, and what it believes was signed by us, as
// an HMAC of the standard library confirms.
func FuzzVerify(f *testing.F) {
	keys := parse(f, entry("a", "s")+","+entry("b", "t"))
	v := verifierAt(keys, instant)
	p := Person{ID: store.ID{1, 2, 3}, PasswordVersion: 7, SessionID: store.ID{4}} // the same in every process of the fuzzer
	good, _, err := keys.Mint(p, instant, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	headerA, _, _ := strings.Cut(good, ".")
	for _, token := range forgeries(f) {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := v.Verify(token)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || got != (Person{}) {
				t.Fatalf("got %+v, %v", got, err)
			}
			return
		}
		// It may have found a good token inside a seed that was made from one.
		end := strings.LastIndex(token, ".")
		signed, signature := token[:end], token[end+1:]
		mac := hmac.New(sha256.New, secretOf(map[bool]string{true: "s", false: "t"}[strings.HasPrefix(token, headerA+".")]))
		mac.Write([]byte(signed))
		if signature != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
			t.Fatalf("believed %q for %+v", token, got)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	keys := parse(b, entry("a", "s"))
	token, _, err := keys.Mint(Person{ID: store.NewID()}, instant, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	v := verifierAt(keys, instant)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}

// TestARenewedTokenProvesNothingAnew: it says when the password was proven, however often it is
// renewed, and none says that this was after it was signed.
func TestARenewedTokenProvesNothingAnew(t *testing.T) {
	g := Alone()
	proven := time.Now().Add(-50 * time.Minute).Truncate(time.Second).UTC()
	token, _, err := g.keys.Mint(Person{ID: store.NewID(), SessionID: store.NewID(), PasswordVersion: 2, LoginAt: time.Now()}, proven, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	first, err := g.Check(token)
	if err != nil || !first.LoginAt.Equal(proven) {
		t.Fatal(first, err)
	}
	p := first
	for range 2 {
		token, expires, err := g.Renew(p)
		if err != nil {
			t.Fatal(err)
		}
		if p, err = g.Check(token); err != nil || !p.LoginAt.Equal(proven) || !p.ExpiresAt.Equal(expires) || !expires.After(first.ExpiresAt) {
			t.Errorf("renewed until %v: %+v, %v", expires, p, err)
		}
		p.ExpiresAt = first.ExpiresAt
		if p != first {
			t.Errorf("renewed: %+v, was %+v", p, first)
		}
	}
	p.LoginAt = time.Now().Add(time.Minute)
	if token, _, err = g.Renew(p); err != nil {
		t.Fatal(err)
	}
	if p, err := g.Check(token); err == nil {
		t.Errorf("a password that will be proven: %+v", p)
	}
}
