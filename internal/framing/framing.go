// Package framing tells whether the end of a request was clear from its head.
//
// A request with both Content-Length and Transfer-Encoding has two ends, and a gateway may have believed
// the other one: what follows would be taken for a request that nobody sent (RFC 9112, section 11.2).
// Package net/http believes the chunks and removes the other header before a handler can see it. So
// this package reads along: [Listen] wraps the connections of a server, [Context] and [Handler] join them to
// its requests, and [Of] tells what the head of one had.
//
// It changes no byte. It follows the requests of a connection from one to the next by the rules of
// RFC 9112. Where it meets what it does not understand it gives that connection up, and
// nothing is known of what follows; package net/http refuses all such requests, too.
package framing

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Framing is what the head of a request says of its end.
type Framing int

const (
	// Unknown says that the connection was not read along, or was given up.
	Unknown Framing = iota
	// Clear says that at most one header says where the body ends.
	Clear
	// Ambiguous says that the head has both Content-Length and Transfer-Encoding.
	Ambiguous
)

// Listen wraps a listener: its connections are read along if they are TCP connections.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &conn{TCPConn: tcp}, nil
	}
	return c, err
}

// conn is a connection that is read along. It embeds what it wraps, since package net/http asks for
// more than net.Conn has.
type conn struct {
	*net.TCPConn

	mu    sync.Mutex
	reads reader
	heads []head // of the requests that were read and have not been asked for
}

// head is what the head of a request says.
type head struct {
	line    string // the request line, cut at maxLine
	framing Framing
}

// maxHeads bounds how many requests a client may send without waiting for an answer before its
// connection is given up.
const maxHeads = 1000

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heads = c.reads.read(p[:n], c.heads)
		if len(c.heads) > maxHeads {
			c.reads.state, c.heads = lost, nil
		}
	}
	return n, err
}

type connKey struct{}
type framingKey struct{}

// Context is for http.Server.ConnContext: it tells Handler on which connection a request came.
func Context(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Handler wraps the handler of all requests of a server, for which it finds out what Of tells.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			f := c.next(r)
			if len(r.TransferEncoding) > 0 { // no other request has two ends
				r = r.WithContext(context.WithValue(r.Context(), framingKey{}, f))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Of returns what the head of a request with a Transfer-Encoding said. It is Unknown without a Handler.
func Of(r *http.Request) Framing {
	f, _ := r.Context().Value(framingKey{}).(Framing)
	return f
}

// next takes the head of the next request that gets to a handler, which is r.
func (c *conn) next(r *http.Request) Framing {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, h := range c.heads {
		if h.of(r) { // those before it were answered by package net/http alone
			c.heads = slices.Delete(c.heads, 0, i+1)
			return h.framing
		}
	}
	return Unknown
}

// of reports whether a head may be that of r.
func (h head) of(r *http.Request) bool {
	method, rest, _ := strings.Cut(h.line, " ")
	if len(h.line) == maxLine {
		return method == r.Method && strings.HasPrefix(r.RequestURI, rest)
	}
	target, proto, _ := strings.Cut(rest, " ")
	return method == r.Method && target == r.RequestURI && proto == r.Proto
}
