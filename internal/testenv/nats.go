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
}

// StartNATS starts a NATS server for this test; it is gone when the test ends.
func StartNATS(tb testing.TB) *NATS {
	tb.Helper()
	n, err := NewNATS()
	if err != nil {
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

// start is called with mu held.
func (n *NATS) start() error {
	srv, err := server.NewServer(&server.Options{
		Host:   "127.0.0.1",
		Port:   n.port,
		NoLog:  true,
		NoSigs: true,
		// A frozen client is cut off within three seconds, as in production; the default
		// goes on routing to it for minutes.
		PingInterval: time.Second,
		MaxPingsOut:  2,
	})
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
