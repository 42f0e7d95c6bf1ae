package api

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/web"
)

func overTLS(r *http.Request) { r.TLS = &tls.ConnectionState{} }

func proxied(a *gate.Config) { a.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }

func TestTheCookieOfThePages(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, proxied)
		ada := i.newMember(t)
		seats := i.organized(t, ada) + "/registrations"
		logIn := func(options ...func(*http.Request)) *http.Cookie {
			return i.ask(t, "POST", "/api/login", logInBody(ada.email, ada.password), options...).want(t, 200, "").cookie(t)
		}
		forwarded := with("X-Forwarded-Proto", "https")
		for _, c := range []struct {
			name    string
			options []func(*http.Request)
			secure  bool
		}{
			{"plain", nil, false},
			{"TLS", []func(*http.Request){overTLS}, true},
			{"TLS at a trusted proxy", []func(*http.Request){from("10.1.1.1:1"), forwarded}, true},
			{"TLS as somebody claims", []func(*http.Request){from("203.0.113.9:1"), forwarded}, false},
			{"no TLS at a trusted proxy", []func(*http.Request){from("10.1.1.1:1"), with("X-Forwarded-Proto", "http")}, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				got := logIn(c.options...)
				if !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" || got.Secure != c.secure || got.MaxAge != 3600 {
					t.Errorf("the cookie is %v", got)
				}
				if want := map[bool]string{true: "__Host-eventio_token", false: "eventio_token"}[c.secure]; got.Name != want {
					t.Errorf("its name is %s", got.Name)
				}
				i.ask(t, "GET", seats, "", append(c.options, cookie(got.Name, got.Value))...).want(t, 200, "")
				gone := i.ask(t, "POST", "/api/logout", "", c.options...).want(t, 204, "").cookie(t)
				if gone.Name != got.Name || gone.Value != "" || gone.MaxAge >= 0 || gone.Secure != c.secure {
					t.Errorf("logging out sets %v", gone)
				}
			})
		}
		t.Run("under TLS only the cookie that no other host can set counts", func(t *testing.T) {
			i.ask(t, "GET", seats, "", overTLS, cookie("eventio_token", ada.token)).want(t, 401, problem.Unauthenticated)
		})
		t.Run("a header goes before the cookie", func(t *testing.T) {
			i.ask(t, "GET", seats, "", cookie("eventio_token", "x"), bearer(ada.token)).want(t, 200, "")
		})
		t.Run("an ended session can log in and out again", func(t *testing.T) {
			logIn(cookie("eventio_token", "x"))
			i.ask(t, "GET", "/api/events", "", cookie("eventio_token", "x")).want(t, 200, "")
			i.ask(t, "POST", "/api/logout", "", cookie("eventio_token", "x")).want(t, 204, "")
		})
		t.Run("who changes the password stays logged in", func(t *testing.T) {
			m := i.newMember(t)
			r := i.ask(t, "POST", "/api/users/"+m.id+"/password", changeBody(m.password, "another horse battery"), cookie("eventio_token", m.token)).want(t, 204, "")
			fresh := r.cookie(t)
			i.ask(t, "POST", "/api/events", eventWith(""), cookie("eventio_token", m.token)).want(t, 401, problem.Unauthenticated)
			i.ask(t, "POST", "/api/events", eventWith(""), cookie(fresh.Name, fresh.Value)).want(t, 201, "")
		})
	})
}

