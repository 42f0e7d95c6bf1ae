package process

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// quietFor is how long nobody must have come before a server that stops closes its door. Who
	// has connected by then has been answered; who comes later is refused, and so knows that
	// nothing was done.
	quietFor = 250 * time.Millisecond
	// quietLimit bounds the wait for that: a crowd that never ends must not keep a process alive.
	quietLimit = 2 * time.Second
	quietPoll  = 10 * time.Millisecond
)

// arrivals notes when somebody came last: with a connection, or with a request on one that was
// there. It is safe for concurrent use.
type arrivals struct{ last atomic.Int64 } // in ns since 1970

func (a *arrivals) note() { a.last.Store(time.Now().UnixNano()) }

// noteConnection is for http.Server.ConnState.
func (a *arrivals) noteConnection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew || state == http.StateActive {
		a.note()
	}
}

// awaitQuiet returns when nobody has come for quietFor, at once when that is so already, and after
// quietLimit in any case. To close a listener resets the connections that wait to be accepted, and
// closes those that are idle while a request is on its way on them: in a burst those people would be
// left without an answer.
func (a *arrivals) awaitQuiet() {
	end := time.Now().Add(quietLimit)
	for {
		now := time.Now()
		if now.After(end) || now.Sub(time.Unix(0, a.last.Load())) >= quietFor {
			return
		}
		time.Sleep(quietPoll)
	}
}
