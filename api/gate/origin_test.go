package gate

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/forwarded"
	"github.com/eventio/eventio/internal/identity"
)

var tenNetwork = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

// TestUnreadIsNotedOnce: what a trusted proxy sends and nobody understands is logged once for each
// header, with its value, and its clients do not count as the proxy.
func TestUnreadIsNotedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		header, value string
		known         bool // the client is
	}{
		"a word":        {"X-Forwarded-For", "unknown", false},
		"a name":        {"X-Forwarded-For", "_gateway7", false},
		"a bad quote":   {"Forwarded", `for="198.51.100.1`, false},
		"a scheme":      {"X-Forwarded-Proto", "gopher", true},
		"a host":        {"X-Forwarded-Host", "a b", true},
		"a port":        {"X-Forwarded-Port", "http", true},
		"a prefix":      {"X-Forwarded-Prefix", "//evil.example", true},
		"another place": {"X-Forwarded-Prefix", "/a/../b", true},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			g := New(Config{TrustedProxies: tenNetwork}, zerolog.New(&log))
			var address string
			h := g.BrowserRules(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { address = g.clientAddress(r) }), nil, refuse)
			for range 3 {
				options := []func(*http.Request){from("10.1.1.1:1"), with(c.header, c.value)}
				if c.known {
					options = append(options, with("X-Forwarded-For", "198.51.100.1"))
				}
				h.ServeHTTP(httptest.NewRecorder(), request(options...))
				if want := map[bool]string{true: "198.51.100.1", false: "unknown via 10.1.1.1"}[c.known]; address != want {
					t.Fatalf("the client counts as %q", address)
				}
			}
			if n := strings.Count(log.String(), "not understood"); n != 1 || !strings.Contains(log.String(), `"header":"`+c.header+`"`) ||
				!strings.Contains(strings.ReplaceAll(log.String(), `\"`, `"`), c.value) || !strings.Contains(log.String(), "10.1.1.1") {
				t.Errorf("told %d times: %s", n, &log)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		var log strings.Builder
		g := New(Config{TrustedProxies: tenNetwork}, zerolog.New(&log))
		h := g.BrowserRules(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, refuse)
		for _, path := range []string{"/livez", "/readyz"} {
			h.ServeHTTP(httptest.NewRecorder(), request(from("10.1.1.1:1"), func(r *http.Request) { r.URL.Path = path }))
		}
		if log.Len() > 0 {
			t.Errorf("told of a health check: %s", &log)
		}
		for range 3 {
			h.ServeHTTP(httptest.NewRecorder(), request(from("10.1.1.1:1")))
		}
		if n := strings.Count(log.String(), "does not say who the client is"); n != 1 {
			t.Errorf("told %d times: %s", n, &log)
		}
	})
}

// TestBelowAPrefix: paths of ours in headers are below the prefix that a trusted proxy tells, and
// nobody else.
func TestBelowAPrefix(t *testing.T) {
	g := New(Config{TrustedProxies: tenNetwork}, zerolog.Nop())
	for name, c := range map[string]struct {
		from, prefix   string
		location, link string // what the handler tells
		wantLocation   string
		wantLink       string
	}{
		"a path":           {"10.1.1.1:1", "/tickets", "/api/events/1", `</api/events?cursor=a>; rel="next"`, "/tickets/api/events/1", `</tickets/api/events?cursor=a>; rel="next"`},
		"a slash more":     {"10.1.1.1:1", "/tickets/", "/api/events/1", "", "/tickets/api/events/1", ""},
		"two proxies":      {"10.1.1.1:1", "/a, /b", "/x", "", "/a/b/x", ""},
		"the root":         {"10.1.1.1:1", "/", "/x", "</x>", "/x", "</x>"},
		"none":             {"10.1.1.1:1", "", "/x", "</x>", "/x", "</x>"},
		"a stranger":       {"203.0.113.9:1", "/tickets", "/x", "</x>", "/x", "</x>"},
		"another host":     {"10.1.1.1:1", "/tickets", "https://example.org/x", "<https://example.org/x>", "https://example.org/x", "<https://example.org/x>"},
		"a host by itself": {"10.1.1.1:1", "/tickets", "//example.org/x", "<//example.org/x>", "//example.org/x", "<//example.org/x>"},
		"relative":         {"10.1.1.1:1", "/tickets", "x", "<x>", "x", "<x>"},
		"no path":          {"10.1.1.1:1", "//evil.example", "/x", "", "/x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for what, write := range map[string]func(http.ResponseWriter){
				"status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated); w.WriteHeader(http.StatusCreated) },
				"body":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, "a"); _, _ = io.WriteString(w, "b") },
				"flush":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
			} {
				h := g.BrowserRules(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Location", c.location)
					w.Header().Set("Link", c.link)
					write(w)
				}), nil, refuse)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request(from(c.from), with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Prefix", c.prefix)))
				got := w.Result().Header
				if got.Get("Location") != c.wantLocation || got.Get("Link") != c.wantLink {
					t.Errorf("%s: Location %q, Link %q", what, got.Get("Location"), got.Get("Link"))
				}
			}
		})
	}
}

