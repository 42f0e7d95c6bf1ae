package gate

import (
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// TestWhatNeedsAFreshLogin: a password that was proven FreshFor ago is the last that counts, and only
// by who was proven.
func TestWhatNeedsAFreshLogin(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		who  Caller
		want problem.Code
	}{
		"just now":         {Caller{Person: identity.Person{LoginAt: now}, Proven: true}, ""},
		"at the limit":     {Caller{Person: identity.Person{LoginAt: now.Add(-FreshFor)}, Proven: true}, ""},
		"past it":          {Caller{Person: identity.Person{LoginAt: now.Add(-FreshFor - 1)}, Proven: true}, problem.LoginTooOld},
		"never":            {Caller{Proven: true}, problem.LoginTooOld},
		"not proven":       {Caller{Person: identity.Person{LoginAt: now}}, problem.LoginTooOld},
		"believed, no one": {Caller{believed: true}, problem.LoginTooOld},
	} {
		if got := code(t, c.who.RequireFresh(now)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWhatWasWrongWithAToken: the log tells it, and of no other problem.
func TestWhatWasWrongWithAToken(t *testing.T) {
	for name, c := range map[string]struct {
		code  problem.Code
		cause error
		want  string
	}{
		"expired":            {problem.Unauthenticated, identity.ErrExpired, "expired"},
		"ended":              {problem.Unauthenticated, identity.ErrEnded, "ended"},
		"forged":             {problem.Unauthenticated, identity.ErrInvalid, "invalid"},
		"two":                {problem.Unauthenticated, errUnclear, "unclear"},
		"none":               {problem.Unauthenticated, nil, ""},
		"something else":     {problem.Unauthenticated, errors.New("x"), ""},
		"another problem":    {problem.Forbidden, identity.ErrExpired, ""},
		"another, no reason": {problem.RateLimited, nil, ""},
	} {
		p := problem.New(c.code)
		if c.cause != nil {
			p = p.Because(c.cause)
		}
		if got := RefusedToken(p); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWhoSendsOnAnOpenRoute: who is proven there is known, and a bad token makes nobody of its sender.
func TestWhoSendsOnAnOpenRoute(t *testing.T) {
	guard := identity.Alone()
	person, token := sign(t, guard)
	g := New(Config{Guard: guard}, zerolog.Nop())
	if who := g.Sender(request(with("Authorization", "Bearer "+token))); !who.Proven || who.ID != person {
		t.Errorf("with a token: %+v", who)
	}
	if who := g.Sender(request(with("Authorization", "Bearer x"+token))); who != (Caller{}) {
		t.Errorf("with a forged one: %+v", who)
	}
	if who := g.Sender(request()); who != (Caller{believed: true}) {
		t.Errorf("without one: %+v", who)
	}
}

// TestWhoIsAdmittedByAGateway: who shows one admission, of this user to this event. Where no gateway
// admits people, everybody is.
func TestWhoIsAdmittedByAGateway(t *testing.T) {
	keys, err := identity.ParseKeys("a:" + "c2l4dHkgYnl0ZXMgYXJlIGVub3VnaCBmb3IgYSBrZXkgb2YgYSB0ZXN0")
	if err != nil {
		t.Fatal(err)
	}
	ada, event := store.NewID(), store.NewID()
	admission, err := keys.MintAdmission(event, ada, time.Now(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	g := New(Config{Admissions: identity.NewAdmissions(keys, time.Now)}, zerolog.Nop())
	for name, c := range map[string]struct {
		sent  []string
		event store.ID
		user  store.ID
		want  problem.Code
	}{
		"hers":          {[]string{admission}, event, ada, ""},
		"none":          {nil, event, ada, problem.NotAdmitted},
		"an empty one":  {[]string{""}, event, ada, problem.NotAdmitted},
		"a forged one":  {[]string{admission + "x"}, event, ada, problem.NotAdmitted},
		"twice":         {[]string{admission, admission}, event, ada, problem.NotAdmitted},
		"another event": {[]string{admission}, store.NewID(), ada, problem.NotAdmitted},
		"somebody else": {[]string{admission}, event, store.NewID(), problem.NotAdmitted},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		for _, value := range c.sent {
			r.Header.Add(HeaderAdmission, value)
		}
		if got := code(t, g.RequireAdmission(r, c.event, c.user)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if err := New(Config{}, zerolog.Nop()).RequireAdmission(r, c.event, c.user); err != nil {
			t.Errorf("%s, where nobody admits: %v", name, err)
		}
	}
}
