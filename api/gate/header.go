package gate

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// IdentityHeaders are the headers in which a trusted proxy says who sends a request, in their canonical
// form. The zero value has none.
type IdentityHeaders struct {
	// ID names the person, in the same way for ever.
	ID string
	// Email and Name, which may be empty, are noted when the person comes for the first time. The
	// proxy answers for the address.
	Email, Name string
}

// maxIdentity is the longest name of a person in IdentityHeaders.ID, in bytes, as that of a subject.
const maxIdentity = 255

// named is whom a trusted proxy has named.
type named struct {
	person identity.Person
	clear  bool // otherwise nobody can tell whom
}

type namedKey struct{}

// readIdentity takes the identity headers out of a request, and keeps whom they name when a trusted proxy has
// sent them. Of everybody else they are what a stranger says.
func (g *Gate) readIdentity(r *http.Request) *http.Request {
	h := g.identity
	if h.ID == "" {
		return r
	}
	take := func(name string) []string {
		values := r.Header[name]
		delete(r.Header, name)
		return values
	}
	ids, emails, names := take(h.ID), take(h.Email), take(h.Name)
	switch {
	case len(ids)+len(emails)+len(names) == 0:
		return r
	case !g.fromProxy(r):
		g.noteStranger(r)
		return r
	case len(ids) == 0 || len(ids) == 1 && ids[0] == "": // the proxy knows nobody
		return r
	}
	who := named{clear: len(ids) == 1 && plain(ids[0], maxIdentity)}
	if who.clear {
		who.person = identity.Person{
			ID: foreign.ID(foreign.Gateway, ids[0]), Proof: store.ProofHeader, Scopes: identity.OtherScopes,
			Profile: identity.Profile{Name: only(names), Email: only(emails)},
		}
	}
	return r.WithContext(context.WithValue(r.Context(), namedKey{}, who))
}

// IsNamed reports whether a trusted proxy has said who sends the request with this context, which has come
// through a Gate.
func IsNamed(ctx context.Context) bool {
	_, found := ctx.Value(namedKey{}).(named)
	return found
}

// plain reports whether a value can name somebody.
func plain(value string, most int) bool {
	return len(value) <= most && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}

// only returns the value of a header that was sent once; what it is good for is seen when it is noted.
func only(values []string) string {
	if len(values) != 1 || !plain(values[0], 4*maxIdentity) {
		return ""
	}
	return values[0]
}

// noteStranger warns, once, of an identity header that no trusted proxy has sent.
func (g *Gate) noteStranger(r *http.Request) {
	if _, noted := g.noted.LoadOrStore(g.identity, true); !noted {
		g.log.Warn().Str("from", r.RemoteAddr).Str("header", g.identity.ID).Msg("security: a request that is of no proxy in EVENTIO_TRUSTED_PROXIES " +
			"has said who sends it, which does not count. If it is of your gateway, name its network there; else somebody has tried to be somebody else")
	}
}

// byHeader returns whom a trusted proxy has named, if it has.
func (g *Gate) byHeader(r *http.Request) (who named, found bool) {
	if g.identity.ID == "" {
		return named{}, false
	}
	who, found = r.Context().Value(namedKey{}).(named)
	return who, found
}
