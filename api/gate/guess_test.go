package gate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/throttle"
	"github.com/eventio/eventio/pkg/store"
)

// TestWhoIsKnownAtAPassword: a browser from which the account's person has logged in, and who shows
// their token, take turns with nobody else; all others do with their network.
func TestWhoIsKnownAtAPassword(t *testing.T) {
	guard := identity.Alone()
	ada := store.User{ID: store.NewID(), PasswordVersion: 3}
	bob := store.User{ID: store.NewID(), PasswordVersion: 1}
	browser, _ := guard.SignBrowser(identity.Person{ID: ada.ID, PasswordVersion: 3})
	before, _ := guard.SignBrowser(identity.Person{ID: ada.ID, PasswordVersion: 2})
	type change = func(*http.Request)
	elsewhere := fairqueue.Stranger(netip.MustParseAddr("203.0.113.9"))
	for name, c := range map[string]struct {
		changes []change
		user    store.User
		who     Caller
		known   bool
	}{
		"nothing":                       {nil, ada, Caller{}, false},
		"her browser":                   {[]change{cookie(plainBrowserCookie, browser)}, ada, Caller{}, true},
		"her browser under TLS":         {[]change{overTLS, cookie(secureBrowserCookie, browser)}, ada, Caller{}, true},
		"a plain cookie under TLS":      {[]change{overTLS, cookie(plainBrowserCookie, browser)}, ada, Caller{}, false},
		"a secure one without it":       {[]change{cookie(secureBrowserCookie, browser)}, ada, Caller{}, false},
		"two cookies":                   {[]change{cookie(plainBrowserCookie, browser), cookie(plainBrowserCookie, browser)}, ada, Caller{}, false},
		"before her password changed":   {[]change{cookie(plainBrowserCookie, before)}, ada, Caller{}, false},
		"a page of another origin":      {[]change{cookie(plainBrowserCookie, browser), with("Sec-Fetch-Site", "cross-site")}, ada, Caller{}, false},
		"her browser, Bob's account":    {[]change{cookie(plainBrowserCookie, browser)}, bob, Caller{}, false},
		"her browser, nobody's account": {[]change{cookie(plainBrowserCookie, browser)}, store.User{}, Caller{}, false},
		"her token":                     {nil, ada, Caller{Person: identity.Person{ID: ada.ID}, Proven: true}, true},
		"her token, Bob's account":      {nil, bob, Caller{Person: identity.Person{ID: ada.ID}, Proven: true}, false},
		"not proven":                    {nil, ada, Caller{Person: identity.Person{ID: ada.ID}}, false},
		"nobody, nobody's account":      {nil, store.User{}, Caller{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limited := range []bool{true, false} {
				g := New(Config{Guard: guard, RateLimits: limited}, zerolog.Nop())
				guess, err := g.Guess(t.Context(), request(c.changes...), "ada@example.org", c.user, c.who)
				if err != nil {
					t.Fatal(err)
				}
				want := elsewhere
				if c.known {
					want = fairqueue.Known(c.user.ID)
				}
				if guess.Party != want {
					t.Errorf("limits %v: the party is %+v", limited, guess.Party)
				}
				guess.Decide(true)
				guess.End()
				guess.End()
			}
		})
	}
}

