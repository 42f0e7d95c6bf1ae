package api

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// TestGuessingIsSlowed: 200 guesses end in 429, and the owner gets in from elsewhere.
func TestGuessingIsSlowed(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, rateLimited)
		ada := i.signUp(t, "ada@example.org", goodPassword) // from 192.0.2.1
		attacker := from("203.0.113.9:4711")
		passwordsPerAccount := gate.DefaultRates().PasswordsPerAccount.Most
		tried, refused := 0, 0
		for range 200 {
			switch r := i.ask(t, "POST", "/api/login", logInBody(ada.email, "wrong horse battery"), attacker); r.status {
			case 401:
				tried++
			case 429:
				refused++
				r.want(t, 429, problem.RateLimited)
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
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), attacker).want(t, 429, problem.RateLimited)
		i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), from("198.51.100.7:80")).want(t, 200, "")
		// The limit is used up for other accounts too, from that address only.
		i.ask(t, "POST", "/api/login", logInBody("bob@example.org", "wrong horse battery"), attacker).want(t, 429, problem.RateLimited)
		// Spelling the address otherwise is no new account.
		other := from("203.0.113.10:4711")
		for range passwordsPerAccount {
			i.ask(t, "POST", "/api/login", logInBody("Ada@Example.ORG", "wrong horse battery"), other).want(t, 401, "")
		}
		i.ask(t, "POST", "/api/login", logInBody(" ada@example.org", "wrong horse battery"), other).want(t, 429, problem.RateLimited)
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
		}, gate.DefaultRates().Passwords.Most},
		"log-ins to ever other accounts": {func(i *instance, o func(*http.Request)) reply {
			return i.ask(t, "POST", "/api/login", `{}`, o)
		}, gate.DefaultRates().Passwords.Most},
		"everything else": {func(i *instance, o func(*http.Request)) reply {
			return i.ask(t, "GET", "/api/events/zz", "", o)
		}, gate.DefaultRates().Requests.Most},
	} {
		t.Run(name, func(t *testing.T) {
			i := s.start(t, identity.Keys{}, rateLimited)
			for n := range c.limit {
				r := c.call(i, from("203.0.113.9:"+strconv.Itoa(1+n))) // the port does not count
				if r.status == 429 {
					t.Fatalf("refused at %d of %d", n, c.limit)
				}
				if got, want := r.header.Get("RateLimit"), `;r=`+strconv.Itoa(c.limit-n-1)+`;t=`; !strings.Contains(got, want) {
					t.Fatalf("RateLimit is %s after %d of %d", got, n+1, c.limit)
				}
			}
			r := c.call(i, from("203.0.113.9:1")).want(t, 429, problem.RateLimited)
			wait := r.header.Get("Retry-After")
			if !strings.Contains(r.header.Get("RateLimit-Policy"), `;q=`+strconv.Itoa(c.limit)+`;w=60`) || !strings.HasSuffix(r.header.Get("RateLimit"), `;r=0;t=`+wait) {
				t.Errorf("headers are %v", r.header)
			}
			if seconds, err := strconv.Atoi(wait); err != nil || seconds < 1 || seconds > 60 {
				t.Errorf("Retry-After is %q", wait)
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
		for n := range gate.DefaultRates().Passwords.Most {
			i.ask(t, "POST", "/api/login", `{}`, from("[2001:db8:1:2::"+strconv.FormatInt(int64(n+1), 16)+"]:1")).want(t, 400, "")
		}
		i.ask(t, "POST", "/api/login", `{}`, from("[2001:db8:1:2:ffff::1]:1")).want(t, 429, problem.RateLimited)
		i.ask(t, "POST", "/api/login", `{}`, from("[2001:db8:1:3::1]:1")).want(t, 400, "")
	})
}

func TestRegistrationsPerPerson(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{}, rateLimited)
	ada, bob := i.newMember(t), i.stranger(t)
	seats := i.organized(t, ada) + "/registrations"
	for n := range gate.DefaultRates().Registrations.Most {
		address := from("203.0.113." + strconv.Itoa(n) + ":1") // a bot has many
		if r := i.ask(t, "POST", seats, `{}`, bearer(bob.token), address); r.status == 429 {
			t.Fatalf("refused at %d", n)
		}
	}
	i.ask(t, "POST", seats, `{}`, bearer(bob.token), from("203.0.113.200:1")).want(t, 429, problem.RateLimited)
	i.ask(t, "POST", seats, `{}`, bearer(ada.token), from("203.0.113.1:1")).want(t, 201, "")
}

