// Package relogin renews the connections of a MongoDB client whose login has ended.
//
// A server that drops a user, even one that creates the same user again at once, goes on answering
// "requires authentication" on every connection that was open, for ever, and the driver keeps such
// connections. Closed, they are replaced by new ones, which log in.
package relogin

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
)

// minInterval is the shortest time between two renewals. It bounds what they cost where they do not
// help.
const minInterval = time.Second

// codeUnauthorized is the server's code for a connection that is not logged in, and for a user who
// lacks a right. Only the texts differ.
const codeUnauthorized = 13

// IsLoginMissing reports whether the text of an error with the code Unauthorized is about a
// connection that is not logged in.
func IsLoginMissing(text string) bool { return strings.Contains(text, "requires authentication") }

// Connections keeps the open connections of one client, and closes them when the login has ended.
// It is safe for concurrent use.
type Connections struct {
	log zerolog.Logger

	mu      sync.Mutex // guards all below
	open    map[*connection]bool
	renewed time.Time
}

// connection removes itself from its Connections when it is closed.
type connection struct {
	net.Conn
	of *Connections
}

// New returns the Connections of a client that uses them as its dialer and monitor.
func New(log zerolog.Logger) *Connections {
	return &Connections{log: log, open: make(map[*connection]bool)}
}

// DialContext implements options.ContextDialer.
func (c *Connections) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	opened := &connection{conn, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[opened] = true
	return opened, nil
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// Monitor returns a monitor that renews the connections when a command fails for want of a login.
func (c *Connections) Monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Failed: func(_ context.Context, failed *event.CommandFailedEvent) {
		var server driver.Error
		if errors.As(failed.Failure, &server) && server.Code == codeUnauthorized && IsLoginMissing(server.Message) {
			c.renew(failed.Failure)
		}
	}}
}

// renew closes all connections. Commands that are running on them end with an error.
func (c *Connections) renew(reason error) {
	c.mu.Lock()
	if time.Since(c.renewed) < minInterval {
		c.mu.Unlock()
		return
	}
	c.renewed = time.Now()
	conns := make([]*connection, 0, len(c.open))
	for conn := range c.open {
		conns = append(conns, conn)
	}
	c.mu.Unlock()
	c.log.Warn().Err(reason).Msg("MongoDB has ended the login of this process, logging in again")
	for _, conn := range conns {
		_ = conn.Close() // its user gets the error
	}
}
