package gate

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// request makes a request from 203.0.113.9, changed by options.
func request(options ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.RemoteAddr = "203.0.113.9:4711"
	for _, o := range options {
		o(r)
	}
	return r
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

func cookie(name, value string) func(*http.Request) { return with("Cookie", name+"="+value) }

func overTLS(r *http.Request) { r.TLS = &tls.ConnectionState{} }

// refuse answers with a problem.
func refuse(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if p, ok := errors.AsType[*problem.Problem](err); ok {
			p.Write(w)
		}
	})
}

// code is the code of a problem, or "".
func code(t *testing.T, err error) problem.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	return p.Code
}

func sign(t *testing.T, guard *identity.Guard) (person store.ID, token string) {
	t.Helper()
	person = store.NewID()
	token, _, err := guard.Sign(identity.Person{ID: person})
	if err != nil {
		t.Fatal(err)
	}
	return person, token
}

func TestWhoIsAdmitted(t *testing.T) {
	guard := identity.Alone()
	person, token := sign(t, guard)
	const refused = problem.Unauthenticated
	for name, c := range map[string]struct {
		options         []func(*http.Request)
		trusted, strict problem.Code // "" admitted
		proven, cookie  bool
	}{
		"no token":                {nil, "", refused, false, false},
		"a token":                 {[]func(*http.Request){with("Authorization", "Bearer "+token)}, "", "", true, false},
		"in another case":         {[]func(*http.Request){with("Authorization", "bEARER "+token)}, "", "", true, false},
		"a forged one":            {[]func(*http.Request){with("Authorization", "Bearer x"+token)}, refused, refused, false, false},
		"an empty one":            {[]func(*http.Request){with("Authorization", "Bearer ")}, refused, refused, false, false},
		"no scheme":               {[]func(*http.Request){with("Authorization", token)}, "", refused, false, false},
		"an empty header":         {[]func(*http.Request){with("Authorization", "")}, "", refused, false, false},
		"another scheme":          {[]func(*http.Request){with("Authorization", "Basic YTpi")}, "", refused, false, false},
		"two headers":             {[]func(*http.Request){with("Authorization", "Bearer "+token), with("Authorization", "Bearer "+token)}, refused, refused, false, false},
		"a cookie":                {[]func(*http.Request){cookie(plainCookie, token)}, "", "", true, true},
		"an empty cookie":         {[]func(*http.Request){cookie(plainCookie, "")}, refused, refused, false, false},
		"two cookies":             {[]func(*http.Request){cookie(plainCookie, token), cookie(plainCookie, token)}, refused, refused, false, false},
		"a cookie under TLS":      {[]func(*http.Request){overTLS, cookie(secureCookie, token)}, "", "", true, true},
		"a plain one under TLS":   {[]func(*http.Request){overTLS, cookie(plainCookie, token)}, "", refused, false, false},
		"a secure one without it": {[]func(*http.Request){cookie(secureCookie, token)}, "", refused, false, false},
		"a header and a bad cookie": {[]func(*http.Request){with("Authorization", "Bearer "+token), cookie(plainCookie, "x")},
			"", "", true, false},
		"a bad header and a cookie": {[]func(*http.Request){with("Authorization", "Bearer x"), cookie(plainCookie, token)},
			refused, refused, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			for mode, want := range map[Mode]problem.Code{Trusted: c.trusted, Token: c.strict} {
				g := New(Config{Mode: mode, Guard: guard}, zerolog.Nop())
				who, err := g.Admit(httptest.NewRecorder(), request(c.options...), Reading, RequestsPerAddress)
				if got := code(t, err); got != want {
					t.Errorf("mode %d: %q, want %q", mode, got, want)
				}
				if want == "" && (who.Proven != c.proven || who.Cookie != c.cookie || c.proven != (who.ID == person)) {
					t.Errorf("mode %d: the caller is %+v", mode, who)
				}
				if want != "" && who != (Caller{}) {
					t.Errorf("mode %d: who is refused is %+v", mode, who)
				}
				who, err = g.Admit(httptest.NewRecorder(), request(c.options...), Anybody, RequestsPerAddress)
				if err != nil || who != (Caller{}) {
					t.Errorf("mode %d: on an open route %+v, %v", mode, who, err)
				}
			}
		})
	}
}

