package testenv

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Distance is the way to a target that is far away: it passes on what clients say, and what the target
// answers, each half a round trip later, in order, and as much at a time as they like. Either direction can be cut.
type Distance struct {
	listener net.Listener
	target   string
	oneWay   atomic.Int64 // time.Duration

	mu  sync.Mutex       // guards cut
	cut [2]chan struct{} // by Direction; nil: not cut; closed when it heals
}

// A Direction of a Distance is one in which things are said.
type Direction int

// The directions of a Distance.
const (
	ToTarget Direction = iota
	ToClients
)

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
	d := &Distance{listener: listener, target: target}
	d.SetRoundTrip(roundTrip)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go d.serve(client)
		}
	}()
	tb.Cleanup(func() { _ = listener.Close(); d.Heal() })
	return d
}

// SetRoundTrip changes the distance for what is said from now on.
func (d *Distance) SetRoundTrip(roundTrip time.Duration) { d.oneWay.Store(int64(roundTrip / 2)) }

// Cut lets nothing through in a direction any more, and no new connection be made. What is said meanwhile arrives when it heals, as TCP
// sends it again.
func (d *Distance) Cut(direction Direction) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut[direction] == nil {
		d.cut[direction] = make(chan struct{})
	}
}

// Heal ends every cut.
func (d *Distance) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for direction, cut := range d.cut {
		if cut != nil {
			close(cut)
			d.cut[direction] = nil
		}
	}
}

// await returns when a direction is not cut.
func (d *Distance) await(direction Direction) {
	d.mu.Lock()
	cut := d.cut[direction]
	d.mu.Unlock()
	if cut != nil {
		<-cut
	}
}

// Addr is where clients connect to.
func (d *Distance) Addr() string { return d.listener.Addr().String() }

// serve ends when both sides have nothing more to say.
func (d *Distance) serve(client net.Conn) {
	defer client.Close()
	d.await(ToTarget)
	d.await(ToClients)
	server, err := net.Dial("tcp", d.target)
	if err != nil {
		return
	}
	defer server.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		d.carry(client, server, ToClients)
	}()
	d.carry(server, client, ToTarget)
	<-answered
}

// carry brings what one side says to the other, until it hangs up.
func (d *Distance) carry(to, from net.Conn, direction Direction) {
	underWay := make(chan parcel, maxUnderWay)
	go func() {
		defer close(underWay)
		for {
			data := make([]byte, 64<<10)
			n, err := from.Read(data)
			if n > 0 {
				underWay <- parcel{data[:n], time.Now().Add(time.Duration(d.oneWay.Load()))}
			}
			if err != nil {
				return
			}
		}
	}()
	var listener io.Writer = to
	for p := range underWay {
		<-time.After(time.Until(p.due))
		d.await(direction)
		if _, err := listener.Write(p.data); err != nil {
			listener = io.Discard // nobody listens any more
		}
	}
	d.await(direction)
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
