package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// promise is how long after a change of the password an earlier token may live.
const promise = 5 * time.Second

// TestEveryBadTokenGetsTheSameAnswer: byte for byte, header for header. What makes a token
// bad is tested in package identity; here are some of each kind, and what surrounds them.
func TestEveryBadTokenGetsTheSameAnswer(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, testKeys(t, "k1", "k2"))
		ada := i.newMember(t)
		seats := i.organized(t, ada) + "/registrations"
		now := time.Now()
		sign := func(header map[string]any, claims jwt.MapClaims, key string) string {
			all := jwt.MapClaims{"iss": "eventio", "aud": "eventio", "sub": ada.id, "pv": 0, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix()}
			maps.Copy(all, claims)
			token := jwt.NewWithClaims(jwt.SigningMethodHS256, all)
			token.Header["kid"], token.Header["typ"] = "k1", "eventio+jwt"
			maps.Copy(token.Header, header)
			signed, err := token.SignedString(testSecret(key))
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		i.ask(t, "GET", seats, "", bearer(sign(nil, nil, "k1"))).want(t, 200, "")
		type m = map[string]any
		revoked := i.newMember(t)
		i.ask(t, "POST", "/api/users/"+revoked.id+"/password", changeBody(goodPassword, "another horse battery"), bearer(revoked.token)).want(t, 204, "")
		parts := strings.Split(sign(nil, nil, "k1"), ".")
		bad := map[string][]func(*http.Request){
			"none":            nil,
			"empty":           {with("Authorization", "")},
			"basic":           {with("Authorization", "Basic YWRhOnNlY3JldA==")},
			"bearer alone":    {with("Authorization", "Bearer")},
			"bearer blank":    {with("Authorization", "Bearer ")},
			"no scheme":       {with("Authorization", ada.token)},
			"two headers":     {bearer(ada.token), bearer(ada.token)},
			"two in one":      {bearer(ada.token + ", Bearer " + ada.token)},
			"two cookies":     {cookie("eventio_token", ada.token), cookie("eventio_token", ada.token)},
			"another cookie":  {cookie("__Host-eventio_token", ada.token)},
			"revoked":         {bearer(revoked.token)},
			"wrong key":       {bearer(sign(nil, nil, "k3"))},
			"foreign kid":     {bearer(sign(nil, nil, "k2"))},
			"unknown kid":     {bearer(sign(m{"kid": "k9"}, nil, "k1"))},
			"kid with a path": {bearer(sign(m{"kid": "../k1"}, nil, "k1"))},
			"alg none":        {bearer("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".")},
			"expired":         {bearer(sign(nil, jwt.MapClaims{"iat": now.Add(-2 * time.Hour).Unix(), "nbf": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour).Unix()}, "k1"))},
			"not yet valid":   {bearer(sign(nil, jwt.MapClaims{"nbf": now.Add(time.Hour).Unix()}, "k1"))},
			"another aud":     {bearer(sign(nil, jwt.MapClaims{"aud": "other"}, "k1"))},
			"another iss":     {bearer(sign(nil, jwt.MapClaims{"iss": "other"}, "k1"))},
			"10 KB":           {bearer(sign(nil, jwt.MapClaims{"x": strings.Repeat("x", 10<<10)}, "k1"))},
			"10 KB of noise":  {bearer(strings.Repeat("a.", 5<<10))},
			"a good cookie does not help a bad header": {bearer("x"), cookie("eventio_token", ada.token)},
		}
		want := i.ask(t, "GET", seats, "").want(t, 401, problem.Unauthenticated)
		if got := want.header.Get("WWW-Authenticate"); got != `Bearer realm="eventio"` {
			t.Errorf("WWW-Authenticate is %q", got)
		}
		for _, name := range slices.Sorted(maps.Keys(bad)) {
			for _, path := range []string{seats, seats + "?token=" + ada.token + "&access_token=" + ada.token} {
				got := i.ask(t, "GET", path, "", bad[name]...)
				if got.status != 401 || got.body != want.body || fmt.Sprint(got.header) != fmt.Sprint(want.header) {
					t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body)
				}
			}
		}
	})
}

func TestKeysRotate(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		before := s.start(t, testKeys(t, "k1"))
		ada := before.newMember(t)
		seats := before.organized(t, ada) + "/registrations"
		during := s.start(t, testKeys(t, "k2", "k1"))
		after := s.start(t, testKeys(t, "k2"))
		during.ask(t, "GET", seats, "", bearer(ada.token)).want(t, 200, "")
		after.ask(t, "GET", seats, "", bearer(ada.token)).want(t, 401, problem.Unauthenticated)
		fresh := during.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 200, "").field(t, "token")
		after.ask(t, "GET", seats, "", bearer(fresh)).want(t, 200, "")
		before.ask(t, "GET", seats, "", bearer(fresh)).want(t, 401, problem.Unauthenticated)
	})
}

