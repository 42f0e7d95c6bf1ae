// Package uplink keeps whether a connection to NATS is up, and what the server does not permit on it.
package uplink

import (
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// State says without waiting whether a connection is up. The connection itself does not: nats.go holds its lock while it connects, which a
// server that takes a connection and says nothing makes last as long as nats.Timeout, and all that publish meanwhile wait for it. It is
// safe for concurrent use.
type State struct{ up atomic.Bool }

// Watch keeps the State of conn until that is closed.
func Watch(conn *nats.Conn) *State {
	s := new(State)
	changes := conn.StatusChanged(nats.CONNECTED, nats.CONNECTING, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	s.up.Store(conn.IsConnected())
	go func() {
		for !conn.IsClosed() { // after that nothing more is told
			if <-changes != nats.CONNECTED {
				s.up.Store(false)
			}
			// nats.go drops what it cannot tell at once, so the last word is the connection's own.
			s.up.Store(conn.IsConnected())
		}
		s.up.Store(false)
	}()
	return s
}

// Up reports whether the connection was up a moment ago.
func (s *State) Up() bool { return s.up.Load() }