// TestWrongPasswordsAreSlowed: those that were decided to be wrong, and none where nothing is limited.
// A known browser and who shows the account's token do not wait for what strangers do, and both are
// slowed after wrong passwords of their own.
func TestWrongPasswordsAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard := identity.Alone()
		ada := store.User{ID: store.NewID(), PasswordVersion: 1}
		value, _ := guard.SignBrowser(identity.Person{ID: ada.ID, PasswordVersion: 1})
		browser := cookie(plainBrowserCookie, value)
		token := Caller{Person: identity.Person{ID: ada.ID}, Proven: true}
		g, off := New(Config{Guard: guard, RateLimits: true}, zerolog.Nop()), New(Config{Guard: guard}, zerolog.Nop())
		// slowed reports whether a password does not get its turn at once.
		slowed := func(g *Gate, right bool, who Caller, options ...func(*http.Request)) bool {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond) // what must wait fails
			defer cancel()
			guess, err := g.Guess(ctx, request(options...), "ada@example.org", ada, who)
			if guess == nil {
				t.Fatal("nothing to end")
			}
			defer guess.End()
			if err != nil {
				if _, ok := errors.AsType[*throttle.SlowedError](err); !ok {
					t.Fatal(err)
				}
				return true
			}
			guess.Decide(right)
			return false
		}
		const many = 100
		count := func(g *Gate, right bool, who Caller, options ...func(*http.Request)) (passed int) {
			t.Helper()
			for ; passed < many && !slowed(g, right, who, options...); passed++ {
			}
			return passed
		}
		if n := count(g, true, Caller{}); n != many {
			t.Errorf("right passwords are slowed after %d", n)
		}
		if n := count(g, false, Caller{}); n == 0 || n == many {
			t.Errorf("%d wrong passwords of strangers pass", n)
		}
		if slowed(g, true, Caller{}, browser) || slowed(g, true, token) {
			t.Error("who is known waits for what strangers do")
		}
		for name, n := range map[string]int{"a browser": count(g, false, Caller{}, browser), "a token": count(g, false, token)} {
			if n == 0 || n == many {
				t.Errorf("%d wrong passwords of %s pass", n, name)
			}
		}
		if n := count(off, false, Caller{}); n != many {
			t.Errorf("where nothing is limited wrong passwords are slowed after %d", n)
		}
	})
}

// TestABrowserGetsItsCookie: of our own page, for as long as it is known.
func TestABrowserGetsItsCookie(t *testing.T) {
	guard := identity.Alone()
	g := New(Config{Guard: guard}, zerolog.Nop())
	ada := identity.Person{ID: store.NewID(), PasswordVersion: 1}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   string // the cookie's name; "" none
		secure bool
	}{
		"our page":                 {with("Sec-Fetch-Site", "same-origin"), plainBrowserCookie, false},
		"under TLS":                {overTLS, secureBrowserCookie, true},
		"a page of another origin": {with("Sec-Fetch-Site", "cross-site"), "", false},
	} {
		w := httptest.NewRecorder()
		g.SetBrowser(w, request(c.change), ada)
		cookies := w.Result().Cookies()
		if c.want == "" {
			if len(cookies) > 0 {
				t.Errorf("%s gets %v", name, cookies)
			}
			continue
		}
		if len(cookies) != 1 {
			t.Fatalf("%s gets %v", name, cookies)
		}
		set, life := cookies[0], time.Duration(cookies[0].MaxAge)*time.Second
		if set.Name != c.want || set.Secure != c.secure || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Path != "/" ||
			life > identity.BrowserLifetime || life < identity.BrowserLifetime-time.Minute {
			t.Errorf("%s gets %v", name, set)
		}
		if _, known := guard.KnownBrowser(set.Value, ada); !known {
			t.Errorf("%s is not known by its cookie", name)
		}
		r := request(c.change, cookie(set.Name, set.Value))
		if !g.MayBeKnown(r) || g.MayBeKnown(request(c.change)) {
			t.Errorf("%s: that it may be known is wrong", name)
		}
	}
}

// TestClientsWithoutAnAddress: share one turn at hashing; those of a /64 are one client.
func TestClientsWithoutAnAddress(t *testing.T) {
	g := New(Config{}, zerolog.Nop())
	for remote, want := range map[string]netip.Addr{
		"203.0.113.9:1": netip.MustParseAddr("203.0.113.9"), "[2001:db8:1:2:3::4]:1": netip.MustParseAddr("2001:db8:1:2::"), "pipe": {},
	} {
		if got := g.Client(request(from(remote))); got != want || g.Stranger(request(from(remote))) != fairqueue.Stranger(want) {
			t.Errorf("%s: the client is %v, want %v", remote, got, want)
		}
	}
	if got := g.Address(request()); got != "203.0.113.9" {
		t.Errorf("for the log the client is %q", got)
	}
}