// TestCrossOriginWrites: every route that changes something refuses pages of other origins,
// whatever they bring along, and no GET changes anything.
func TestCrossOriginWrites(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}).takesWebhooks()
		ada := i.newMember(t)
		event := i.organized(t, ada)
		_, hook := i.hooked(t, ada, hookBody)
		bodies := map[string]string{
			"/api/users":                     signUpBody("eve@example.org", goodPassword),
			"/api/login":                     logInBody(ada.email, ada.password),
			"/api/users/{user_id}/password":  changeBody(ada.password, "another horse battery"),
			"/api/events":                    eventWith(""),
			"/api/events/{id}/registrations": `{}`,
			"/api/events/{id}":               `{"description":"Edited."}`,
		}
		i.ask(t, "PUT", event+"/registrations/"+ada.id, "", bearer(ada.token)).want(t, 201, "")
		for _, rt := range i.table() {
			path := strings.NewReplacer("{webhook_id}", hook.ID.Hex(), "/api/events/{id}", event, "{user_id}", ada.id).Replace(rt.pattern)
			if rt.method == http.MethodGet {
				foreign, found := with("Sec-Fetch-Site", "cross-site"), 200
				if strings.Contains(path, "{token}") {
					found = 410 // of no link, which is looked at
				}
				i.ask(t, "GET", path, "", cookie("eventio_token", ada.token), foreign, with("Sec-Fetch-Mode", "navigate"), with("Sec-Fetch-Dest", "document")).want(t, found, "")
				embedded := found
				if rt.access != gate.Anybody {
					embedded = 401
				}
				i.ask(t, "GET", path, "", cookie("eventio_token", ada.token), foreign, with("Sec-Fetch-Mode", "no-cors"), with("Sec-Fetch-Dest", "image")).want(t, embedded, "")
				continue
			}
			for name, options := range map[string][]func(*http.Request){
				"cross-site":            {with("Sec-Fetch-Site", "cross-site"), with("Origin", "https://evil.example")},
				"same-site":             {with("Sec-Fetch-Site", "same-site"), with("Origin", "https://evil.example.com")},
				"an old browser":        {with("Origin", "https://evil.example")},
				"an opaque origin":      {with("Origin", "null")},
				"another port":          {with("Origin", "http://example.com:81")},
				"as text, no preflight": {with("Sec-Fetch-Site", "cross-site"), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
			} {
				t.Run(rt.pattern+"/"+name, func(t *testing.T) {
					r := i.ask(t, rt.method, path, bodies[rt.pattern], append(options, cookie("eventio_token", ada.token))...).want(t, 403, problem.Forbidden)
					if r.header.Get("Set-Cookie") != "" {
						t.Errorf("a cookie is set: %v", r.header)
					}
				})
			}
		}
		if got := i.ask(t, "GET", event+"/registrations", "", bearer(ada.token)).want(t, 200, "").body; got != `["`+ada.id+`"]` {
			t.Errorf("somebody came or went: %s", got)
		}
		if _, err := s.st.UserByEmail(t.Context(), "eve@example.org"); err == nil {
			t.Error("somebody was signed up")
		}
		for name, options := range map[string][]func(*http.Request){
			"our own page":                   {with("Sec-Fetch-Site", "same-origin"), with("Origin", "http://example.com")},
			"our own page in an old browser": {with("Origin", "http://example.com")},
			"a program":                      nil,
		} {
			t.Run(name, func(t *testing.T) {
				who := i.stranger(t)
				i.ask(t, "POST", event+"/registrations", `{}`, append(options, cookie("eventio_token", who.token))...).want(t, 201, "")
			})
		}
	})
}

func TestCORS(t *testing.T) {
	s := newSite(t, "sqlite")
	app, err := url.Parse("https://app.example.org")
	if err != nil {
		t.Fatal(err)
	}
	off, on := s.start(t, identity.Keys{}), s.start(t, identity.Keys{}, func(a *gate.Config) { a.CORSOrigins = []*url.URL{app} })
	ada := on.newMember(t)
	path := on.organized(t, ada) + "/registrations"
	preflight := func(i *instance, origin string) reply {
		return i.ask(t, "OPTIONS", path, "", with("Origin", origin), with("Access-Control-Request-Method", "POST"),
			with("Access-Control-Request-Headers", "authorization,content-type"))
	}
	actual := func(i *instance, origin string) reply {
		return i.ask(t, "POST", path, `{}`, with("Origin", origin), with("Sec-Fetch-Site", "cross-site"), bearer(i.stranger(t).token))
	}
	allowed := func(r reply) string { return r.header.Get("Access-Control-Allow-Origin") }
	t.Run("off", func(t *testing.T) {
		for _, r := range []reply{preflight(off, app.String()), actual(off, app.String())} {
			if allowed(r) != "" || r.status < 400 && r.status != 204 {
				t.Errorf("%d %v", r.status, r.header)
			}
		}
	})
	t.Run("on for a configured origin", func(t *testing.T) {
		r := preflight(on, app.String())
		if r.status >= 300 || allowed(r) != app.String() || !strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("preflight: %d %v", r.status, r.header)
		}
		r = actual(on, app.String()).want(t, 201, "")
		if allowed(r) != app.String() || !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Origin") {
			t.Errorf("actual: %v", r.header)
		}
		if r.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Error("cookies are allowed across origins")
		}
	})
	for _, origin := range []string{"https://evil.example", "https://app.example.org.evil.example", "http://app.example.org", "https://app.example.org:8443", "null"} {
		t.Run("not for "+origin, func(t *testing.T) {
			if r := preflight(on, origin); allowed(r) != "" {
				t.Errorf("preflight: %v", r.header)
			}
			if r := actual(on, origin).want(t, 403, problem.Forbidden); allowed(r) != "" {
				t.Errorf("actual: %v", r.header)
			}
		})
	}
}

