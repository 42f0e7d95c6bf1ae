package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/testenv"
)

// manyPasswords has the limits that count by address never reached, so that only the slow lane slows.
func manyPasswords(longestPause time.Duration) func(*gate.Config) {
	return func(a *gate.Config) {
		rates := gate.DefaultRates()
		many := gate.Rate{Most: 1_000_000, Window: time.Minute}
		rates.Passwords, rates.PasswordsPerAccount, rates.Requests = many, many, many
		a.RateLimits, a.Rates, a.LongestPause = true, rates, longestPause
	}
}

// networks gives an address of another network each time. It is safe for concurrent use.
type networks struct{ n atomic.Int64 }

func (a *networks) next() func(*http.Request) {
	n := a.n.Add(1)
	return from(fmt.Sprintf("10.%d.%d.1:4711", n/256, n%256))
}

// browser is the cookie of a browser that an answer sets.
func (r reply) browser(t testing.TB) *http.Cookie {
	t.Helper()
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		if strings.HasSuffix(c.Name, "eventio_browser") {
			return c
		}
	}
	t.Fatalf("no browser is made known: %v", r.header)
	return nil
}

// TestGuessingFromManyAddresses: one account's password is guessed from ever other networks. That is
// slowed and told, while its owner gets in: at once from a browser that is known, and within a few
// tries from anywhere else.
func TestGuessingFromManyAddresses(t *testing.T) {
	const pause = 200 * time.Millisecond
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, manyPasswords(pause))
		i.core.Config.RequestTimeout = 2 * time.Second
		signUp := i.ask(t, "POST", "/api/users", signUpBody("ada@example.org", goodPassword)).want(t, 201, "")
		browser := signUp.browser(t)
		var addresses networks
		ctx, end := context.WithCancel(t.Context())
		var guessers sync.WaitGroup
		defer guessers.Wait()
		defer end()
		var tried, slowed atomic.Int64
		began := time.Now()
		for range 12 {
			guessers.Go(func() {
				for ctx.Err() == nil {
					switch r := i.ask(t, "POST", "/api/login", logInBody("Ada@Example.org", "wrong horse battery"), addresses.next()); r.status {
					case 401:
						tried.Add(1)
					case 429:
						slowed.Add(1)
						if after, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || after < 1 {
							t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
						}
					case 503: // the turn came too late
					default:
						t.Errorf("%d %s", r.status, r.body)
					}
				}
			})
		}
		testenv.Eventually(t, patience, "slow guesses down", func() error {
			if n := slowed.Load(); n < 10 {
				return fmt.Errorf("%d were slowed", n)
			}
			return nil
		})
		i.ask(t, "POST", "/api/login", logInBody("ada@example.org", goodPassword), addresses.next(), cookie(browser.Name, browser.Value)).want(t, 200, "")
		// From elsewhere, the same client comes again after it was told to, and has its turn.
		elsewhere := from("192.0.2.77:1")
		testenv.Eventually(t, patience, "log in from another network", func() error {
			r := i.ask(t, "POST", "/api/login", logInBody("ada@example.org", goodPassword), elsewhere)
			if r.status != 200 {
				return fmt.Errorf("%d %s", r.status, r.body)
			}
			return nil
		})
		end()
		guessers.Wait()
		if most := 20 + 2 + int64(time.Since(began)/pause); tried.Load() > most {
			t.Errorf("%d guesses were tried in %v, want %d at most", tried.Load(), time.Since(began), most)
		}
		lines := s.log.With(`"password_guessing"`)
		if len(lines) != 1 || !strings.Contains(lines[0], signUp.field(t, "id")) {
			t.Errorf("the log tells %q", lines)
		}
	})
}

// TestEveryPlaceThatTellsOfAPasswordIsSlowed: 20 wrong passwords from ever other networks at one of
// the places slow each of the others down.
func TestEveryPlaceThatTellsOfAPasswordIsSlowed(t *testing.T) {
	s := newSite(t, "sqlite")
	type place struct {
		name  string
		guess func(i *instance, ada member, key string, from func(*http.Request)) reply
		wrong int // the status of a wrong password
	}
	places := []place{
		{"log-in", func(i *instance, ada member, _ string, from func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/login", logInBody(ada.email, "wrong horse battery"), from)
		}, 401},
		{"sign-up that is repeated", func(i *instance, ada member, key string, from func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/users", signUpBody(ada.email, "wrong horse battery"), from, with("Idempotency-Key", key))
		}, 422},
		{"password change with a token that was stolen", func(i *instance, ada member, _ string, from func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody("wrong horse battery", "another horse battery"), from, bearer(ada.token))
		}, 401},
	}
	for _, first := range places {
		t.Run(first.name, func(t *testing.T) {
			i := s.start(t, identity.Keys{}, manyPasswords(time.Minute))
			i.core.Config.RequestTimeout = 600 * time.Millisecond // less than the first pause
			key := strings.ReplaceAll(first.name, " ", "-")
			email := key + "@example.org"
			r := i.ask(t, "POST", "/api/users", signUpBody(email, goodPassword), with("Idempotency-Key", key)).want(t, 201, "")
			ada := member{r.field(t, "id"), email, goodPassword, r.field(t, "token")}
			var addresses networks
			wrong := 0
			testenv.Eventually(t, patience, "guess until guesses are slowed", func() error {
				switch r := first.guess(i, ada, key, addresses.next()); r.status {
				case first.wrong:
					wrong++
				case 429:
					r.want(t, 429, problem.RateLimited)
					return nil
				case 503:
				default:
					t.Fatalf("%d %s", r.status, r.body)
				}
				return fmt.Errorf("%d were wrong", wrong)
			})
			for _, other := range places {
				if strings.Contains(other.name, "token") && other.name != first.name {
					continue // a token has 10 guesses of its own first
				}
				testenv.Eventually(t, patience, "slow the "+other.name+" too", func() error {
					if r := other.guess(i, ada, key, addresses.next()); r.status != 429 {
						return fmt.Errorf("%d %s", r.status, r.body)
					}
					return nil
				})
			}
			if strings.Contains(first.name, "token") {
				return
			}
			// The owner, with a token, is not kept from changing the password.
			i.ask(t, "POST", "/api/users/"+ada.id+"/password", changeBody(goodPassword, "another horse battery"), addresses.next(), bearer(ada.token)).want(t, 204, "")
		})
	}
}

