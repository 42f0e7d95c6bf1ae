package testenv

import (
	"io"
	"net"
	"testing"
	"time"
)

// A Distance is the way to a target that is far away: it passes on what clients say, and what the target
// answers, each half a round trip later, in order, and as much at a time as they like.
type Distance struct {
	listener net.Listener
	target   string
	oneWay   time.Duration
}

// parcel is something that was said, and when it arrives.
type parcel struct {
	data []byte
	due  time.Time
}

// maxUnderWay bounds the parcels of one direction that are under way; further ones are read later.
const maxUnderWay = 1024

// StartDistance puts a round trip between clients of the Distance and a target, until the test ends.
func StartDistance(tb testing.TB, target string, roundTrip time.Duration) *Distance {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	d := &Distance{listener: listener, target: target, oneWay: roundTrip / 2}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go d.serve(client)
		}
	}()
	tb.Cleanup(func() { _ = listener.Close() })
	return d
}

// Addr is where clients connect to.
func (d *Distance) Addr() string { return d.listener.Addr().String() }

// serve ends when both sides have nothing more to say.
func (d *Distance) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", d.target)
	if err != nil {
		return
	}
	defer server.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		d.carry(client, server)
	}()
	d.carry(server, client)
	<-answered
}

// carry brings what one side says to the other, until it hangs up.
func (d *Distance) carry(to, from net.Conn) {
	underWay := make(chan parcel, maxUnderWay)
	go func() {
		defer close(underWay)
		for {
			data := make([]byte, 64<<10)
			n, err := from.Read(data)
			if n > 0 {
				underWay <- parcel{data[:n], time.Now().Add(d.oneWay)}
			}
			if err != nil {
				return
			}
		}
	}()
	var listener io.Writer = to
	for p := range underWay {
		<-time.After(time.Until(p.due))
		if _, err := listener.Write(p.data); err != nil {
			listener = io.Discard // nobody listens any more
		}
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
