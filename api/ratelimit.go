package api

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"

	"github.com/eventio/eventio/internal/fairqueue"
)

// rateWindow is the time that all limits speak of.
const rateWindow = time.Minute

// The limits: requests in rateWindow. docs/operations.md has the same table.
const (
	// anyPerAddress is generous: a whole campus may come from one address.
	anyPerAddress = 6000
	// registrationsPerPerson is far above what a person does and far below a bot.
	registrationsPerPerson = 120
	// passwordsPerAddress bounds log-ins, sign-ups and changes of passwords together.
	passwordsPerAddress = 60
	// passwordsPerAccount bounds them for one account from one address. It counts the two
	// together so that a stranger locks nobody out but themself.
	passwordsPerAccount = 10
)

// limits count requests. nil limits nothing.
type limits struct {
	any, passwords, account, person *httprate.RateLimiter
}

func newLimits() *limits {
	return &limits{
		any: newLimiter(anyPerAddress), passwords: newLimiter(passwordsPerAddress),
		account: newLimiter(passwordsPerAccount), person: newLimiter(registrationsPerPerson),
	}
}

func newLimiter(requests int) *httprate.RateLimiter {
	return httprate.NewRateLimiter(requests, rateWindow, httprate.WithResponseHeaders(httprate.ResponseHeaders{
		Limit: "Ratelimit-Limit", Remaining: "Ratelimit-Remaining", Reset: "Ratelimit-Reset", RetryAfter: "Retry-After",
	}))
}

// pass counts a request against a limit, and fails when it is used up.
func pass(w http.ResponseWriter, r *http.Request, limiter *httprate.RateLimiter, key string) error {
	refused := limiter.OnLimit(w, r, key)
	// The library says when the window ends; the header is the time until then (RateLimit
	// header fields for HTTP, draft 7, section 5.3).
	if end, err := strconv.ParseInt(w.Header().Get("Ratelimit-Reset"), 10, 64); err == nil {
		w.Header().Set("Ratelimit-Reset", strconv.FormatInt(max(0, end-time.Now().Unix()), 10))
	}
	if refused {
		return problem(CodeRateLimited, "Too many requests; try again after the time in Retry-After.")
	}
	return nil
}

// limited puts a route under the limit for its client's address.
func (a *API) limited(pattern string, handle handler) handler {
	l := a.gate.limits
	if l == nil || pattern == "/livez" || pattern == "/readyz" {
		return handle
	}
	limiter := l.any
	switch pattern {
	case "/api/events/{id}/registrations", "/api/events/{id}/registrations/{user_id}":
		// The burst is what this service is for, and a thousand people may share an address:
		// these count by person.
		return handle
	case "/api/users", "/api/login", "/api/users/{user_id}/password":
		limiter = l.passwords
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := pass(w, r, limiter, a.gate.clientAddress(r)); err != nil {
			return err
		}
		return handle(w, r)
	}
}

// passAccount counts a use of a password for an account from the client's address.
func (g *gate) passAccount(w http.ResponseWriter, r *http.Request, account string) error {
	if g.limits == nil {
		return nil
	}
	return pass(w, r, g.limits.account, g.clientAddress(r)+" "+account)
}

// passPerson counts a registration by somebody who is proven.
func (g *gate) passPerson(w http.ResponseWriter, r *http.Request, who caller) error {
	if g.limits == nil || !who.proven {
		return nil
	}
	return pass(w, r, g.limits.person, string(who.ID[:]))
}

// clientAddress is what limits count by: an IPv4 address, or the /64 of an IPv6 address,
// since a client has all of that.
func (g *gate) clientAddress(r *http.Request) string {
	if address := middleware.GetClientIP(r.Context()); address != "" {
		return httprate.CanonicalizeIP(address)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return httprate.CanonicalizeIP(host)
}

// stranger returns the party of a client who has proven nothing, which takes turns at hashing
// with others. Clients whose address is not known share one.
func (g *gate) stranger(r *http.Request) fairqueue.Party {
	address, _ := netip.ParseAddr(g.clientAddress(r)) // invalid: not known
	return fairqueue.Stranger(address)
}
