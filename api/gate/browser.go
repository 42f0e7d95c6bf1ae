package gate

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5/middleware"
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

// SetCookie gives the browser a token; an empty one takes it away.
func (g *Gate) SetCookie(w http.ResponseWriter, r *http.Request, token string) {
	c := &http.Cookie{ //nolint:gosec // not Secure over plain HTTP, which secure finds out
		Name: g.cookieName(r), Value: token, Path: "/", MaxAge: int(g.guard.Lifetime() / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: g.secure(r),
	}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// secure reports whether the client came by TLS, as far as we or a trusted proxy know.
func (g *Gate) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return r.Header.Get("X-Forwarded-Proto") == "https" && g.fromProxy(r)
}

// fromProxy reports whether the request was handed on by a trusted proxy.
func (g *Gate) fromProxy(r *http.Request) bool {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // what is no address is in no prefix
	peer := from.Addr().Unmap().WithZone("")
	for _, p := range g.proxies {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// SecureHeaders returns what is on every answer of the API, whatever its status. The pages set their own.
func SecureHeaders() http.Header {
	return http.Header{
		"X-Content-Type-Options":     {"nosniff"},
		"Referrer-Policy":            {"no-referrer"},
		"Content-Security-Policy":    {"default-src 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Opener-Policy": {"same-origin"},
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
// browsers: writes from other origins go to denied, which answers ErrOrigin, and no script of another
// origin sees an answer unless its origin is configured. It also finds out the client's address
// behind trusted proxies, for the rate limits. It panics on a configured origin that is none.
func (g *Gate) BrowserRules(next, denied http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	for _, origin := range g.origins {
		if err := cross.AddTrustedOrigin(origin); err != nil {
			panic("gate: Config.CORSOrigins: " + err.Error())
		}
	}
	cross.SetDenyHandler(denied)
	h := cross.Handler(next)
	if len(g.origins) > 0 {
		h = cors.Handler(cors.Options{
			AllowedOrigins: g.origins,
			AllowedMethods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
			AllowedHeaders: []string{"Authorization", "Content-Type", HeaderAdmission, "Idempotency-Key", "If-Match", "If-None-Match", "X-Request-Id"},
			ExposedHeaders: []string{"ETag", "Link", "Location", "Retry-After", "X-Request-Id",
				"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
			MaxAge: 600,
		})(h)
	}
	if len(g.proxies) > 0 {
		var prefixes []string
		for _, p := range g.proxies {
			prefixes = append(prefixes, p.String())
		}
		h = middleware.ClientIPFromXFF(prefixes...)(h)
	}
	return g.noteTransport(h)
}

// noteTransport tells browsers to stay on TLS, and warns once of a proxy that nobody has configured.
func (g *Gate) noteTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.secure(r) {
			w.Header().Set("Strict-Transport-Security", hstsValue)
		}
		if g.limits != nil && len(g.proxies) == 0 && r.Header["X-Forwarded-For"] != nil {
			g.unknownProxy.Do(func() {
				g.log.Warn().Msg("a request has X-Forwarded-For, which is ignored: if a proxy stands before this process, " +
					"name it in EVENTIO_TRUSTED_PROXIES, or all its clients share the rate limits of one address")
			})
		}
		next.ServeHTTP(w, r)
	})
}
