package process

import (
	"context"
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
	// doorTime is how long nobody can begin to connect before the listener is closed: a way to a client and back, in which
	// handshakes end, and the time in which the last connections are accepted. Who comes in it waits for a second.
	doorTime = 100 * time.Millisecond
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

// lastAnswer ends the connection with an answer that begins after ctx has ended, whenever its request came.
type lastAnswer struct {
	http.ResponseWriter
	ctx   context.Context
	begun bool
}

func (a *lastAnswer) begin() {
	if !a.begun && a.ctx.Err() != nil {
		a.Header().Set("Connection", "close")
	}
	a.begun = true
}

// WriteHeader implements http.ResponseWriter.
func (a *lastAnswer) WriteHeader(status int) {
	if status >= http.StatusOK { // others come before the answer
		a.begin()
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (a *lastAnswer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (a *lastAnswer) Flush() { _ = a.FlushError() }

// FlushError is for http.ResponseController.
func (a *lastAnswer) FlushError() error {
	a.begin()
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *lastAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

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
