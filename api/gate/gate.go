// Package gate stands before the handlers of the API: it finds out who sent a request, counts
// the request against its rate limit, and keeps browsers from being used against their people.
//
// Who may call a route and what counts is said by the route's row, in [Access] and [Limit]. What one
// may do with an event or a person is the handler's to ask, with the [Caller] that [Gate.Admit] returns.
package gate

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/throttle"
)

// Mode says whose word counts.
type Mode int

// The modes.
const (
	// Trusted believes the ids in bodies: for the original's clients on one's own machine,
	// and behind a gateway that knows who is asking. A token that is sent is checked all
	// the same, and then its person's rights rule.
	Trusted Mode = iota
	// Token believes nobody without a token.
	Token
)

// Config says who may do what. The zero value trusts everybody, with tokens that are good
// in this process only.
type Config struct {
	Mode Mode
	// Guard signs and checks the tokens, and stays the caller's. nil: identity.Alone().
	Guard *identity.Guard
	// Provers believe the tokens of others, beside those of Guard. They stay the caller's.
	Provers []identity.Prover
	// APIKeys believes keys of programs. nil: nobody has any. It stays the caller's.
	APIKeys *identity.APIKeys
	// Identity are headers in which TrustedProxies say who sends a request. None: nobody does.
	Identity IdentityHeaders
	// RateLimits turns the rate limits on, and slows down who guesses passwords.
	RateLimits bool
	// Rates are the numbers of the rate limits. The zero value means DefaultRates.
	Rates Rates
	// LongestPause is how long nobody has a turn after a wrong password for an account that is being
	// guessed at, at most: well below the time that a request has. Default 3 s.
	LongestPause time.Duration
	// Admissions checks that who registers was admitted by a gateway. nil: nobody needs to be. It
	// stays the caller's.
	Admissions *identity.Admissions
	// Crowds are networks with limits of their own.
	Crowds Crowds
	// Local says that in trusted mode the process serves its own machine only: what a proxy
	// has handed on, what came from elsewhere, and what was sent to a foreign name is refused.
	Local bool
	// AnotherUser reports, with Local, whether a request's connection is of another user of the
	// machine than the process's own. It gets the request's context. nil: all users of the machine
	// are believed.
	AnotherUser func(context.Context) bool
	// Hosts are further names, in lower case and without a port, by which the machine's own
	// people call the process in trusted mode. Without Local any one restricts it to them.
	Hosts []string
	// TrustedProxies are believed when they say who the client is and by which URL it came:
	// see package forwarded. None: those headers are ignored.
	TrustedProxies []netip.Prefix
	// CORSOrigins, each scheme://host[:port], are the other origins whose scripts may use
	// the API, with tokens and never with cookies. None: no others.
	CORSOrigins []*url.URL
	// CORSHeaders are headers that these scripts may send beside those that are always allowed.
	// * means all.
	CORSHeaders []string
}

// Gate admits requests. It is safe for concurrent use.
type Gate struct {
	mode       Mode
	guard      *identity.Guard
	provers    []identity.Prover
	keys       *identity.APIKeys // one of the provers; nil: nobody has any
	identity   IdentityHeaders
	limits     *limits              // nil: nothing is limited
	guesses    *throttle.Accounts   // nil: nothing is limited
	admissions *identity.Admissions // nil: nobody needs to be admitted
	local      bool
	another    func(context.Context) bool
	hosts      []string
	proxies    []netip.Prefix
	origins    []string
	// corsHeaders are those of Config.
	corsHeaders []string
	log         zerolog.Logger

	unknownProxy sync.Once // warns of a proxy that nobody has configured
	noted        sync.Map  // what else was warned of, once: headers and sentences, a closed set
}

// New makes a gate.
func New(config Config, log zerolog.Logger) *Gate {
	g := &Gate{mode: config.Mode, guard: config.Guard, provers: config.Provers, identity: config.Identity, admissions: config.Admissions, local: config.Local, another: config.AnotherUser, hosts: config.Hosts, proxies: config.TrustedProxies, corsHeaders: config.CORSHeaders, log: log}
	if g.guard == nil {
		g.guard = identity.Alone()
	}
	if g.keys = config.APIKeys; g.keys != nil {
		g.provers = append(slices.Clip(g.provers), g.keys)
	}
	if config.RateLimits {
		g.limits = newLimits(cmp.Or(config.Rates, DefaultRates()), config.Crowds)
		g.guesses = throttle.New(throttle.Config{LongestPause: config.LongestPause, Log: log})
	}
	for _, origin := range config.CORSOrigins {
		g.origins = append(g.origins, origin.Scheme+"://"+origin.Host)
	}
	return g
}

// Guard returns what signs, checks and revokes the tokens.
func (g *Gate) Guard() *identity.Guard { return g.guard }

// Keys returns what believes keys of programs; nil: nobody has any.
func (g *Gate) Keys() *identity.APIKeys { return g.keys }

// Admit counts a request of a route and finds out who sent it. It fails with the problem RateLimited,
// and otherwise with Unauthenticated, or Forbidden where the proof is not good for the route; the first one takes precedence, so that tokens cannot be
// guessed without end. The caller on a route for
// Anybody is the zero Caller: nobody has looked. Who was proven and is refused is returned with the
// error, for the log.
func (g *Gate) Admit(w http.ResponseWriter, r *http.Request, access Access, limit Limit) (Caller, error) {
	var who Caller
	var denied error
	if access != Anybody {
		if who, denied = g.caller(r); denied == nil {
			denied = access.admits(who)
		}
	}
	if err := g.count(w, r, limit, who, 1); err != nil {
		return who, err
	}
	return who, denied
}