// TestOurOriginBehindAProxy: pages are ours when they are of the URL that the client used.
func TestOurOriginBehindAProxy(t *testing.T) {
	g := New(Config{TrustedProxies: tenNetwork}, zerolog.Nop())
	for name, c := range map[string]struct {
		from    string
		headers []string
		origin  string
		ours    bool
	}{
		"the host came through": {"10.1.1.1:1", nil, "http://example.com", true},
		"X-Forwarded-Host":      {"10.1.1.1:1", []string{"X-Forwarded-Host", "tickets.example.org", "X-Forwarded-Proto", "https"}, "https://tickets.example.org", true},
		"and its port":          {"10.1.1.1:1", []string{"X-Forwarded-Host", "tickets.example.org", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443"}, "https://tickets.example.org:8443", true},
		"a port in the host":    {"10.1.1.1:1", []string{"X-Forwarded-Host", "tickets.example.org:8443", "X-Forwarded-Proto", "https"}, "https://tickets.example.org:8443", true},
		"RFC 7239":              {"10.1.1.1:1", []string{"Forwarded", "for=198.51.100.1;host=tickets.example.org;proto=https"}, "https://tickets.example.org", true},
		"another port":          {"10.1.1.1:1", []string{"X-Forwarded-Host", "tickets.example.org", "X-Forwarded-Proto", "https"}, "https://tickets.example.org:8443", false},
		"another host":          {"10.1.1.1:1", []string{"X-Forwarded-Host", "tickets.example.org"}, "http://example.com", false},
		"a stranger says so":    {"203.0.113.9:1", []string{"X-Forwarded-Host", "evil.example"}, "http://evil.example", false},
	} {
		t.Run(name, func(t *testing.T) {
			options := []func(*http.Request){from(c.from), with("Origin", c.origin)}
			for i := 0; i < len(c.headers); i += 2 {
				options = append(options, with(c.headers[i], c.headers[i+1]))
			}
			w := httptest.NewRecorder()
			g.BrowserRules(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, refuse).ServeHTTP(w, request(options...))
			if ours := w.Code == http.StatusOK; ours != c.ours {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// TestTheCookieCountsForOurOwnPages: and for nobody else's, a configured origin of the same site
// included. Tokens count wherever they come from.
func TestTheCookieCountsForOurOwnPages(t *testing.T) {
	guard := identity.Alone()
	_, token := sign(t, guard)
	g := New(Config{Mode: Token, Guard: guard}, zerolog.Nop())
	type change = func(*http.Request)
	reading := func(r *http.Request) { r.Method = "GET" }
	for name, c := range map[string]struct {
		changes []change
		ours    bool
	}{
		"a program":                       {nil, true},
		"our page":                        {[]change{with("Sec-Fetch-Site", "same-origin"), with("Origin", "http://example.com")}, true},
		"our page, a form":                {[]change{with("Sec-Fetch-Site", "same-origin"), with("Origin", "null")}, true},
		"our page in an old browser":      {[]change{with("Origin", "http://example.com")}, true},
		"a person typed it":               {[]change{with("Sec-Fetch-Site", "none")}, true},
		"a followed link":                 {[]change{reading, with("Sec-Fetch-Site", "cross-site"), with("Sec-Fetch-Mode", "navigate"), with("Sec-Fetch-Dest", "document")}, true},
		"a followed link, its header":     {[]change{func(r *http.Request) { r.Method = "HEAD" }, with("Sec-Fetch-Site", "cross-site"), with("Sec-Fetch-Mode", "navigate"), with("Sec-Fetch-Dest", "document")}, true},
		"a form of the same site":         {[]change{with("Sec-Fetch-Site", "same-site"), with("Origin", "http://app.example.com"), with("Sec-Fetch-Mode", "navigate"), with("Sec-Fetch-Dest", "document")}, false},
		"a form of another site":          {[]change{with("Sec-Fetch-Site", "cross-site"), with("Origin", "http://app.example")}, false},
		"a script of the same site":       {[]change{with("Sec-Fetch-Site", "same-site"), with("Origin", "http://app.example.com"), with("Sec-Fetch-Mode", "cors")}, false},
		"a script that reads":             {[]change{reading, with("Sec-Fetch-Site", "same-site"), with("Origin", "http://app.example.com"), with("Sec-Fetch-Mode", "cors")}, false},
		"an image":                        {[]change{reading, with("Sec-Fetch-Site", "same-site"), with("Sec-Fetch-Mode", "no-cors"), with("Sec-Fetch-Dest", "image")}, false},
		"a frame":                         {[]change{reading, with("Sec-Fetch-Site", "same-site"), with("Sec-Fetch-Mode", "navigate"), with("Sec-Fetch-Dest", "iframe")}, false},
		"an old browser, another origin":  {[]change{with("Origin", "http://app.example.com")}, false},
		"an old browser, another port":    {[]change{with("Origin", "http://example.com:8080")}, false},
		"an old browser, an opaque one":   {[]change{with("Origin", "null")}, false},
		"an opaque one, and no host":      {[]change{with("Origin", "null"), to("")}, false},
		"an old browser, a script reads":  {[]change{reading, with("Origin", "http://app.example.com")}, false},
		"an old browser, two, one is us":  {[]change{with("Origin", "http://example.com"), with("Origin", "http://app.example.com")}, false},
		"a browser of the future":         {[]change{with("Sec-Fetch-Site", "same-planet"), with("Origin", "http://example.com")}, false},
		"a preflight cannot bring it but": {[]change{func(r *http.Request) { r.Method = "OPTIONS" }, with("Sec-Fetch-Site", "same-site")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			withCookie := append([]change{cookie(plainCookie, token)}, c.changes...)
			who, err := g.Admit(httptest.NewRecorder(), request(withCookie...), Reading, RequestsPerAddress)
			if c.ours && (err != nil || !who.Cookie) || !c.ours && code(t, err) != problem.Unauthenticated {
				t.Errorf("the cookie: %+v, %v", who, err)
			}
			withToken := append([]change{with("Authorization", "Bearer "+token)}, c.changes...)
			if who, err := g.Admit(httptest.NewRecorder(), request(withToken...), Reading, RequestsPerAddress); err != nil || !who.Proven {
				t.Errorf("the token: %+v, %v", who, err)
			}
			w := httptest.NewRecorder()
			g.SetCookie(w, request(c.changes...), token)
			if set := w.Header().Get("Set-Cookie") != ""; set != c.ours {
				t.Errorf("that it sets a cookie is %v", set)
			}
		})
	}
}

// TestWhatAHandlerLearnsOfTheOrigin: where the request came from is in its context, and the Host is the
// one that the client used. One that cannot be read stays as it came.
func TestWhatAHandlerLearnsOfTheOrigin(t *testing.T) {
	g := New(Config{TrustedProxies: tenNetwork}, zerolog.Nop())
	for name, c := range map[string]struct {
		changes []func(*http.Request)
		host    string
		known   bool
	}{
		"a proxy":              {[]func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-Host", "tickets.example.org:8443")}, "tickets.example.org:8443", true},
		"a host nobody reads":  {[]func(*http.Request){from("10.1.1.1:1"), to("a b")}, "a b", true},
		"a stranger says so":   {[]func(*http.Request){with("X-Forwarded-Host", "evil.example")}, "example.com", false},
		"nobody says anything": {nil, "example.com", false},
	} {
		var host string
		var o forwarded.Origin
		var known bool
		g.BrowserRules(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			host = r.Host
			o, known = forwarded.FromContext(r.Context())
		}), nil, refuse).ServeHTTP(httptest.NewRecorder(), request(c.changes...))
		if host != c.host || known != c.known || known && o.Via != netip.MustParseAddr("10.1.1.1") {
			t.Errorf("%s: the host is %q, the origin %+v, %v", name, host, o, known)
		}
	}
}

// statuses notes what is called on an answer.
type statuses struct {
	*httptest.ResponseRecorder
	calls []string
}

func (s *statuses) WriteHeader(status int) {
	s.calls = append(s.calls, strconv.Itoa(status))
	s.ResponseRecorder.WriteHeader(status)
}

func (s *statuses) Write(data []byte) (int, error) {
	s.calls = append(s.calls, string(data))
	return s.ResponseRecorder.Write(data)
}

func (s *statuses) Flush() { s.calls = append(s.calls, "flush") }

// TestAnAnswerBelowAPrefixComesAsItWasGiven: with its one status, and the informational ones before it.
func TestAnAnswerBelowAPrefixComesAsItWasGiven(t *testing.T) {
	g := New(Config{TrustedProxies: tenNetwork}, zerolog.Nop())
	flush := func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
	write := func(w http.ResponseWriter) { _, _ = io.WriteString(w, "a") }
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   string
	}{
		"a status and a body":  {func(w http.ResponseWriter) { w.WriteHeader(201); write(w); write(w); flush(w) }, "201 a a flush"},
		"a status and a flush": {func(w http.ResponseWriter) { w.WriteHeader(201); flush(w) }, "201 flush"},
		"a body":               {func(w http.ResponseWriter) { write(w); write(w) }, "200 a a"},
		"a flush":              {func(w http.ResponseWriter) { flush(w); flush(w); write(w) }, "200 flush flush a"},
		"early hints":          {func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(200) }, "103 200"},
	} {
		s := &statuses{ResponseRecorder: httptest.NewRecorder()}
		g.BrowserRules(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.answer(w) }), nil, refuse).
			ServeHTTP(s, request(from("10.1.1.1:1"), with("X-Forwarded-Prefix", "/tickets")))
		if got := strings.Join(s.calls, " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	w := &below{ResponseWriter: httptest.NewRecorder(), prefix: "/tickets"}
	w.Header().Set("Location", "/early")
	w.WriteHeader(http.StatusEarlyHints)
	if got := w.Header().Get("Location"); got != "/early" {
		t.Errorf("before the answer Location is %q", got)
	}
	w.WriteHeader(http.StatusCreated)
	w.WriteHeader(http.StatusCreated)
	if got := w.Header().Get("Location"); got != "/tickets/early" {
		t.Errorf("Location is %q", got)
	}
}