// TestSecurityHeaders: on every route and on every kind of error.
func TestSecurityHeaders(t *testing.T) {
	s := newSite(t, "sqlite")
	i := s.start(t, identity.Keys{})
	ada := i.newMember(t)
	event := i.organized(t, ada)
	pages := New(s.st, nil, serve.Config{Access: gate.Config{Mode: gate.Token, Guard: i.guard}, Pages: web.Handler}, i.core.Log)
	broken := *i
	brokenAPI := New(lostAnswer{nil}, nil, serve.Config{Access: gate.Config{Mode: gate.Token, Guard: i.guard}}, i.core.Log)
	broken.API = brokenAPI
	withPages := instance{pages, i.guard}
	type call struct {
		on                 *instance
		method, path, body string
		status             int
		personal           bool
	}
	calls := []call{
		{i, "POST", "/api/users", signUpBody(store.NewID().Hex()+"@example.org", goodPassword), 201, true},
		{i, "POST", "/api/login", logInBody(ada.email, ada.password), 200, true},
		{i, "POST", "/api/login", logInBody(ada.email, "wrong horse battery"), 401, true},
		{i, "POST", "/api/logout", "", 204, true},
		{i, "POST", "/api/events", eventWith(""), 201, false},
		{i, "GET", "/api/events", "", 200, false},
		{i, "GET", event, "", 200, false},
		{i, "POST", event + "/registrations", `{}`, 201, true},
		{i, "POST", event + "/registrations", `{`, 400, true},
		{i, "GET", event + "/registrations", "", 200, true},
		{i, "POST", "/api/users/" + ada.id + "/password", `{}`, 400, true},
		{i, "GET", "/livez", "", 200, false},
		{i, "GET", "/readyz", "", 200, false},
		{i, "GET", "/nothing", "", 404, false},
		{i, "DELETE", "/api/users", "", 405, false},
		{&broken, "GET", event, "", 500, false},
		{&withPages, "GET", "/nothing", "", 404, false},
		{&withPages, "POST", "/nothing", "", 404, false},
	}
	for _, c := range calls {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			for _, secure := range []bool{false, true} {
				options := []func(*http.Request){bearer(ada.token)}
				if secure {
					options = append(options, overTLS)
				}
				body := c.body
				if c.status == 201 && c.path == "/api/users" {
					body = signUpBody(store.NewID().Hex()+"@example.org", goodPassword)
				}
				if c.status == 201 && strings.HasSuffix(c.path, "registrations") {
					options[0] = bearer(i.stranger(t).token)
				}
				if c.path == "/api/logout" { // which ends the token
					options[0] = bearer(i.stranger(t).token)
				}
				h := c.on.ask(t, c.method, c.path, body, options...).want(t, c.status, "").header
				for name, want := range map[string]string{
					"X-Content-Type-Options":       "nosniff",
					"Referrer-Policy":              "no-referrer",
					"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
					"Cross-Origin-Opener-Policy":   "same-origin",
					"Cross-Origin-Resource-Policy": "same-origin",
					"Strict-Transport-Security":    map[bool]string{true: "max-age=31536000"}[secure],
					"Server":                       "",
					"X-Powered-By":                 "",
				} {
					if got := h.Get(name); got != want || len(h.Values(name)) > 1 {
						t.Errorf("%s is %q, want %q", name, h.Values(name), want)
					}
				}
				if got := h.Get("Cache-Control"); c.personal && got != "no-store" {
					t.Errorf("Cache-Control is %q", got)
				}
			}
		})
	}
	t.Run("pages have their own policy, and HSTS too", func(t *testing.T) {
		h := withPages.ask(t, "GET", "/", "", overTLS).want(t, 200, "").header
		if h.Get("Content-Security-Policy") != web.ContentSecurityPolicy || h.Get("Strict-Transport-Security") == "" {
			t.Errorf("headers are %v", h)
		}
		for _, path := range []string{"/", "/login", "/nowhere", "/docs", "/openapi.json", "/docs/docs.css"} {
			if h := withPages.ask(t, "GET", path, "", with("Accept", "text/html")).header; h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("%s: headers are %v", path, h)
			}
		}
	})
}
