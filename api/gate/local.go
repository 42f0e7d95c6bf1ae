package gate

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/forwarded"
)

// What a process that believes everybody on its own machine tells others, and what its operator can
// do. The log has the same.
const (
	sentenceProxied = "This service believes everybody on its own machine, so it takes no request that a proxy has handed on. " +
		"Its operator can have people log in, with EVENTIO_AUTH=token and the proxy's address in EVENTIO_TRUSTED_PROXIES."
	sentenceHost = "This service believes everybody on its own machine, so it answers to names of that machine only, such as localhost. " +
		"Its operator can add names with EVENTIO_HOSTS, or have people log in, with EVENTIO_AUTH=token."
	sentenceUser = "This service believes the user who has started it, and this connection is of another user of its machine, as those of proxies are. " +
		"Its operator can have people log in, with EVENTIO_AUTH=token and a proxy's address in EVENTIO_TRUSTED_PROXIES, " +
		"or believe all users of the machine, with EVENTIO_AUTH=trusted."
	sentencePeer = "This service believes everybody on its own machine, and this request came from elsewhere. " +
		"Its operator can have people log in, with EVENTIO_AUTH=token."
)

// onlyLocal wraps everything in trusted mode, where an address is all that is known of a client. On a
// loopback address that is not enough: a proxy or a tunnel on the same machine connects from it in the
// name of the whole internet, and so does the browser of its operator, for a page of a host whose name
// the page's owner has pointed at the machine (DNS rebinding). A request must show neither.
func (g *Gate) onlyLocal(next http.Handler, refuse func(error) http.Handler) http.Handler {
	if g.mode != Trusted || !g.local && len(g.hosts) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sentence, why := g.strange(r); sentence != "" {
			if _, noted := g.noted.LoadOrStore(sentence, true); !noted {
				g.log.Warn().Str("from", r.RemoteAddr).Str("because_of", why).Msg("security: a request in trusted mode was refused. " + sentence)
			}
			refuse(problem.Newf(problem.Forbidden, "%s", sentence)).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// strange returns the sentence about a request of which the machine's own people cannot be the senders,
// and what shows that. Of one that they may have sent it returns nothing.
func (g *Gate) strange(r *http.Request) (sentence, why string) {
	host, _ := forwarded.HostOf(r.Host)
	if g.fromProxy(r) && forwarded.Any(r) {
		// The operator trusts it. A page that has been rebound can say the same as the proxy, to the
		// proxy's own machine: so the name must be a known one where names are known.
		if len(g.hosts) == 0 {
			return "", ""
		}
		o := g.origin(r)
		switch {
		case !g.answersTo(host):
			return sentenceHost, "Host " + o.Host
		case !g.answersTo(o.Called):
			return sentenceHost, "Host " + clip(o.Called)
		}
		return g.strangePage(r)
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	switch {
	case g.local && forwarded.Any(r):
		return sentenceProxied, forwarded.Sign(r)
	case g.local && !peer.Addr().Unmap().IsLoopback():
		return sentencePeer, "the address"
	case !g.answersTo(host):
		return sentenceHost, "Host " + clip(r.Host)
	case g.local && g.another != nil && g.another(r.Context()):
		return sentenceUser, "the user"
	}
	return g.strangePage(r)
}

// strangePage is strange for what a page says: a proxy can hand on a request without a word, with a Host of its own making. A
// page still says by which name it was opened.
func (g *Gate) strangePage(r *http.Request) (sentence, why string) {
	for _, page := range r.Header["Origin"] {
		u, err := url.Parse(page)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || slices.Contains(g.origins, page) {
			continue
		}
		if name, _ := forwarded.HostOf(u.Host); !g.answersTo(name) {
			return sentenceHost, "Origin " + clip(page)
		}
	}
	return "", ""
}

// answersTo reports whether a name or an address is one that this machine's own people call it by.
func (g *Gate) answersTo(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(g.hosts, host) { // RFC 6761, section 6.3
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return false
	}
	// On an address that others can reach they may use that: no page can be at an address by DNS.
	return !g.local || address.Unmap().IsLoopback()
}

// clip bounds a text of a client for the log.
func clip(text string) string {
	const longest = 200
	return text[:min(len(text), longest)]
}
