package gate

import (
	"net/http"
	"strings"

	"github.com/eventio/eventio/internal/forwarded"
)

// origin returns where a request came from.
func (g *Gate) origin(r *http.Request) forwarded.Origin {
	if o, ok := forwarded.FromContext(r.Context()); ok {
		return o
	}
	return forwarded.Read(r, g.proxies)
}

// client is origin for who needs no more of it than who the client is.
func (g *Gate) client(r *http.Request) forwarded.Origin {
	if len(g.proxies) == 0 {
		return forwarded.Direct(r)
	}
	return g.origin(r)
}

// fromProxy reports whether the request was handed on by a trusted proxy.
func (g *Gate) fromProxy(r *http.Request) bool {
	return len(g.proxies) > 0 && forwarded.Trusts(g.proxies, r.RemoteAddr)
}

// locate reads what a trusted proxy says about a request, once. From then on the request has the Host
// that its client used, and the paths that the answer tells in headers are below the proxy's prefix.
func (g *Gate) locate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = g.readIdentity(r)
		if !g.fromProxy(r) {
			g.noteUnknownProxy(r)
			next.ServeHTTP(w, r)
			return
		}
		o := forwarded.Read(r, g.proxies)
		g.noteUnread(r, o)
		o.Called, _ = forwarded.HostOf(r.Host)
		r = r.WithContext(forwarded.NewContext(r.Context(), o))
		if o.Host != "" {
			r.Host = o.Authority()
		}
		if o.Prefix != "" {
			w = &below{ResponseWriter: w, prefix: o.Prefix}
		}
		next.ServeHTTP(w, r)
	})
}

// noteUnread logs what a trusted proxy sent and nobody understood, once for each header. Health checks
// are the proxy's own requests, so they need no client.
func (g *Gate) noteUnread(r *http.Request, o forwarded.Origin) {
	for _, u := range o.Unread {
		if u.Value == "" && (r.URL.Path == "/livez" || r.URL.Path == "/readyz") {
			continue
		}
		if _, noted := g.noted.LoadOrStore(u.Header, true); noted {
			continue
		}
		line := g.log.Warn().Str("header", u.Header).Str("value", u.Value).Stringer("proxy", o.Via)
		if u.Value == "" {
			line.Msg("a trusted proxy does not say who the client is, so all its clients share the rate limits of one address: " +
				"docs/operations.md, Behind a gateway, says what it must send")
			continue
		}
		line.Msg("a trusted proxy has sent what is not understood, so it does not count: " +
			"docs/operations.md, Behind a gateway, says what it must send")
	}
}

// noteUnknownProxy warns, once, of a proxy that nobody has named.
func (g *Gate) noteUnknownProxy(r *http.Request) {
	if g.limits == nil && len(g.proxies) == 0 || !forwarded.Any(r) {
		return
	}
	g.unknownProxy.Do(func() {
		g.log.Warn().Str("from", r.RemoteAddr).Msg("a request was handed on by a proxy that is not in EVENTIO_TRUSTED_PROXIES, or says so: " +
			"what it says of the client is ignored. If a proxy stands before this process, name it there, or all its clients " +
			"share the rate limits of one address")
	})
}

// below is the answer to a client who sees our paths below a prefix. What it tells as a path of ours
// in headers, it tells with that.
type below struct {
	http.ResponseWriter
	prefix string
	begun  bool
}

// WriteHeader implements http.ResponseWriter.
func (b *below) WriteHeader(status int) {
	if !b.begun && status >= http.StatusOK {
		b.begun = true
		h := b.Header()
		for i, location := range h["Location"] {
			if ownPath(location) {
				h["Location"][i] = b.prefix + location
			}
		}
		for i, link := range h["Link"] {
			if path, ok := strings.CutPrefix(link, "<"); ok && ownPath(path) {
				h["Link"][i] = "<" + b.prefix + path
			}
		}
	}
	b.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (b *below) Write(data []byte) (int, error) {
	if !b.begun {
		b.WriteHeader(http.StatusOK)
	}
	return b.ResponseWriter.Write(data)
}

// Flush implements http.Flusher.
func (b *below) Flush() {
	if !b.begun {
		b.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(b.ResponseWriter).Flush() // of a writer that cannot, nothing is expected
}

// Unwrap is for http.ResponseController.
func (b *below) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// ownPath reports whether a target is a path alone: //host is another host.
func ownPath(target string) bool {
	return strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//")
}