// TestACallerActsForThemself: who is proven for nobody else, who is believed for anybody, and
// nobody for nobody.
func TestACallerActsForThemself(t *testing.T) {
	ada, bob := store.NewID(), store.NewID()
	for name, c := range map[string]struct {
		who      Caller
		ada, bob bool
	}{
		"Ada":      {Caller{Person: identity.Person{ID: ada}, Proven: true}, true, false},
		"believed": {Caller{believed: true}, true, true},
		"nobody":   {Caller{}, false, false},
	} {
		for user, want := range map[store.ID]bool{ada: c.ada, bob: c.bob} {
			err := c.who.Require(user, "No 100%.")
			if c.who.ActsFor(user) != want || (err == nil) != want {
				t.Errorf("%s: %v, %v, want %v", name, c.who.ActsFor(user), err, want)
			}
			if p, ok := errors.AsType[*problem.Problem](err); !want && (!ok || p.Code != problem.Forbidden || p.Detail != "No 100%.") {
				t.Errorf("%s: the problem is %+v", name, p)
			}
		}
	}
}

// TestLimits: how many requests pass, and what they are counted by.
func TestLimits(t *testing.T) {
	rates := Rates{
		Requests: Rate{5, time.Minute}, Registrations: Rate{3, time.Minute}, Passwords: Rate{4, time.Minute}, PasswordsPerAccount: Rate{2, time.Minute},
	}
	guard := identity.Alone()
	token := func() func(*http.Request) {
		_, token := sign(t, guard)
		return with("Authorization", "Bearer "+token)
	}
	for limit, c := range map[Limit]struct {
		proven, unproven int // requests that pass; 0: all
		byPerson         bool
	}{
		Unlimited: {0, 0, false}, RequestsPerAddress: {5, 5, false}, RequestsPerPerson: {5, 5, true},
		RegistrationsPerPerson: {3, 5, true}, PasswordsPerAddress: {4, 4, false},
	} {
		g := New(Config{Mode: Token, Guard: guard, RateLimits: true, Rates: rates}, zerolog.Nop())
		refused := func(options ...func(*http.Request)) bool {
			w := httptest.NewRecorder()
			_, err := g.Admit(w, request(options...), Reading, limit)
			if counts := w.Header().Get("RateLimit") != ""; counts != (limit != Unlimited) {
				t.Errorf("limit %d: the headers are %v", limit, w.Header())
			}
			return code(t, err) == problem.RateLimited
		}
		ada, elsewhere := token(), from("198.51.100.7:1")
		passes := func(want int, options ...func(*http.Request)) {
			t.Helper()
			for n := range 20 {
				if refused(options...) {
					if n != want || want == 0 {
						t.Errorf("limit %d: request %d is refused, want %d to pass", limit, n+1, want)
					}
					return
				}
			}
			if want != 0 {
				t.Errorf("limit %d: nothing is refused", limit)
			}
		}
		passes(c.proven, ada)
		if limit == Unlimited {
			continue
		}
		if refused(ada, elsewhere) != c.byPerson || refused(token()) == c.byPerson {
			t.Errorf("limit %d: it counts by the wrong thing", limit)
		}
		there := from("198.51.100.8:1")
		passes(c.unproven, there)
		if !refused(there, with("Authorization", "Bearer forged")) { // 429 before 401
			t.Errorf("limit %d: forged tokens are not counted", limit)
		}
	}
	g := New(Config{Mode: Token, Guard: guard, RateLimits: true, Rates: rates}, zerolog.Nop())
	account := func(name string, options ...func(*http.Request)) problem.Code {
		return code(t, g.CountAccount(httptest.NewRecorder(), request(options...), name))
	}
	for range rates.PasswordsPerAccount.Most {
		if got := account("ada"); got != "" {
			t.Errorf("an account is told %s", got)
		}
	}
	if account("ada") != problem.RateLimited || account("bob") != "" || account("ada", from("198.51.100.9:1")) != "" {
		t.Error("an account is not counted together with the address")
	}
	off := New(Config{Rates: rates}, zerolog.Nop())
	for range 20 {
		if _, err := off.Admit(httptest.NewRecorder(), request(), Anybody, PasswordsPerAddress); err != nil || off.CountAccount(httptest.NewRecorder(), request(), "ada") != nil {
			t.Fatal("limits that are off refuse")
		}
	}
}

// TestTheLimitsOfTheGuide: the numbers that hold are those of docs/operations.md.
func TestTheLimitsOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	r := DefaultRates()
	for what, limit := range map[string]Rate{
		"log-ins, sign-ups and changes of passwords": r.Passwords, "the same, for one account": r.PasswordsPerAccount,
		"changes of registrations (POST, PUT, DELETE)": r.Registrations, "reads of registrations": r.Requests,
		"everything else of the API, without `/livez` and `/readyz`": r.Requests,
	} {
		if row := "| " + what + " | " + strconv.Itoa(limit.Most) + " | "; limit.Window != time.Minute || !strings.Contains(string(guide), row) {
			t.Errorf("docs/operations.md has no row %q", row)
		}
	}
}