func TestLimitsCanBeOff(t *testing.T) {
	i := newSite(t, "sqlite").start(t, identity.Keys{})
	for range gate.DefaultRates().Passwords.Most + 5 {
		if r := i.ask(t, "POST", "/api/login", `{}`).want(t, 400, ""); r.header.Get("RateLimit") != "" {
			t.Fatalf("headers are %v", r.header)
		}
	}
}

// TestForwardedForIsBelievedOnlyFromProxies: forged headers neither free a client of its
// limit nor use up another's.
func TestForwardedForIsBelievedOnlyFromProxies(t *testing.T) {
	s := newSite(t, "sqlite")
	exhaust := func(i *instance, options ...func(*http.Request)) {
		for range gate.DefaultRates().Passwords.Most {
			i.ask(t, "POST", "/api/login", `{}`, options...).want(t, 400, "")
		}
	}
	t.Run("no proxies", func(t *testing.T) {
		i := s.start(t, identity.Keys{}, rateLimited)
		for n := range gate.DefaultRates().Passwords.Most {
			forged := strconv.Itoa(n)
			i.ask(t, "POST", "/api/login", `{}`, from("203.0.113.9:1"), with("X-Forwarded-For", "198.51.100."+forged),
				with("X-Real-IP", "198.51.100."+forged), with("True-Client-IP", "198.51.100."+forged), with("Forwarded", "for=198.51.100."+forged)).want(t, 400, "")
		}
		i.ask(t, "POST", "/api/login", `{}`, from("203.0.113.9:1"), with("X-Forwarded-For", "198.51.100.250")).want(t, 429, problem.RateLimited)
		i.ask(t, "POST", "/api/login", `{}`, from("198.51.100.1:1")).want(t, 400, "")
		if n := strings.Count(s.log.text(), "EVENTIO_TRUSTED_PROXIES"); n != 1 {
			t.Errorf("an unknown proxy was warned of %d times", n)
		}
	})
	t.Run("behind a proxy", func(t *testing.T) {
		i := s.start(t, identity.Keys{}, rateLimited, func(a *gate.Config) {
			a.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		proxy := from("10.1.2.3:1")
		exhaust(i, proxy, with("X-Forwarded-For", "203.0.113.9"))
		i.ask(t, "POST", "/api/login", `{}`, proxy, with("X-Forwarded-For", "203.0.113.9")).want(t, 429, problem.RateLimited)
		// What the client itself has written stands before what the proxy adds.
		i.ask(t, "POST", "/api/login", `{}`, proxy, with("X-Forwarded-For", "198.51.100.77, 203.0.113.9")).want(t, 429, problem.RateLimited)
		i.ask(t, "POST", "/api/login", `{}`, proxy, with("X-Forwarded-For", "203.0.113.9, 198.51.100.77")).want(t, 400, "")
		// Who comes past the proxy is taken for what they are.
		exhaust(i, from("203.0.113.50:1"), with("X-Forwarded-For", "10.9.9.9"))
		i.ask(t, "POST", "/api/login", `{}`, from("203.0.113.50:1"), with("X-Forwarded-For", "198.51.100.99")).want(t, 429, problem.RateLimited)
	})
}

// TestEveryRouteCounts has a row for every route: what its requests count against, for who shows
// no token, for who shows one, and for who shows none in trusted mode. A route without a row fails.
func TestEveryRouteCounts(t *testing.T) {
	of := func(n int) gate.Rate { return gate.Rate{Most: n, Window: time.Minute} }
	rates := gate.Rates{Requests: of(5), Registrations: of(3), Passwords: of(4), PasswordsPerAccount: of(2)}
	type counted struct {
		limit    int // requests that pass; 0: all of them
		byPerson bool
	}
	var (
		none          = counted{0, false}
		address       = counted{rates.Requests.Most, false}
		person        = counted{rates.Requests.Most, true}
		registrations = counted{rates.Registrations.Most, true}
		passwords     = counted{rates.Passwords.Most, false}
	)
	type row struct{ anonymous, holder, trusted counted }
	want := map[string]row{
		"POST /api/users":                                   {passwords, passwords, passwords},
		"POST /api/login":                                   {passwords, passwords, passwords},
		"POST /api/password-resets":                         {passwords, passwords, passwords},
		"POST /api/password-resets/confirm":                 {passwords, passwords, passwords},
		"POST /api/users/{user_id}/email-proof":             {address, person, address},
		"POST /api/users/{user_id}/email-proof/confirm":     {address, person, address},
		"GET /api/mail-settings/{token}":                    {address, address, address},
		"POST /api/mail-settings/{token}":                   {address, address, address},
		"PUT /api/mail-settings/{token}":                    {address, address, address},
		"POST /api/logout":                                  {address, address, address},
		"POST /api/users/{user_id}/password":                {passwords, passwords, passwords},
		"GET /api/users/{user_id}":                          {address, person, address},
		"PATCH /api/users/{user_id}":                        {address, person, address},
		"DELETE /api/users/{user_id}":                       {address, person, address},
		"GET /api/users/{user_id}/export":                   {address, person, address},
		"GET /api/users/{user_id}/sessions":                 {address, person, address},
		"DELETE /api/users/{user_id}/sessions":              {address, person, address},
		"DELETE /api/users/{user_id}/sessions/{session_id}": {address, person, address},
		"POST /api/events":                                  {address, address, address},
		"GET /api/events":                                   {address, address, address},
		"GET /api/events/{id}":                              {address, address, address},
		"POST /api/events/{id}/registrations":               {address, registrations, address},
		"GET /api/events/{id}/registrations":                {address, person, address},
		"PUT /api/events/{id}/registrations/{user_id}":      {address, registrations, address},
		"GET /api/events/{id}/registrations/{user_id}":      {address, person, address},
		"DELETE /api/events/{id}/registrations/{user_id}":   {address, registrations, address},
		"PATCH /api/events/{id}":                            {address, address, address},
		"POST /api/events/{id}/cancel":                      {address, address, address},
		"GET /api/users/{user_id}/registrations":            {address, person, address},
		"GET /api/users/{user_id}/changes":                  {address, person, address},
		"GET /api/events/{id}/changes":                      {address, person, address},
		"GET /api/events/{id}/pace":                         {address, person, address},
		"GET /api/events/{id}/live":                         {address, address, address},
		"GET /api/users/{user_id}/live":                     {address, person, address},
		"POST /api/keys":                                    {address, person, address},
		"GET /api/keys":                                     {address, person, address},
		"DELETE /api/keys/{key_id}":                         {address, person, address},
		"POST /api/webhooks":                                {address, person, address},
		"GET /api/webhooks":                                 {address, person, address},
		"GET /api/webhooks/{webhook_id}":                    {address, person, address},
		"PATCH /api/webhooks/{webhook_id}":                  {address, person, address},
		"DELETE /api/webhooks/{webhook_id}":                 {address, person, address},
		"POST /api/webhooks/{webhook_id}/secret":            {address, person, address},
		"GET /api/webhooks/{webhook_id}/calls":              {address, person, address},
		"POST /api/webhooks/{webhook_id}/test":              {address, person, address},
		"POST /api/webhooks/{webhook_id}/replay":            {address, person, address},
		"GET /openapi.json":                                 {address, address, address},
		"GET /docs":                                         {address, address, address},
		"GET /docs/docs.css":                                {address, address, address},
		"GET /livez":                                        {none, none, none},
		"GET /readyz":                                       {none, none, none},
		"GET /api/events/{id}/attendees":                    {address, person, address},
		"GET /api/session":                                  {address, person, address},
	}
	s := newSite(t, "sqlite")
	few := func(a *gate.Config) { a.RateLimits, a.Rates = true, rates }
	token, trusting := s.start(t, identity.Keys{}, few), s.start(t, identity.Keys{}, few, trusted)
	addresses := 0
	newAddress := func() func(*http.Request) {
		addresses++
		return from("203.0." + strconv.Itoa(addresses/256) + "." + strconv.Itoa(addresses%256) + ":1")
	}
	nobody := func(*http.Request) {}
	for _, rt := range token.table() {
		name := rt.method + " " + rt.pattern
		limits, ok := want[name]
		if !ok {
			t.Errorf("%s has no row", name)
			continue
		}
		path := strings.NewReplacer("{id}", store.NewID().Hex(), "{webhook_id}", store.NewID().Hex(), "{user_id}", store.NewID().Hex()).Replace(rt.pattern)
		if name == "GET /api/events" {
			path += "?limit=1" // the whole list counts as more: see TestWhatAListCosts
		}
		methods := []string{rt.method}
		if rt.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		for _, method := range methods {
			for _, c := range []struct {
				name   string
				i      *instance
				holder bool
				counted
			}{
				{"without a token", token, false, limits.anonymous}, {"with a token", token, true, limits.holder},
				{"in trusted mode", trusting, false, limits.trusted},
			} {
				t.Run(method+" "+rt.pattern+"/"+c.name, func(t *testing.T) {
					newPerson := func() func(*http.Request) {
						if c.holder {
							return bearer(c.i.stranger(t).token)
						}
						return nobody
					}
					who, where := newPerson(), newAddress()
					refused := func(who, where func(*http.Request)) bool {
						r := c.i.ask(t, method, path, "", who, where)
						if counts := r.header.Get("RateLimit") != ""; counts != (c.limit > 0) {
							t.Fatalf("%d with the headers %v", r.status, r.header)
						}
						return r.status == http.StatusTooManyRequests
					}
					pass := c.limit
					if pass == 0 {
						pass = 2 * rates.Requests.Most
					}
					for n := range pass {
						if refused(who, where) {
							t.Fatalf("request %d is refused, of %d that pass", n+1, pass)
						}
					}
					if got := refused(who, where); got != (c.limit > 0) {
						t.Fatalf("after %d requests the next is refused: %v", pass, got)
					}
					if c.limit == 0 {
						return
					}
					if got := refused(who, newAddress()); got != c.byPerson {
						t.Errorf("from another address it is refused: %v", got)
					}
					if got := refused(newPerson(), where); got == c.byPerson {
						t.Errorf("somebody else at that address is refused: %v", got)
					}
				})
			}
		}
		if rt.limit != gate.PasswordsPerAddress || rt.pattern == "/api/password-resets/confirm" { // its link names no account
			continue
		}
		t.Run(name+"/for one account", func(t *testing.T) {
			ada, where := s.start(t, identity.Keys{}).newMember(t), newAddress()
			body := map[string]string{
				"/api/users": signUpBody(ada.email, goodPassword), "/api/login": logInBody(ada.email, "wrong horse battery"),
				"/api/users/{user_id}/password": changeBody("wrong horse battery", "another horse battery"), "/api/password-resets": `{"email":"` + ada.email + `"}`,
			}[rt.pattern]
			path := strings.ReplaceAll(rt.pattern, "{user_id}", ada.id)
			for range rates.PasswordsPerAccount.Most {
				if r := token.ask(t, rt.method, path, body, bearer(ada.token), where); r.status == 429 || r.status == 400 {
					t.Fatalf("%d %s", r.status, r.body)
				}
			}
			token.ask(t, rt.method, path, body, bearer(ada.token), where).want(t, 429, problem.RateLimited)
		})
	}
}
