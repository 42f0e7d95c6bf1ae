package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const audience = "eventio-api"

// server is an issuer whose keys a test changes.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	keys  []jose.JSONWebKey
	away  bool
	name  string // instead of its own
	looks atomic.Int64
}

func newServer(t testing.TB, keys ...jose.JSONWebKey) *server {
	t.Helper()
	s := &server{keys: keys}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var answer any
		switch {
		case s.away:
			http.Error(w, "away", http.StatusBadGateway)
			return
		case r.URL.Path == "/.well-known/openid-configuration":
			s.looks.Add(1)
			name := s.URL
			if s.name != "" {
				name = s.name
			}
			answer = map[string]string{"issuer": name, "jwks_uri": s.URL + "/keys"}
		default:
			answer = jose.JSONWebKeySet{Keys: s.keys}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) set(away bool, keys ...jose.JSONWebKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.keys = away, keys
}

func newProver(t testing.TB, issuers ...*server) *Prover {
	t.Helper()
	config := Config{Audiences: []string{"another", audience}, MinGap: 20 * time.Millisecond, Log: zerolog.Nop()}
	for _, s := range issuers {
		config.Issuers = append(config.Issuers, s.URL)
	}
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(id string, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: id, Key: key.Public(), Use: "sig"}
}

// sign makes a token of the issuer for ada, with some claims and header fields changed; nil takes one out.
func (s *server) sign(t testing.TB, method jwt.SigningMethod, key any, header, changed map[string]any) string {
	t.Helper()
	now := time.Now()
	c := jwt.MapClaims{
		"iss": s.URL, "aud": audience, "sub": "ada", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"name": "Ada", "email": "ada@example.org", "email_verified": true,
	}
	maps.Copy(c, changed)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	token := jwt.NewWithClaims(method, c)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func kid(id string) map[string]any { return map[string]any{"kid": id} }

func TestWhoIsBelieved(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_ = edPublic
	ec := ecKey(t)
	s := newServer(t, public("rsa", rsaKey), public("ed", edKey), public("ec", ec))
	p := newProver(t, s)
	want := foreign.ID(s.URL, "ada")
	for name, token := range map[string]string{
		"RS256":               s.sign(t, jwt.SigningMethodRS256, rsaKey, kid("rsa"), nil),
		"PS512":               s.sign(t, jwt.SigningMethodPS512, rsaKey, kid("rsa"), nil),
		"ES256":               s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), nil),
		"EdDSA":               s.sign(t, jwt.SigningMethodEdDSA, edKey, kid("ed"), nil),
		"without a kid":       s.sign(t, jwt.SigningMethodES256, ec, nil, nil),
		"an access token":     s.sign(t, jwt.SigningMethodES256, ec, map[string]any{"kid": "ec", "typ": "at+jwt"}, nil),
		"two audiences":       s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), map[string]any{"aud": []string{"x", audience}}),
		"a clock ahead":       s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), map[string]any{"iat": time.Now().Add(20 * time.Second).Unix(), "nbf": time.Now().Add(20 * time.Second).Unix()}),
		"expired just now":    s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), map[string]any{"exp": time.Now().Add(-20 * time.Second).Unix()}),
		"a year to live":      s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), map[string]any{"exp": time.Now().Add(8760 * time.Hour).Unix()}),
		"verified, as a text": s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), map[string]any{"email_verified": "true"}),
	} {
		who, err := p.Check(token)
		if !p.Owns(token) || err != nil || who.ID != want || who.Proof != store.ProofOIDC || who.Scopes != identity.OtherScopes ||
			who.Profile != (identity.Profile{Name: "Ada", Email: "ada@example.org"}) || !who.LoginAt.IsZero() {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	for name, c := range map[string]struct {
		claims map[string]any
		want   identity.Profile
		login  time.Time
	}{
		"an address that is not verified": {map[string]any{"email_verified": false}, identity.Profile{Name: "Ada"}, time.Time{}},
		"an address of which nobody says": {map[string]any{"email_verified": nil}, identity.Profile{Name: "Ada"}, time.Time{}},
		"verified, as a number":           {map[string]any{"email_verified": 1}, identity.Profile{Name: "Ada"}, time.Time{}},
		"no name":                         {map[string]any{"name": nil, "preferred_username": "al"}, identity.Profile{Name: "al", Email: "ada@example.org"}, time.Time{}},
		"a log-in":                        {map[string]any{"auth_time": at.Unix()}, identity.Profile{Name: "Ada", Email: "ada@example.org"}, at},
		"a log-in to come":                {map[string]any{"auth_time": time.Now().Add(time.Hour).Unix()}, identity.Profile{Name: "Ada", Email: "ada@example.org"}, time.Time{}},
	} {
		who, err := p.Check(s.sign(t, jwt.SigningMethodES256, ec, kid("ec"), c.claims))
		if err != nil || who.Profile != c.want || !who.LoginAt.Equal(c.login) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

func TestForgeriesAreRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	ec, stranger := ecKey(t), ecKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encrypts := public("enc", ecKey(t))
	encrypts.Use = "enc"
	rs512 := public("rs512", rsaKey)
	rs512.Algorithm = "RS512"
	s, other := newServer(t, public("rsa", rsaKey), public("ec", ec), public("weak", weak), public("p384", p384), encrypts, rs512), newServer(t, public("ec", stranger))
	impostor := newServer(t, public("ec", stranger))
	p := newProver(t, s, other)
	es := func(header, claims map[string]any) string {
		return s.sign(t, jwt.SigningMethodES256, ec, header, claims)
	}
	claim := func(name string, value any) string { return es(kid("ec"), map[string]any{name: value}) }
	good := es(kid("ec"), nil)
	if _, err := p.Check(good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	n, err := json.Marshal(jose.JSONWebKey{Key: rsaKey.Public()})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	none := b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	for name, token := range map[string]string{
		"of another issuer's key":    s.sign(t, jwt.SigningMethodES256, stranger, kid("ec"), nil),
		"in another issuer's name":   other.sign(t, jwt.SigningMethodES256, stranger, kid("ec"), map[string]any{"iss": s.URL}),
		"of an unknown issuer":       impostor.sign(t, jwt.SigningMethodES256, stranger, kid("ec"), nil),
		"issuer with a slash":        claim("iss", s.URL+"/"),
		"no issuer":                  claim("iss", nil),
		"issuer a list":              claim("iss", []string{s.URL}),
		"another audience":           claim("aud", "another-api"),
		"no audience":                claim("aud", nil),
		"an empty audience":          claim("aud", []string{}),
		"no subject":                 claim("sub", nil),
		"an empty subject":           claim("sub", ""),
		"a long subject":             claim("sub", strings.Repeat("a", 256)),
		"a subject that is a number": claim("sub", 7),
		"expired":                    claim("exp", time.Now().Add(-2*time.Minute).Unix()),
		"no end":                     claim("exp", nil),
		"an end that is a text":      claim("exp", "tomorrow"),
		"not yet":                    claim("nbf", time.Now().Add(2*time.Minute).Unix()),
		"signed in the future":       claim("iat", time.Now().Add(2*time.Minute).Unix()),
		"none":                       none,
		"the public key as a secret": s.sign(t, jwt.SigningMethodHS256, n, kid("rsa"), nil),
		"another kind of key":        s.sign(t, jwt.SigningMethodRS256, rsaKey, kid("ec"), nil),
		"a weak key":                 s.sign(t, jwt.SigningMethodRS256, weak, kid("weak"), nil),
		"a key that encrypts":        es(kid("enc"), nil),
		"an algorithm not the key's": s.sign(t, jwt.SigningMethodRS256, rsaKey, kid("rs512"), nil),
		"an unknown key":             es(kid("nobody's"), nil),
		"a kid that is a number":     es(map[string]any{"kid": 1}, nil),
		"no kid, several keys":       s.sign(t, jwt.SigningMethodRS512, rsaKey, nil, nil),
		"a log-out":                  es(map[string]any{"kid": "ec", "typ": "logout+jwt"}, nil),
		"a type that is a number":    es(map[string]any{"kid": "ec", "typ": 1}, nil),
		"crit":                       es(map[string]any{"kid": "ec", "crit": []string{"exp"}}, nil),
		"its own key":                s.sign(t, jwt.SigningMethodES256, stranger, map[string]any{"kid": "x", "jwk": public("x", stranger)}, nil),
		"another's claims":           parts[0] + "." + strings.Split(claim("sub", "eve"), ".")[1] + "." + parts[2],
		"no signature":               parts[0] + "." + parts[1] + ".",
		"a changed signature":        parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"padded":                     good + "==",
		"four parts":                 good + ".x",
		"two parts":                  parts[0] + "." + parts[1],
		"empty":                      "",
		"dots":                       "..",
		"10 KB":                      claim("x", strings.Repeat("x", 10<<10)),
		"nested":                     b64([]byte(strings.Repeat("[", 1000))) + "." + parts[1] + "." + parts[2],
	} {
		if who, err := p.Check(token); !errors.Is(err, identity.ErrInvalid) || who != (identity.Person{}) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if _, err := p.Check(claim("exp", time.Now().Add(-2*time.Minute).Unix())); !errors.Is(err, identity.ErrExpired) {
		t.Errorf("expired: %v", err)
	}
}

// TestKeysAreRotatedUnderLoad: whoever signs with a new key is believed at once, and one that was
// withdrawn counts no more; strangers who name keys that do not exist cause few looks.
func TestKeysAreRotatedUnderLoad(t *testing.T) {
	first := ecKey(t)
	s := newServer(t, public("0", first))
	p := newProver(t, s)
	type signing struct {
		id  string
		key *ecdsa.PrivateKey
	}
	var now atomic.Pointer[signing]
	now.Store(&signing{"0", first})
	early := s.sign(t, jwt.SigningMethodES256, first, kid("0"), nil)
	if _, err := p.Check(early); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	var asked [4]atomic.Int64
	var forged atomic.Int64
	for i := range asked {
		load.Go(func() {
			for ctx.Err() == nil {
				with := now.Load()
				if _, err := p.Check(s.sign(t, jwt.SigningMethodES256, with.key, kid(with.id), nil)); err != nil {
					t.Errorf("signed with the key %s: %v", with.id, err)
					return
				}
				asked[i].Add(1)
			}
		})
	}
	load.Go(func() {
		for ctx.Err() == nil {
			if _, err := p.Check(s.sign(t, jwt.SigningMethodES256, first, kid("nobody's"), nil)); !errors.Is(err, identity.ErrInvalid) {
				t.Errorf("a key that is nobody's: %v", err)
			}
			forged.Add(1)
		}
	})
	began := time.Now()
	kept := public("0", first)
	for round := range 8 {
		next := &signing{string(rune('a' + round)), ecKey(t)}
		s.set(false, kept, public(next.id, next.key)) // the key before goes on for a while
		kept = public(next.id, next.key)
		now.Store(next)
		for i := range asked {
			before := asked[i].Load()
			testenv.Eventually(t, 10*time.Second, "people go on with the new key", func() error {
				if asked[i].Load() < before+5 {
					return errors.New("not yet")
				}
				return nil
			})
		}
	}
	stop()
	load.Wait()
	if most := int64(time.Since(began)/(20*time.Millisecond)) + 3; s.looks.Load() > most || forged.Load() == 0 {
		t.Errorf("%d looks for %d forgeries, at most %d", s.looks.Load(), forged.Load(), most)
	}
	if who, err := p.Check(s.sign(t, jwt.SigningMethodES256, first, kid("0"), nil)); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("by a key that was withdrawn: %+v, %v", who, err)
	}
	if who, err := p.Check(early); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("a token that counted, by a key that was withdrawn: %+v, %v", who, err)
	}
}

// TestATokenIsRememberedNoLongerThanItCounts: a signature is checked once for as long as the issuer has the key, and the
// token's times are looked at with every request.
func TestATokenIsRememberedNoLongerThanItCounts(t *testing.T) {
	key := ecKey(t)
	s := newServer(t, public("k", key))
	p := newProver(t, s)
	check := func(token string, want error, remembered bool) {
		t.Helper()
		who, err := p.Check(token)
		if !errors.Is(err, want) || (err == nil) != (who.ID == foreign.ID(s.URL, "ada")) {
			t.Errorf("%+v, %v, want %v", who, err, want)
		}
		if again, ok := p.known.person(token, time.Now()); ok != remembered || ok && again != who {
			t.Errorf("it is remembered: %v as %+v, want %v", ok, again, who)
		}
	}
	look := func() { // that has begun by now
		t.Helper()
		check(s.sign(t, jwt.SigningMethodES256, key, kid("nobody's"), nil), identity.ErrInvalid, false)
	}
	token := s.sign(t, jwt.SigningMethodES256, key, kid("k"), nil)
	unnamed := s.sign(t, jwt.SigningMethodES256, key, nil, nil)
	check(token, nil, true)
	check(unnamed, nil, true)
	look()
	if _, ok := p.known.person(token, time.Now()); !ok {
		t.Error("a look that finds the same key has forgotten whom it has proven")
	}
	check(token, nil, true)
	check(token[:len(token)-4]+"AAAA", identity.ErrInvalid, false)
	long := s.sign(t, jwt.SigningMethodES256, key, kid("k"), map[string]any{"groups": strings.Repeat("g", rememberedLongest)})
	check(long, nil, false)

	short := s.sign(t, jwt.SigningMethodES256, key, kid("k"), map[string]any{"exp": time.Now().Add(2*time.Second - leeway).Unix()})
	check(short, nil, true)
	testenv.Eventually(t, 10*time.Second, "it expires", func() error {
		if _, err := p.Check(short); !errors.Is(err, identity.ErrExpired) {
			return errors.Join(errors.New("not yet"), err)
		}
		return nil
	})
	check(short, identity.ErrExpired, false)

	s.set(false, public("k", key), public("another", ecKey(t)))
	look()
	check(token, nil, true)
	check(unnamed, identity.ErrInvalid, false) // it is not clear whose it is
	s.set(false, public("k", ecKey(t)))
	look()
	check(token, identity.ErrInvalid, false)
}

func TestAnIssuerIsAway(t *testing.T) {
	key := ecKey(t)
	s := newServer(t)
	s.set(true)
	p := newProver(t, s)
	token := s.sign(t, jwt.SigningMethodES256, key, kid("a"), nil)
	if _, err := p.Check(token); !errors.Is(err, identity.ErrUnsettled) {
		t.Errorf("before its keys were there: %v", err)
	}
	s.set(false, public("a", key))
	testenv.Eventually(t, 10*time.Second, "its keys are there", func() error { _, err := p.Check(token); return err })
	s.set(true)
	if _, err := p.Check(token); err != nil {
		t.Errorf("while it is away: %v", err)
	}
	if _, err := p.Check(s.sign(t, jwt.SigningMethodES256, key, kid("b"), nil)); !errors.Is(err, identity.ErrUnsettled) {
		t.Errorf("with a key that nobody can look up: %v", err)
	}
	if _, err := p.Check(token); err != nil {
		t.Errorf("after a look that failed: %v", err)
	}
	s.set(false) // it has no keys, by mistake
	if _, err := p.Check(s.sign(t, jwt.SigningMethodES256, key, kid("c"), nil)); !errors.Is(err, identity.ErrUnsettled) {
		t.Errorf("with a key that it does not have: %v", err)
	}
	if _, err := p.Check(token); err != nil {
		t.Errorf("after it had no keys: %v", err)
	}
}

func TestAnIssuerOfAnotherNameIsNotBelieved(t *testing.T) {
	key := ecKey(t)
	s := newServer(t, public("a", key))
	s.mu.Lock()
	s.name = "https://another.example"
	s.mu.Unlock()
	p := newProver(t, s)
	if who, err := p.Check(s.sign(t, jwt.SigningMethodES256, key, kid("a"), nil)); err == nil {
		t.Errorf("%+v", who)
	}
}

func TestWrongSettings(t *testing.T) {
	for _, c := range []Config{
		{}, {Issuers: []string{"https://a.example"}}, {Audiences: []string{audience}},
		{Issuers: []string{"http://a.example"}, Audiences: []string{audience}},
		{Issuers: []string{"https://a.example?x=1"}, Audiences: []string{audience}},
		{Issuers: []string{"https://u@a.example"}, Audiences: []string{audience}},
		{Issuers: []string{"a.example"}, Audiences: []string{audience}},
		{Issuers: []string{""}, Audiences: []string{audience}},
	} {
		if p, err := New(c); err == nil {
			p.Close()
			t.Errorf("%+v is taken", c)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	ec := ecKey(b)
	s := newServer(b, public("rsa", rsaKey), public("ec", ec))
	p := newProver(b, s)
	for name, token := range map[string]string{
		"RS256": s.sign(b, jwt.SigningMethodRS256, rsaKey, kid("rsa"), nil), "ES256": s.sign(b, jwt.SigningMethodES256, ec, kid("ec"), nil),
	} {
		for when, forget := range map[string]func(){"first": p.known.tokens.Purge, "remembered": func() {}} {
			b.Run(name+"/"+when, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					forget()
					if _, err := p.Check(token); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