// TestClientAddresses: one client has one address, and a proxy that is trusted tells it.
func TestClientAddresses(t *testing.T) {
	proxied := New(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, zerolog.Nop())
	plain := New(Config{}, zerolog.Nop())
	for name, c := range map[string]struct {
		g       *Gate
		options []func(*http.Request)
		want    string
		secure  bool
	}{
		"IPv4":                        {plain, nil, "203.0.113.9", false},
		"IPv6, the /64":               {plain, []func(*http.Request){from("[2001:db8:1:2:3::4]:1")}, "2001:db8:1:2::", false},
		"no port":                     {plain, []func(*http.Request){from("203.0.113.9")}, "203.0.113.9", false},
		"no address":                  {plain, []func(*http.Request){from("pipe")}, "pipe", false},
		"a header without a proxy":    {plain, []func(*http.Request){with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Proto", "https")}, "203.0.113.9", false},
		"TLS":                         {plain, []func(*http.Request){overTLS}, "203.0.113.9", true},
		"a proxy":                     {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Proto", "https")}, "198.51.100.1", true},
		"a proxy without TLS":         {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Proto", "http")}, "198.51.100.1", false},
		"a proxy in IPv6 form":        {proxied, []func(*http.Request){from("[::ffff:10.1.1.1]:1"), with("X-Forwarded-Proto", "https")}, "10.1.1.1", true},
		"past the proxy":              {proxied, []func(*http.Request){with("X-Forwarded-For", "10.9.9.9"), with("X-Forwarded-Proto", "https")}, "", false},
		"no address at all":           {proxied, []func(*http.Request){from("pipe"), with("X-Forwarded-Proto", "https")}, "pipe", false},
		"an address that is not one":  {proxied, []func(*http.Request){from("pipe:1"), with("X-Forwarded-Proto", "https")}, "pipe:1", false},
		"a port, and quotes":          {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", `"198.51.100.1:4711"`)}, "198.51.100.1", false},
		"a port of IPv6":              {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "[2001:db8:1:2:3::4]:4711")}, "2001:db8:1:2::", false},
		"several headers":             {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "203.0.113.77"), with("X-Forwarded-For", "198.51.100.1")}, "198.51.100.1", false},
		"RFC 7239":                    {proxied, []func(*http.Request){from("10.1.1.1:1"), with("Forwarded", `for="198.51.100.1:80";proto=HTTPS`)}, "198.51.100.1", true},
		"two schemes":                 {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Proto", "https,http")}, "198.51.100.1", true},
		"in capitals":                 {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Proto", "HTTPS")}, "198.51.100.1", true},
		"nobody can tell":             {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "unknown")}, "unknown via 10.1.1.1", false},
		"what the client itself says": {proxied, []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-For", "198.51.100.77, 203.0.113.1")}, "203.0.113.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			var hsts string
			h := c.g.BrowserRules(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = c.g.clientAddress(r)
			}), nil, refuse)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(c.options...))
			hsts = w.Header().Get("Strict-Transport-Security")
			if c.want != "" && got != c.want || (hsts != "") != c.secure {
				t.Errorf("the address is %q, HSTS %q", got, hsts)
			}
			if corp := w.Header().Get("Cross-Origin-Resource-Policy"); corp != "same-origin" {
				t.Errorf("pages of other origins may embed it: %q", corp)
			}
			w = httptest.NewRecorder()
			c.g.SetCookie(w, request(c.options...), "token")
			name := map[bool]string{true: "__Host-eventio_token", false: "eventio_token"}[c.secure]
			set := w.Result().Cookies()[0]
			if set.Name != name || set.Secure != c.secure || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Path != "/" ||
				set.MaxAge != int(c.g.Guard().Lifetime()/time.Second) {
				t.Errorf("the cookie is %v", set)
			}
			w = httptest.NewRecorder()
			c.g.SetCookie(w, request(c.options...), "")
			if set := w.Result().Cookies()[0]; set.Name != name || set.MaxAge >= 0 {
				t.Errorf("taken away it is %v", set)
			}
		})
	}
}

