package api

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Mode says whose word counts.
type Mode int

const (
	// Trusted believes the ids in bodies: for the original's clients on one's own machine,
	// and behind a gateway that knows who is asking. A token that is sent is checked all
	// the same, and then its person's rights rule.
	Trusted Mode = iota
	// Token believes nobody without a token.
	Token
)

// Access says who may do what. The zero value trusts everybody, with tokens that are good
// in this process only.
type Access struct {
	Mode Mode
	// Guard signs and checks the tokens, and stays the caller's. nil: identity.Alone().
	Guard *identity.Guard
	// RateLimits turns the rate limits on.
	RateLimits bool
	// Rates are their numbers. The zero value is that of docs/operations.md.
	Rates Rates
	// TrustedProxies are believed when they say in X-Forwarded-For who the client is, and
	// in X-Forwarded-Proto how it came. None: those headers are ignored.
	TrustedProxies []netip.Prefix
	// CORSOrigins, each scheme://host[:port], are the other origins whose scripts may use
	// the API, with tokens and never with cookies. None: no others.
	CORSOrigins []*url.URL
}

// access says who may call a route.
type access int

// Who may call a route. The zero value is nobody of them.
const (
	_ access = iota
	// anybody needs no token, and one that is sent is not looked at.
	anybody
	// tokenHolders prove by a token who they are. In trusted mode it may be left out.
	tokenHolders
)

// gate is what stands before the routes.
type gate struct {
	mode    Mode
	guard   *identity.Guard
	limits  *limits
	proxies []netip.Prefix
	origins []string
	log     zerolog.Logger
	unasked sync.Once // warns of a proxy that nobody has configured
}

func newGate(access Access, log zerolog.Logger) *gate {
	g := &gate{mode: access.Mode, guard: access.Guard, proxies: access.TrustedProxies, log: log}
	if g.guard == nil {
		g.guard = identity.Alone()
	}
	if access.RateLimits {
		g.limits = newLimits(cmp.Or(access.Rates, defaultRates()))
	}
	for _, origin := range access.CORSOrigins {
		g.origins = append(g.origins, origin.Scheme+"://"+origin.Host)
	}
	return g
}

// caller is who sent a request, as far as that is proven.
type caller struct {
	identity.Person
	proven bool
	cookie bool // by a cookie, not by a header
}

// errUnauthenticated is the one answer to whoever is not believed: none of them learns what
// was wrong with the token.
func errUnauthenticated() *problem.Problem {
	return problem.New(problem.Unauthenticated)
}

// caller finds out who sent a request. Without a token it fails in token mode, and is
// somebody unproven in trusted mode.
func (g *gate) caller(r *http.Request) (caller, error) {
	token, cookie, ok := g.credentials(r)
	if !ok || token == "" && g.mode == Token {
		return caller{}, errUnauthenticated()
	}
	if token == "" {
		return caller{}, nil
	}
	person, err := g.guard.Check(token)
	if err != nil {
		return caller{}, errUnauthenticated()
	}
	return caller{person, true, cookie}, nil
}

// credentials finds the token of a request: in the Authorization header, else in the
// cookie; empty when there is none. They are not ok when nobody can say what is meant.
func (g *gate) credentials(r *http.Request) (token string, cookie, ok bool) {
	headers := r.Header["Authorization"]
	if len(headers) > 1 {
		return "", false, false
	}
	if len(headers) == 1 {
		scheme, token, _ := strings.Cut(headers[0], " ")
		switch {
		case strings.EqualFold(scheme, "Bearer") && token != "":
			return token, false, true
		case g.mode == Trusted && !strings.EqualFold(scheme, "Bearer"):
			return "", false, true // what a gateway itself was sent is not our matter
		}
		return "", false, false
	}
	switch cookies := r.CookiesNamed(g.cookieName(r)); len(cookies) {
	case 0:
		return "", false, true
	case 1:
		return cookies[0].Value, true, cookies[0].Value != ""
	}
	return "", false, false
}

// actor reads the id of the user that a request acts for. Whoever is proven may leave it out.
func (c caller) actor(f *input.Fields, field string, id *string) store.ID {
	switch {
	case id != nil:
		return f.ID(field, *id)
	case c.proven:
		return c.ID
	}
	return f.ID(field, "")
}

// acting is the caller in a role, for the workers: who acts for the user with this id (zero:
// for none) and is not proven is told as such.
func (c caller) acting(role messages.ActorKind, user store.ID) messages.Actor {
	if !c.proven {
		return messages.Actor{Kind: messages.ActorUnproven, ID: user}
	}
	return messages.Actor{Kind: role, ID: c.ID}
}

// mayBe is nil unless the caller is proven to be somebody else.
func (c caller) mayBe(user store.ID, detail string) error {
	if c.proven && c.ID != user {
		return problem.Newf(problem.Forbidden, "%s", detail)
	}
	return nil
}

// scope is what an idempotency key belongs to: the route, and the caller if they are proven.
func (c caller) scope(route string) string {
	if !c.proven {
		return route
	}
	return route + " " + c.ID.Hex()
}
