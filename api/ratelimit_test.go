package api

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// TestGuessingIsSlowed: 200 guesses end in 429, and the owner gets in from elsewhere.
func TestGuessingIsSlowed(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, rateLimited)
		ada := i.signUp(t, "ada@example.org", goodPassword) // from 192.0.2.1
		attacker := from("203.0.113.9:4711")
		tried, refused := 0, 0
		for range 200 {
			switch r := i.ask(t, "POST", "/api/login", logInBody(ada.email, "wrong horse battery"), attacker); r.status {
			case 401:
				tried++
			case 429:
				refused++
				r.want(t, 429, CodeRateLimited)
				if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
					t.Fatalf("Retry-After is %q", r.header.Get("Retry-After"))
				}
			default:
				t.Fatalf("%d %s", r.status, r.body)
			}
		}
		if tried != passwordsPerAccount || refused != 200-passwordsPerAccount {
			t.Errorf("%d were tried and %d refused", tried, refused)
		}
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), attacker).want(t, 429, CodeRateLimited)
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), from("198.51.100.7:80")).want(t, 200, "")
		// The limit is used up for other accounts too, from that address only.
		i.ask(t, "POST", "/api/login", logInBody("bob@example.org", "wrong horse battery"), attacker).want(t, 429, CodeRateLimited)
		// Spelling the address otherwise is no new account.
		other := from("203.0.113.10:4711")
		for range passwordsPerAccount {
			i.ask(t, "POST", "/api/login", logInBody("Ada@Example.ORG", "wrong horse battery"), other).want(t, 401, "")
		}
		i.ask(t, "POST", "/api/login", logInBody(" ada@example.org", "wrong horse battery"), other).want(t, 429, CodeRateLimited)
	})
}

func TestLimitsPerAddress(t *testing.T) {
	s := newSite(t, "sqlite")
	for name, c := range map[string]struct {
		call  func(*instance, func(*http.Request)) reply
		limit int
	}{
		"sign-ups of ever other addresses": {func(i *instance, o func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/users", signUpBody(store.NewID().Hex()+"@example.org", "short"), o)
		}, passwordsPerAddress},
		"log-ins to ever other accounts": {func(i *instance, o func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/login", `{}`, o)
		}, passwordsPerAddress},
		"everything else": {func(i *instance, o func(*http.Request)) reply {
			return i.ask(t, "GET", "/api/events/zz", "", o)
		}, anyPerAddress},
	} {
		t.Run(name, func(t *testing.T) {
			i := s.start(t, identity.Keys{}, rateLimited)
			for n := range c.limit {
				r := c.call(i, from("203.0.113.9:"+strconv.Itoa(1+n))) // the port does not count
				if r.status == 429 {
					t.Fatalf("refused at %d of %d", n, c.limit)
				}
				if got := r.header.Get("RateLimit-Remaining"); got != strconv.Itoa(c.limit-n-1) {
					t.Fatalf("RateLimit-Remaining is %s after %d of %d", got, n+1, c.limit)
				}
			}
			r := c.call(i, from("203.0.113.9:1")).want(t, 429, CodeRateLimited)
			if r.header.Get("RateLimit-Limit") != strconv.Itoa(c.limit) || r.header.Get("RateLimit-Remaining") != "0" {
				t.Errorf("headers are %v", r.header)
			}
			if reset, err := strconv.Atoi(r.header.Get("RateLimit-Reset")); err != nil || reset > 60 {
				t.Errorf("RateLimit-Reset is %q", r.header.Get("RateLimit-Reset"))
			}
			if r := c.call(i, from("203.0.113.10:1")); r.status == 429 {
				t.Error("another address is refused")
			}
			i.ask(t, "GET", "/livez", "", from("203.0.113.9:1")).want(t, 200, "")
			i.ask(t, "GET", "/readyz", "", from("203.0.113.9:1")).want(t, 200, "")
		})
	}
	t.Run("an IPv6 client has its whole /64", func(t *testing.T) {
		i := s.start(t, identity.Keys{}, rateLimited)
		for n := range passwordsPerAddress {
			i.ask(t, "POST", "/api/login", `{}`, from("[2001:db8:1:2::"+strconv.FormatInt(int64(n+1), 16)+"]:1")).want(t, 400, "")
		}
		i.ask(t, "POST", "/api/login", `{}`, from("[2001:db8:1:2:ffff::1]:1")).want(t, 429, CodeRateLimited)
		i.ask(t, "POST", "/api/login", `{}`, from("[2001:db8:1:3::1]:1")).want(t, 400, "")
	})
}