func TestInstancesShareTheStoresKey(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		a, b := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
		ada := a.newMember(t)
		seats := a.organized(t, ada) + "/registrations"
		b.ask(t, "GET", seats, "", bearer(ada.token)).want(t, 200, "")
		b.ask(t, "POST", seats, `{}`, bearer(ada.token)).want(t, 201, "")
		// A fresh site has a key of its own: there is no default.
		newSite(t, "sqlite").start(t, identity.Keys{}).ask(t, "GET", seats, "", bearer(ada.token)).want(t, 401, problem.Unauthenticated)
	})
}

// TestVerifyingAsksNobody: tokens are checked while neither the store nor NATS answers.
func TestVerifyingAsksNobody(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	i.core.Store = nil // any access panics, and that is a 500
	s.nats.Stop()
	i.ask(t, "POST", "/api/events", `{`, bearer(ada.token)).want(t, 400, problem.Invalid)
	i.ask(t, "POST", "/api/events", `{`, bearer("x")).want(t, 401, problem.Unauthenticated)
	s.revive(t)
}

// TestAChangedPasswordEndsEarlierTokens: on every instance within the promised time, also
// when NATS is down at that moment, and for good on one that starts later.
func TestAChangedPasswordEndsEarlierTokens(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(map[bool]string{false: "nats up", true: "nats down"}[down], func(t *testing.T) {
			eachStore(t, func(t *testing.T, s *site) {
				a, b := s.start(t, identity.Keys{}), s.start(t, identity.Keys{})
				ada, bob := a.newMember(t), a.newMember(t)
				seats := a.organized(t, ada) + "/registrations"
				second := b.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 200, "").field(t, "token")
				if down {
					s.nats.Stop()
				}
				const next = "another horse battery"
				a.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(ada.password, next), bearer(ada.token)).want(t, 204, "")
				changed := time.Now()
				for _, token := range []string{ada.token, second} {
					a.ask(t, "GET", seats, "", bearer(token)).want(t, 401, problem.Unauthenticated)
				}
				limit := promise
				if !down {
					limit = 2 * time.Second // told: a reading may take longer
				}
				for _, token := range []string{ada.token, second} {
					testenv.Eventually(t, limit-time.Since(changed), "the end of a token on the other instance", func() error {
						if r := b.ask(t, "GET", seats, "", bearer(token)); r.status != 401 {
							return fmt.Errorf("still answers %d", r.status)
						}
						return nil
					})
				}
				t.Logf("ended after %v", time.Since(changed))
				if down {
					defer s.revive(t)
				}
				late := s.startAnyway(t)
				late.ask(t, "GET", seats, "", bearer(second)).want(t, 401, problem.Unauthenticated)
				for _, i := range []*instance{a, b, late} {
					i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password)).want(t, 401, problem.Unauthenticated)
					fresh := i.ask(t, "POST", "/api/login", logInBody(ada.email, next)).want(t, 200, "").field(t, "token")
					for _, j := range []*instance{a, b, late} {
						j.ask(t, "GET", seats, "", bearer(fresh)).want(t, 200, "")
						j.ask(t, "GET", seats, "", bearer(bob.token)).want(t, 403, problem.Forbidden)
					}
				}
			})
		})
	}
}

// TestALostAnswerOfAChangeRevokesNothingYet: where nobody knows whether the password was
// stored, nobody may be locked out; the store tells in time.
func TestALostAnswerOfAChangeRevokesNothingYet(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada := i.newMember(t)
		seats := i.organized(t, ada) + "/registrations"
		i.core.Store = lostAnswer{s.st}
		i.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(ada.password, "another horse battery"), bearer(ada.token)).want(t, 504, problem.UnknownOutcome)
		i.core.Store = s.st
		testenv.Eventually(t, promise, "the end of the token", func() error {
			if r := i.ask(t, "GET", seats, "", bearer(ada.token)); r.status != 401 {
				return fmt.Errorf("still answers %d", r.status)
			}
			return nil
		})
		i.ask(t, "POST", "/api/login", logInBody(ada.email, "another horse battery")).want(t, 200, "")
	})
}

// lostAnswer stores a new password and loses the answer.
type lostAnswer struct{ serve.Store }

func (s lostAnswer) SetPassword(ctx context.Context, before, after store.User) error {
	if err := s.Store.SetPassword(ctx, before, after); err != nil {
		return err
	}
	return errors.New("the answer is lost")
}
