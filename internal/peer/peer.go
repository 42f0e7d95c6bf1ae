// Package peer tells which user of this machine is at the other end of a connection over a loopback
// address. A proxy can hand on requests without a word, as nginx does since 1.29.7, but it cannot
// connect as another user than its own, and proxies of a system have one each.
//
// Only Linux can be asked. A connection of whose user nothing is known counts as the own user's.
package peer

import (
	"context"
	"net"
	"net/netip"
	"os"
)

// anotherKey is the key of a bool in the context of a connection.
type anotherKey struct{}

// Context returns a context that knows whether the connection is another user's. It is a
// http.Server's ConnContext, and asks the system once for each connection, as soon as that is
// there: later its other end could be gone.
func Context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, anotherKey{}, isAnother(conn))
}

// IsAnother reports whether a request came by a connection of another user of this machine, root aside,
// who may be anybody anyway. Without Context it reports false.
func IsAnother(ctx context.Context) bool {
	another, _ := ctx.Value(anotherKey{}).(bool)
	return another
}

func isAnother(conn net.Conn) bool {
	ours, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return false
	}
	theirs, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return false
	}
	user, err := userOf(unmapped(theirs), unmapped(ours))
	return err == nil && user != 0 && user != os.Geteuid()
}

// nobody is the user of a connection whose other end has been left by its process: nobody waits for
// an answer there.
const nobody = -1

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// Works reports whether the system tells whose connections are: it is asked about one of our own.
func Works() bool {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return false
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return false
	}
	defer conn.Close()
	ours, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return false
	}
	theirs, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return false
	}
	user, err := userOf(ours, theirs)
	return err == nil && user == os.Geteuid()
}
