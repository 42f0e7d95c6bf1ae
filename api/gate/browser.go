package gate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/cors"

	"github.com/eventio/eventio/api/problem"
)

// The cookie of the pages holds a token. Under TLS the prefix makes browsers refuse one
// that another host of the domain has set (RFC 6265bis, section 4.1.3.2).
const (
	plainCookie  = "eventio_token"
	secureCookie = "__Host-" + plainCookie
)

// cookieName returns the name of the cookie for a request.
func (g *Gate) cookieName(r *http.Request) string {
	if g.secure(r) {
		return secureCookie
	}
	return plainCookie
}

// SetCookie gives the browser a token; an empty one takes it away. A page of another origin
// changes nothing: it may use tokens, and must not log anybody in or out here.
func (g *Gate) SetCookie(w http.ResponseWriter, r *http.Request, token string) {
	if !ownPage(r) {
		return
	}
	c := &http.Cookie{ //nolint:gosec // not Secure over plain HTTP, which secure finds out
		Name: g.cookieName(r), Value: token, Path: "/", MaxAge: int(g.guard.Lifetime() / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: g.secure(r),
	}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// ownPage reports whether a request is of a page of ours, or of what is no browser: only then the
// cookie counts. Where a browser says that a page of another origin sent it, even a configured one
// of the same site, or a host beside ours whose requests SameSite lets pass, the cookie does not.
// Links are followed with the cookie wherever they stand, to a page that only its reader sees.
func ownPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return true
	case "": // an old browser, which tells the origin of changes and of scripts, or none
		for _, origin := range r.Header["Origin"] {
			if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
				return false
			}
		}
		return true
	}
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	return safe && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// secure reports whether the client came by TLS, as far as we or a trusted proxy know.
func (g *Gate) secure(r *http.Request) bool {
	if len(g.proxies) == 0 { // what origin says then, without reading addresses
		return r.TLS != nil
	}
	return g.origin(r).Scheme == "https"
}

// headerCORP keeps what is embedded without CORS, like images and scripts, to our own pages (Fetch
// standard). It is on every answer, whoever makes it.
const headerCORP = "Cross-Origin-Resource-Policy"

// ownPages is the value of headerCORP, for all answers. Nobody changes it.
var ownPages = []string{"same-origin"}

// SecureHeaders returns what is on every answer of the API, whatever its status. The pages set their own.
func SecureHeaders() http.Header {
	return http.Header{
		"X-Content-Type-Options":     {"nosniff"},
		"Referrer-Policy":            {"no-referrer"},
		"Content-Security-Policy":    {"default-src 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		headerCORP:                   ownPages,
	}
}

// hstsValue keeps browsers on TLS for a year. It says nothing of other hosts of the domain,
// which are not ours.
const hstsValue = "max-age=31536000"

// ErrOrigin returns the problem of a write that a page of another origin has sent.
func ErrOrigin() error {
	return problem.Newf(problem.Forbidden, "Pages of this origin may not send requests; the operator can allow it with EVENTIO_CORS_ORIGINS.")
}

// BrowserRules wraps everything, pages too, in what protects people from other pages in their
// browsers: writes from other origins are refused, and no script of another origin sees an answer
// unless its origin is configured. In trusted mode it keeps out who may not be believed. It also
// finds out where a request came from, behind trusted proxies. Scripts of configured origins may
// read the exposed headers. refuse answers with an error. It panics on a configured origin that is
// none.
func (g *Gate) BrowserRules(next http.Handler, exposed []string, refuse func(error) http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	for _, origin := range g.origins {
		if err := cross.AddTrustedOrigin(origin); err != nil {
			panic("gate: Config.CORSOrigins: " + err.Error())
		}
	}
	cross.SetDenyHandler(refuse(ErrOrigin()))
	h := cross.Handler(next)
	if len(g.origins) > 0 {
		h = cors.Handler(cors.Options{
			AllowedOrigins: g.origins,
			AllowedMethods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
			AllowedHeaders: append(slices.Clone(corsHeaders), g.corsHeaders...),
			ExposedHeaders: exposed,
			MaxAge:         600,
		})(h)
	}
	return g.locate(g.noteTransport(g.onlyLocal(h, refuse)))
}

// corsHeaders are what scripts of configured origins may send: what the API reads, and what libraries
// for tracing and for requests add to every request. Nothing changes them.
var corsHeaders = []string{
	"Accept", "Authorization", "Cache-Control", "Content-Type", HeaderAdmission, "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-Id", "Pragma", "Prefer",
	"Range", "X-Request-Id", "X-Requested-With",
	"Traceparent", "Tracestate", "Baggage", // W3C Trace Context and Baggage: OpenTelemetry
	"Sentry-Trace", "B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags", // Sentry, Zipkin
	"X-Datadog-Trace-Id", "X-Datadog-Parent-Id", "X-Datadog-Origin", "X-Datadog-Sampling-Priority", "X-Datadog-Tags",
	"Newrelic", "X-Newrelic-Id", "X-Newrelic-Transaction", "Elastic-Apm-Traceparent", "Uber-Trace-Id",
	"Request-Id", "Request-Context", // Application Insights
	"X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "X-Correlation-Id", "X-Xsrf-Token", "X-Csrf-Token", // axios and others send the last two by themselves
}

// noteTransport tells browsers to stay on TLS, and to let no page of another origin embed an answer.
func (g *Gate) noteTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()[headerCORP] = ownPages
		if g.secure(r) {
			w.Header().Set("Strict-Transport-Security", hstsValue)
		}
		next.ServeHTTP(w, r)
	})
}
