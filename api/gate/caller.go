package gate

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// Caller is who sent a request, as far as that is known. The zero value is nobody, who may act for
// nobody.
type Caller struct {
	identity.Person      // zero unless Proven
	Proven          bool // in whatever way: see Person.Proof
	Cookie          bool // a token of ours came in a cookie, not in a header
	believed        bool // without a proof: whoever the request says it is for
}

// ActsFor reports whether the caller may act for the user: it is the user, or somebody unproven in
// trusted mode, who is believed.
func (c Caller) ActsFor(user store.ID) bool {
	if c.Proven {
		return c.ID == user
	}
	return c.believed
}

// Require returns the problem Forbidden, with a detail for the client, when the caller may not act
// for the user.
func (c Caller) Require(user store.ID, detail string) error {
	if c.ActsFor(user) {
		return nil
	}
	return problem.Newf(problem.Forbidden, "%s", detail)
}

// RequireFresh returns the problem LoginTooOld unless the caller has logged in within the last FreshFor. It is for what cannot be undone, in trusted mode too.
func (c Caller) RequireFresh(now time.Time) error {
	if c.Proven && now.Sub(c.LoginAt) <= FreshFor {
		return nil
	}
	return problem.New(problem.LoginTooOld)
}

// FreshFor is how long a log-in counts as a fresh one.
const FreshFor = 5 * time.Minute

// Sender returns who sent a request, on a route for Anybody; it is not proven when nobody is.
func (g *Gate) Sender(r *http.Request) Caller {
	who, err := g.caller(r)
	if err != nil {
		return Caller{}
	}
	return who
}

// Recheck fails when the caller of a request that was admitted may not go on by now: their token has
// expired, or was ended.
func (g *Gate) Recheck(r *http.Request) error {
	_, err := g.caller(r)
	return err
}

// caller finds out who sent a request. Without a token it fails in token mode, and returns
// somebody who is believed in trusted mode. Its error is always the same: nobody learns what is wrong
// with a token.
func (g *Gate) caller(r *http.Request) (Caller, error) {
	if named, found := g.byHeader(r); found { // the gateway knows better than what it hands on
		if !named.clear {
			return Caller{}, problem.New(problem.Unauthenticated).Because(errUnclear)
		}
		person, err := g.guard.Settle(named.person)
		if err != nil {
			return Caller{}, problem.New(problem.Unauthenticated).Because(err)
		}
		return Caller{Person: person, Proven: true}, nil
	}
	token, cookie, ok := g.credentials(r)
	if !ok {
		return Caller{}, problem.New(problem.Unauthenticated).Because(errUnclear)
	}
	if token == "" && g.mode == Token {
		return Caller{}, problem.New(problem.Unauthenticated)
	}
	if token == "" {
		return Caller{believed: true}, nil
	}
	person, err := g.check(token, cookie)
	if errors.Is(err, identity.ErrUnsettled) {
		return Caller{}, problem.New(problem.Overloaded).Because(err)
	}
	if err != nil {
		return Caller{}, problem.New(problem.Unauthenticated).Because(err)
	}
	return Caller{Person: person, Proven: true, Cookie: cookie}, nil
}

// check returns whom a token proves, by whoever knows tokens of its kind. Cookies have ours only.
func (g *Gate) check(token string, cookie bool) (identity.Person, error) {
	for _, p := range g.provers {
		if !cookie && p.Owns(token) {
			person, err := p.Check(token)
			if err != nil {
				return identity.Person{}, err
			}
			return g.guard.Settle(person)
		}
	}
	return g.guard.Check(token)
}

// errUnclear is the cause when it is not clear which token counts, or whom a gateway names.
var errUnclear = errors.New("it is not clear which token counts")

// RefusedToken tells, for the log, what was wrong with the token that a request brought: expired,
// ended, invalid or unclear. It is empty for a problem that is not about a token that was sent.
func RefusedToken(p *problem.Problem) string {
	switch {
	case p.Code != problem.Unauthenticated:
		return ""
	case errors.Is(p.Cause, errUnclear):
		return "unclear"
	case errors.Is(p.Cause, identity.ErrExpired):
		return "expired"
	case errors.Is(p.Cause, identity.ErrEnded):
		return "ended"
	case errors.Is(p.Cause, identity.ErrInvalid):
		return "invalid"
	}
	return ""
}

// credentials finds the token of a request: in the Authorization header, else in the
// cookie, if the request is of our own pages; empty when there is none. It is not ok when it
// is not clear which one counts.
func (g *Gate) credentials(r *http.Request) (token string, cookie, ok bool) {
	headers := r.Header["Authorization"]
	if len(headers) > 1 {
		return "", false, false
	}
	if len(headers) == 1 {
		scheme, token, _ := strings.Cut(headers[0], " ")
		switch {
		case strings.EqualFold(scheme, "Bearer") && token != "":
			return token, false, true
		case !strings.EqualFold(scheme, "Bearer"):
			return "", false, true // it is meant for a gateway before this process
		}
		return "", false, false
	}
	if !ownPage(r) {
		return "", false, true
	}
	switch cookies := r.CookiesNamed(g.cookieName(r)); len(cookies) {
	case 0:
		return "", false, true
	case 1:
		return cookies[0].Value, true, cookies[0].Value != ""
	}
	return "", false, false
}