func TestRegistrationsPerPerson(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{}, rateLimited)
	ada, bob := i.newMember(t), i.stranger(t)
	seats := i.organized(t, ada) + "/registrations"
	for n := range registrationsPerPerson {
		address := from("203.0.113." + strconv.Itoa(n) + ":1") // a bot has many
		if r := i.ask(t, "POST", seats, `{}`, bearer(bob.token), address); r.status == 429 {
			t.Fatalf("refused at %d", n)
		}
	}
	i.ask(t, "POST", seats, `{}`, bearer(bob.token), from("203.0.113.200:1")).want(t, 429, CodeRateLimited)
	i.ask(t, "POST", seats, `{}`, bearer(ada.token), from("203.0.113.1:1")).want(t, 201, "")
}

func TestLimitsCanBeOff(t *testing.T) {
	i := newSite(t, "sqlite").start(t, identity.Keys{})
	for range passwordsPerAddress + 5 {
		if r := i.ask(t, "POST", "/api/login", `{}`).want(t, 400, ""); r.header.Get("RateLimit-Limit") != "" {
			t.Fatalf("headers are %v", r.header)
		}
	}
}

// TestForwardedForIsBelievedOnlyFromProxies: forged headers neither free a client of its
// limit nor use up another's.
func TestForwardedForIsBelievedOnlyFromProxies(t *testing.T) {
	s := newSite(t, "sqlite")
	exhaust := func(i *instance, options ...func(*http.Request)) {
		for range passwordsPerAddress {
			i.ask(t, "POST", "/api/login", `{}`, options...).want(t, 400, "")
		}
	}
	t.Run("no proxies", func(t *testing.T) {
		i := s.start(t, identity.Keys{}, rateLimited)
		for n := range passwordsPerAddress {
			forged := strconv.Itoa(n)
			i.ask(t, "POST", "/api/login", `{}`, from("203.0.113.9:1"), with("X-Forwarded-For", "198.51.100."+forged),
				with("X-Real-IP", "198.51.100."+forged), with("True-Client-IP", "198.51.100."+forged), with("Forwarded", "for=198.51.100."+forged)).want(t, 400, "")
		}
		i.ask(t, "POST", "/api/login", `{}`, from("203.0.113.9:1"), with("X-Forwarded-For", "198.51.100.250")).want(t, 429, CodeRateLimited)
		i.ask(t, "POST", "/api/login", `{}`, from("198.51.100.1:1")).want(t, 400, "")
		if n := strings.Count(s.log.text(), "EVENTIO_TRUSTED_PROXIES"); n != 1 {
			t.Errorf("an unknown proxy was warned of %d times", n)
		}
	})
	t.Run("behind a proxy", func(t *testing.T) {
		i := s.start(t, identity.Keys{}, rateLimited, func(a *Access) {
			a.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		proxy := from("10.1.2.3:1")
		exhaust(i, proxy, with("X-Forwarded-For", "203.0.113.9"))
		i.ask(t, "POST", "/api/login", `{}`, proxy, with("X-Forwarded-For", "203.0.113.9")).want(t, 429, CodeRateLimited)
		// What the client itself has written stands before what the proxy adds.
		i.ask(t, "POST", "/api/login", `{}`, proxy, with("X-Forwarded-For", "198.51.100.77, 203.0.113.9")).want(t, 429, CodeRateLimited)
		i.ask(t, "POST", "/api/login", `{}`, proxy, with("X-Forwarded-For", "203.0.113.9, 198.51.100.77")).want(t, 400, "")
		// Who comes past the proxy is taken for what they are.
		exhaust(i, from("203.0.113.50:1"), with("X-Forwarded-For", "10.9.9.9"))
		i.ask(t, "POST", "/api/login", `{}`, from("203.0.113.50:1"), with("X-Forwarded-For", "198.51.100.99")).want(t, 429, CodeRateLimited)
	})
}