// TestOtherOrigins: writes of their pages are denied, reads are not shown to their scripts, unless
// the origin is configured; and that without cookies.
func TestOtherOrigins(t *testing.T) {
	app, err := url.Parse("https://app.example.org")
	if err != nil {
		t.Fatal(err)
	}
	off, on := New(Config{}, zerolog.Nop()), New(Config{CORSOrigins: []*url.URL{app}}, zerolog.Nop())
	for name, c := range map[string]struct {
		g       *Gate
		method  string
		origin  string
		denied  bool
		allowed string
	}{
		"no origin":                  {on, "POST", "", false, ""},
		"a configured one":           {on, "POST", app.String(), false, app.String()},
		"a configured one reads":     {on, "GET", app.String(), false, app.String()},
		"none is configured":         {off, "POST", app.String(), true, ""},
		"another one":                {on, "POST", "https://evil.example", true, ""},
		"another one reads":          {on, "GET", "https://evil.example", false, ""},
		"a longer name":              {on, "POST", "https://app.example.org.evil.example", true, ""},
		"another scheme":             {on, "POST", "http://app.example.org", true, ""},
		"another port":               {on, "POST", "https://app.example.org:8443", true, ""},
		"an opaque one":              {on, "POST", "null", true, ""},
		"none is configured, a read": {off, "GET", app.String(), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(c.method, "/", nil)
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			}
			c.g.BrowserRules(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, refuse).ServeHTTP(w, r)
			if h := w.Result().Header; (w.Code == http.StatusForbidden) != c.denied || h.Get("Access-Control-Allow-Origin") != c.allowed || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%d %v", w.Code, h)
			}
			if c.denied && !strings.Contains(w.Body.String(), "EVENTIO_CORS_ORIGINS") {
				t.Errorf("the problem does not say what the operator can do: %s", w.Body)
			}
		})
	}
	if code(t, ErrOrigin()) != problem.Forbidden {
		t.Errorf("the problem is %v", ErrOrigin())
	}
	preflight := httptest.NewRequest("OPTIONS", "/", nil)
	for name, value := range map[string]string{"Origin": app.String(), "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,if-match"} {
		preflight.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	on.BrowserRules(http.NotFoundHandler(), nil, refuse).ServeHTTP(w, preflight)
	if h := w.Result().Header; w.Code >= 300 || h.Get("Access-Control-Max-Age") != "600" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "If-Match") {
		t.Errorf("a preflight: %d %v", w.Code, h)
	}
	defer func() {
		if recover() == nil {
			t.Error("an origin that is none is taken")
		}
	}()
	New(Config{CORSOrigins: []*url.URL{{Scheme: "https", Host: "a b"}}}, zerolog.Nop()).BrowserRules(nil, nil, refuse)
}

// TestAnUnknownProxyIsWarnedOfOnce: where limits would count all its clients as one.
func TestAnUnknownProxyIsWarnedOfOnce(t *testing.T) {
	trusted := Config{RateLimits: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for name, c := range map[string]struct {
		config Config
		from   string
		want   int
	}{
		"limits":          {Config{RateLimits: true}, "203.0.113.9:1", 1},
		"no limits":       {Config{}, "203.0.113.9:1", 0},
		"a trusted proxy": {trusted, "10.1.1.1:1", 0},
		"another proxy":   {trusted, "172.18.0.1:1", 1},
		"without limits":  {Config{TrustedProxies: tenNetwork}, "172.18.0.1:1", 1},
	} {
		for _, header := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} {
			var log strings.Builder
			g := New(c.config, zerolog.New(&log))
			h := g.BrowserRules(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, refuse)
			h.ServeHTTP(httptest.NewRecorder(), request())
			if log.Len() > 0 {
				t.Errorf("%s: warned without a proxy: %s", name, &log)
			}
			value := map[string]string{"Forwarded": "for=198.51.100.1"}[header]
			for range 3 {
				h.ServeHTTP(httptest.NewRecorder(), request(from(c.from), with(header, cmp.Or(value, "198.51.100.1"))))
			}
			if got := strings.Count(log.String(), "EVENTIO_TRUSTED_PROXIES"); got != c.want {
				t.Errorf("%s, %s: %d warnings, want %d: %s", name, header, got, c.want, &log)
			}
		}
	}
}

// BenchmarkRateLimit is the cost of one limit on one request.
func BenchmarkRateLimit(b *testing.B) {
	g := New(Config{RateLimits: true}, zerolog.Nop())
	b.ReportAllocs()
	for b.Loop() {
		who := Caller{Person: identity.Person{ID: store.NewID()}, Proven: true}
		if err := g.count(httptest.NewRecorder(), request(), RegistrationsPerPerson, who, 1); err != nil {
			b.Fatal(err)
		}
	}
}