// TestTheCookieOfAKnownBrowser: who proves a password gets it, log-outs leave it, and it counts for
// one account and one password.
func TestTheCookieOfAKnownBrowser(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{}, proxied)
	for _, c := range []struct {
		name, cookie string
		options      []func(*http.Request)
	}{
		{"plain", "eventio_browser", nil},
		{"TLS", "__Host-eventio_browser", []func(*http.Request){overTLS}},
		{"TLS at a trusted proxy", "__Host-eventio_browser", []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-Proto", "https")}},
		{"TLS as somebody claims", "eventio_browser", []func(*http.Request){from("203.0.113.9:1"), with("X-Forwarded-Proto", "https")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			email := strings.ReplaceAll(c.name, " ", "") + "@example.org"
			check := func(r reply) *http.Cookie {
				t.Helper()
				got := r.browser(t)
				if got.Name != c.cookie || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" ||
					got.Secure != strings.HasPrefix(c.cookie, "__Host-") || got.MaxAge < 100*24*3600 {
					t.Errorf("the cookie is %v", got)
				}
				return got
			}
			signedUp := i.ask(t, "POST", "/api/users", signUpBody(email, goodPassword), c.options...).want(t, 201, "")
			check(signedUp)
			loggedIn := i.ask(t, "POST", "/api/login", logInBody(email, goodPassword), c.options...).want(t, 200, "")
			if check(loggedIn).Value == check(signedUp).Value {
				t.Error("two browsers have one cookie")
			}
			known := check(loggedIn)
			change := append([]func(*http.Request){bearer(loggedIn.field(t, "token")), cookie(known.Name, known.Value)}, c.options...)
			changed := i.ask(t, "POST", "/api/users/"+signedUp.field(t, "id")+"/password", changeBody(goodPassword, "another horse battery"), change...).want(t, 204, "")
			check(changed)
			wrong := i.ask(t, "POST", "/api/login", logInBody(email, goodPassword), c.options...).want(t, 401, "")
			out := i.ask(t, "POST", "/api/logout", "", change...).want(t, 204, "")
			for _, r := range []reply{wrong, out} {
				if strings.Contains(strings.Join(r.header.Values("Set-Cookie"), "\n"), "eventio_browser") {
					t.Errorf("%d changes the browser's cookie: %v", r.status, r.header)
				}
			}
		})
	}
}

// TestLogInsPassAFloodOfStrangers: while strangers from ever other networks take all room to wait,
// who is known gets in, and a cookie that is good for somebody else or forged is none.
func TestLogInsPassAFloodOfStrangers(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{}, manyPasswords(0))
	ada, bob := i.newMember(t), i.newMember(t)
	browserOf := func(m member) func(*http.Request) {
		c := i.ask(t, "POST", "/api/login", logInBody(m.email, m.password)).want(t, 200, "").browser(t)
		return cookie(c.Name, c.Value)
	}
	known, ofBob := browserOf(ada), browserOf(bob)
	const clients = 30
	i.core.Hashes = passwords.NewHasher(1, 8)
	var addresses networks
	ctx, end := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer flood.Wait()
	defer end()
	var refused atomic.Int64
	for n := range clients {
		flood.Go(func() {
			for ctx.Err() == nil {
				if r := i.ask(t, "POST", "/api/login", logInBody(fmt.Sprintf("nobody%d@example.org", n), "wrong horse battery"), addresses.next()); r.status == 503 {
					refused.Add(1)
				}
			}
		})
	}
	testenv.Eventually(t, patience, "refuse strangers", func() error {
		if refused.Load() < clients {
			return fmt.Errorf("%d are refused", refused.Load())
		}
		return nil
	})
	for range 20 {
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), addresses.next(), known).want(t, 200, "")
		i.ask(t, "POST", "/api/users/"+bob.id+"/password", changeBody("wrong horse battery", "another horse battery"), addresses.next(), bearer(bob.token)).want(t, 401, "")
		if r := i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), addresses.next()); r.status == 503 && r.header.Get("Retry-After") == "" {
			t.Errorf("a stranger is refused without a time to come again")
		}
		if t.Failed() {
			return
		}
	}
	for name, option := range map[string]func(*http.Request){"of somebody else": ofBob, "forged": cookie("eventio_browser", "default:AAAA")} {
		testenv.Eventually(t, patience, "refuse who shows a cookie "+name, func() error {
			if r := i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), addresses.next(), option); r.status != 503 {
				return fmt.Errorf("%d %s", r.status, r.body)
			}
			return nil
		})
	}
}
