package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
)

// TestBelowAPathOfAGateway: what the API tells of itself is below the path at which a trusted gateway
// serves it; what a stranger says of a path counts for nothing.
func TestBelowAPathOfAGateway(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{}, proxied)
		ada := i.newMember(t)
		for name, c := range map[string]struct {
			from, prefix string
		}{"a trusted gateway": {"10.1.1.1:1", "/tickets"}, "a stranger": {"203.0.113.9:1", ""}} {
			t.Run(name, func(t *testing.T) {
				through := []func(*http.Request){from(c.from), with("X-Forwarded-For", "198.51.100.1"), with("X-Forwarded-Prefix", "/tickets"), bearer(ada.token)}
				is := func(r reply, header, begin string) {
					t.Helper()
					if got := r.header.Get(header); !strings.HasPrefix(got, begin) {
						t.Errorf("%s is %q, and should begin with %s", header, got, begin)
					}
				}
				var event string
				for range 2 {
					r := i.ask(t, "POST", "/api/events", eventWith(""), through...).want(t, 201, "")
					event = "/api/events/" + r.field(t, "id")
					is(r, "Location", c.prefix+event)
				}
				is(i.ask(t, "POST", event+"/registrations", `{}`, through...).want(t, 201, ""), "Location", c.prefix+event+"/registrations/"+ada.id)
				is(i.ask(t, "GET", "/api/events?limit=1", "", through...).want(t, 200, ""), "Link", "<"+c.prefix+"/api/events?")
			})
		}
		docs := i.ask(t, "GET", "/docs", "").want(t, 200, "").body
		if strings.Contains(docs, `href="/`) || strings.Contains(docs, `src="/`) {
			t.Error("the page of the documentation leads out of the path below which it is")
		}
	})
}

// TestBodiesAreUTF8: a body that says that it is in another encoding is refused on every route, and
// one that says UTF-8 in whichever way is not.
func TestBodiesAreUTF8(t *testing.T) {
	i := newSite(t, "sqlite").start(t, identity.Keys{})
	typed := func(types ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Content-Type"] = types }
	}
	for _, rt := range i.table() {
		if rt.method == http.MethodGet {
			continue
		}
		ada := i.newMember(t) // for each route: some end the member's sessions, one the member
		path := strings.NewReplacer("/api/events/{id}", i.organized(t, ada), "{user_id}", ada.id).Replace(rt.pattern)
		for _, media := range []string{
			"application/json; charset=iso-8859-1", "application/json;charset=windows-1252", `application/json; charset="UTF-16"`, "application/json; Charset=latin1",
			"application/json; charset=utf-16le", "application/json; charset=utf-32", "application/json; charset=shift_jis", "application/json; charset=utf-7",
			"application/json; charset=", `application/json; charset="utf-8`, "application/json; charset=utf-8; charset=latin1", "application/json; version=1; charset=latin1",
			"application/json; charset=utf-8-latin1", "application/json; charset*=utf-8''latin1",
		} {
			r := i.ask(t, rt.method, path, `{}`, bearer(ada.token), typed(media))
			if r.status != http.StatusUnsupportedMediaType || !strings.Contains(r.body, `"code":"`+string(problem.UnsupportedMediaType)) {
				t.Errorf("%s %s with %q: %d %s", rt.method, rt.pattern, media, r.status, r.body)
			}
		}
		if r := i.ask(t, rt.method, path, `{}`, bearer(ada.token), typed("application/json", "application/json; charset=latin1")); r.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s %s with two types: %d %s", rt.method, rt.pattern, r.status, r.body)
		}
		for _, media := range []string{"application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", `application/json; charset="utf-8"`, "application/json; charset=utf8", "application/json; charset=us-ascii"} {
			if r := i.ask(t, rt.method, path, `{}`, bearer(ada.token), typed(media)); r.status == http.StatusUnsupportedMediaType {
				t.Errorf("%s %s with %q: %d %s", rt.method, rt.pattern, media, r.status, r.body)
			}
		}
	}
}

