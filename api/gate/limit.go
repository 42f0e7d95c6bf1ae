package gate

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"

	"github.com/eventio/eventio/api/problem"
)

// rateWindow is the time that all limits speak of.
const rateWindow = time.Minute

// Rates are the rate limits: requests in a minute.
type Rates struct {
	// Requests bounds everything without a limit of its own, by address or person. It is
	// generous: a whole campus may come from one address.
	Requests int
	// Registrations bounds changes of registrations by one person: far above what a person does
	// and far below a bot.
	Registrations int
	// Passwords bounds log-ins, sign-ups and changes of passwords together, by address.
	Passwords int
	// PasswordsPerAccount bounds them for one account from one address. It counts the two
	// together so that a stranger locks nobody out but themself.
	PasswordsPerAccount int
}

// DefaultRates returns the limits that docs/operations.md lists.
func DefaultRates() Rates {
	return Rates{Requests: 6000, Registrations: 120, Passwords: 60, PasswordsPerAccount: 10}
}

// limits has a counter for each of Rates.
type limits struct {
	requests, registrations, passwords, account *httprate.RateLimiter

	least int // the lowest limit by which lists are counted
}

func newLimits(r Rates) *limits {
	return &limits{
		requests: newLimiter(r.Requests), registrations: newLimiter(r.Registrations),
		passwords: newLimiter(r.Passwords), account: newLimiter(r.PasswordsPerAccount), least: r.Requests,
	}
}

// newLimiter makes a counter that tells its state in the RateLimit headers of each answer.
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
		return problem.New(problem.RateLimited)
	}
	return nil
}

// Limit says what the requests of a route count against.
type Limit int

// The limits that a route can have. The zero value is none of them.
const (
	_ Limit = iota
	// Unlimited is for probes, which are answered whatever else goes on.
	Unlimited
	// RequestsPerAddress counts by the client's address.
	RequestsPerAddress
	// RequestsPerPerson counts by the person whom a token proves, since everybody on a campus
	// behind one address may look up their own registration at once; anybody else by address.
	RequestsPerPerson
	// RegistrationsPerPerson counts changes of registrations by the person whom a token proves, far
	// below what one may read. Anybody else counts by address, like all their other requests.
	RegistrationsPerPerson
	// PasswordsPerAddress counts uses of passwords by address. The handler also counts the
	// account, which only the body tells, with Gate.CountAccount.
	PasswordsPerAddress
)

// count counts a request, and fails when its limit is used up.
func (g *Gate) count(w http.ResponseWriter, r *http.Request, l Limit, who Caller) error {
	if g.limits == nil || l == Unlimited {
		return nil
	}
	byPerson := who.Proven && (l == RequestsPerPerson || l == RegistrationsPerPerson)
	if byPerson {
		limiter := g.limits.requests
		if l == RegistrationsPerPerson {
			limiter = g.limits.registrations
		}
		return pass(w, r, limiter, "person "+string(who.ID[:]))
	}
	limiter := g.limits.requests
	if l == PasswordsPerAddress {
		limiter = g.limits.passwords
	}
	return pass(w, r, limiter, g.clientAddress(r))
}

// Charge counts a request that was admitted as more requests, because of what it costs. A limit below
// that is used up by it. It fails with the problem RateLimited.
func (g *Gate) Charge(w http.ResponseWriter, r *http.Request, l Limit, who Caller, more int) error {
	if more <= 0 || g.limits == nil {
		return nil
	}
	return g.count(w, r.WithContext(httprate.WithIncrement(r.Context(), min(more, g.limits.least-1))), l, who)
}

// CountAccount counts a use of a password for an account from the client's address. It fails with
// the problem RateLimited.
func (g *Gate) CountAccount(w http.ResponseWriter, r *http.Request, account string) error {
	if g.limits == nil {
		return nil
	}
	return pass(w, r, g.limits.account, g.clientAddress(r)+" "+account)
}

// clientAddress returns what limits count by: an IPv4 address, or the /64 of an IPv6 address,
// since a client has all of that.
func (g *Gate) clientAddress(r *http.Request) string {
	if address := middleware.GetClientIP(r.Context()); address != "" {
		return httprate.CanonicalizeIP(address)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return httprate.CanonicalizeIP(host)
}
