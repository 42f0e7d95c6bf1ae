package testenv

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A NATS is a real NATS server inside this process, on a TCP port of 127.0.0.1. Its
// methods are safe for concurrent use.
type NATS struct {
	mu   sync.Mutex // guards all below
	port int
	srv  *server.Server
	set  func(*server.Options) // nil: nothing
}

// StartNATS starts a NATS server for this test; it is gone when the test ends.
func StartNATS(tb testing.TB) *NATS {
	tb.Helper()
	return StartNATSWith(tb, nil)
}

// StartNATSWith is [StartNATS] with options changed by set: users, permissions, limits, TLS.
func StartNATSWith(tb testing.TB, set func(*server.Options)) *NATS {
	tb.Helper()
	n := &NATS{port: server.RANDOM_PORT, set: set}
	if err := n.start(); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(n.Stop)
	return n
}

// NewNATS is [StartNATS] for programs that are no tests: the caller ends it with Stop.
func NewNATS() (*NATS, error) {
	n := &NATS{port: server.RANDOM_PORT}
	if err := n.start(); err != nil {
		return nil, err
	}
	return n, nil
}

// URL is what clients connect to; it stays the same over a Restart.
func (n *NATS) URL() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprintf("nats://127.0.0.1:%d", n.port)
}

// Connections is how many clients have connected since the server was started, those that
// have gone included.
func (n *NATS) Connections() (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, err := n.srv.Varz(nil)
	if err != nil {
		return 0, err
	}
	return v.TotalConnections, nil
}

// Traffic is what a NATS server has taken and delivered since it was started.
type Traffic struct{ Messages, Bytes int64 }

// Traffic is what has passed through the server since it was started, in and out.
func (n *NATS) Traffic() (Traffic, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, err := n.srv.Varz(nil)
	if err != nil {
		return Traffic{}, err
	}
	return Traffic{v.InMsgs + v.OutMsgs, v.InBytes + v.OutBytes}, nil
}

// InProcessConn connects within this process, for nats.InProcessServer.
func (n *NATS) InProcessConn() (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.srv.InProcessConn()
}

// Stop cuts all clients off and returns when the server is gone. It may come twice.
func (n *NATS) Stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop()
}

func (n *NATS) stop() {
	n.srv.Shutdown()
	n.srv.WaitForShutdown()
}

// Restart starts the server again on the same port, after stopping it if it still runs.
func (n *NATS) Restart() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop()
	return Poll(context.Background(), startLimit, n.start)
}

// Reload gives the running server other options, in place of those of before, as an
// operator does who edits the configuration and sends SIGHUP. They also hold after a Restart.
func (n *NATS) Reload(set func(*server.Options)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	before := n.set
	n.set = set
	if err := n.srv.ReloadOptions(n.options()); err != nil {
		n.set = before
		return err
	}
	return nil
}

// options are those of the server. It is called with mu held.
func (n *NATS) options() *server.Options {
	options := &server.Options{
		Host:   "127.0.0.1",
		Port:   n.port,
		NoLog:  true,
		NoSigs: true,
		// A frozen client is cut off within three seconds, as in production; the default
		// goes on routing to it for minutes.
		PingInterval: time.Second,
		MaxPingsOut:  2,
	}
	if n.set != nil {
		n.set(options)
	}
	return options
}

// start is called with mu held.
func (n *NATS) start() error {
	srv, err := server.NewServer(n.options())
	if err != nil {
		return fmt.Errorf("set up a NATS server: %w", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(5 * time.Second) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("the NATS server does not accept connections on port %d", n.port)
	}
	n.srv, n.port = srv, srv.Addr().(*net.TCPAddr).Port
	return nil
}