// TestCORSHeaders: scripts of a configured origin may send what tools for tracing add by themselves
// and what a setting allows, and read every header that is documented.
func TestCORSHeaders(t *testing.T) {
	app, err := url.Parse("https://app.example.org")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "sqlite")
	start := func(names ...string) *instance {
		return s.start(t, identity.Keys{}, rateLimited, func(a *gate.Config) { a.CORSOrigins, a.CORSHeaders = []*url.URL{app}, names })
	}
	usual, added, all := start(), start("X-Tenant", "x-app-version"), start("*")
	may := func(i *instance, names string) bool {
		r := i.ask(t, "OPTIONS", "/api/events", "", with("Origin", app.String()), with("Access-Control-Request-Method", "POST"), with("Access-Control-Request-Headers", names))
		return r.header.Get("Access-Control-Allow-Origin") == app.String() && r.header.Get("Access-Control-Allow-Headers") != ""
	}
	for _, name := range []string{
		"authorization", "content-type", "accept", "idempotency-key", "if-match", "if-none-match", "x-request-id", "prefer",
		"traceparent", "tracestate", "baggage", "sentry-trace", "x-requested-with", "b3", "x-b3-traceid", "x-datadog-trace-id", "newrelic",
		"authorization,baggage,content-type,idempotency-key,sentry-trace,traceparent,tracestate,x-requested-with",
	} {
		if !may(usual, name) {
			t.Errorf("%s is not allowed", name)
		}
	}
	for _, c := range []struct {
		i    *instance
		name string
		want bool
	}{
		{usual, "x-tenant", false}, {usual, "x-forwarded-for", false}, {usual, "traceparent,x-tenant", false}, {added, "x-tenant", true},
		{added, "traceparent,x-app-version,x-tenant", true}, {added, "x-other", false}, {all, "x-other,x-tenant", true},
	} {
		if may(c.i, c.name) != c.want {
			t.Errorf("that %s is allowed is %v", c.name, !c.want)
		}
	}
	var document struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct{ Headers map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(usual.ask(t, "GET", "/openapi.json", "").want(t, 200, "").body), &document); err != nil {
		t.Fatal(err)
	}
	exposed := strings.Split(strings.ToLower(usual.ask(t, "GET", "/api/events", "", with("Origin", app.String())).want(t, 200, "").header.Get("Access-Control-Expose-Headers")), ", ")
	documented := map[string]bool{"RateLimit": true, "RateLimit-Policy": true, "Location": true, "Link": true, "ETag": true, "Retry-After": true, "Idempotency-Replayed": true, "X-Request-Id": true, "WWW-Authenticate": true}
	for _, item := range document.Paths {
		for _, operation := range item {
			for _, response := range operation.Responses {
				for name := range response.Headers {
					documented[name] = true
				}
			}
		}
	}
	for name := range documented {
		if !slices.Contains(exposed, strings.ToLower(name)) {
			t.Errorf("%s is not exposed: %v", name, exposed)
		}
	}
}

// TestTheCookieOfAConfiguredOrigin: a page of the same site whose origin is configured uses tokens, and
// never the cookie; it neither logs anybody in nor out.
func TestTheCookieOfAConfiguredOrigin(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		app, err := url.Parse("http://app.example.com")
		if err != nil {
			t.Fatal(err)
		}
		i := s.start(t, identity.Keys{}, func(a *gate.Config) { a.CORSOrigins = []*url.URL{app} })
		ada := i.newMember(t)
		event := i.organized(t, ada)
		page := func(more ...func(*http.Request)) []func(*http.Request) {
			return append([]func(*http.Request){with("Origin", app.String()), with("Sec-Fetch-Site", "same-site")}, more...)
		}
		for _, call := range []struct{ method, path, body string }{
			{"POST", event + "/cancel", ""}, {"POST", event + "/registrations", `{}`}, {"PUT", event + "/registrations/" + ada.id, ""},
			{"DELETE", event + "/registrations/" + ada.id, ""}, {"GET", event + "/registrations", ""}, {"POST", "/api/events", eventWith("")},
			{"POST", "/api/users/" + ada.id + "/password", changeBody(ada.password, "another horse battery")}, {"GET", "/api/users/" + ada.id + "/registrations", ""},
		} {
			i.ask(t, call.method, call.path, call.body, page(cookie("eventio_token", ada.token))...).want(t, 401, problem.Unauthenticated)
		}
		for _, call := range []struct {
			path, body string
			status     int
		}{{"/api/login", logInBody(ada.email, ada.password), 200}, {"/api/logout", "", 204}} {
			if r := i.ask(t, "POST", call.path, call.body, page()...).want(t, call.status, ""); r.header.Get("Set-Cookie") != "" {
				t.Errorf("%s sets %v", call.path, r.header["Set-Cookie"])
			}
		}
		i.ask(t, "POST", event+"/cancel", "", page(bearer(ada.token))...).want(t, 200, "")
	})
}
