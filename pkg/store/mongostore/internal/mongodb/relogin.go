package mongodb

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

// renewInterval is the shortest time between two renewals of connections. It bounds what they cost
// where they do not help.
const renewInterval = time.Second

// isLoginMissing reports whether the text of an error with CodeUnauthorized is about a connection that is
// not logged in. About a user who lacks a right the server says something else.
func isLoginMissing(text string) bool { return strings.Contains(text, "requires authentication") }

// Connections renews the connections of one client when its login has ended. A server that drops a user,
// even one that creates the same user again at once, goes on answering "requires authentication" on
// every connection that was open, for ever, and the driver keeps such connections. Closed, they are
// replaced by new ones, which log in. Connections is safe for concurrent use.
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

// NewConnections returns the Connections of a client, which is the client's dialer and is told of commands
// that fail.
func NewConnections(log zerolog.Logger) *Connections {
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

// Failed renews the connections when a command has failed for want of a login.
func (c *Connections) Failed(_ context.Context, failed *event.CommandFailedEvent) {
	var server driver.Error
	if errors.As(failed.Failure, &server) && server.Code == CodeUnauthorized && isLoginMissing(server.Message) {
		c.renew(failed.Failure)
	}
}

// renew closes all connections. Commands that are running on them end with an error.
func (c *Connections) renew(reason error) {
	c.mu.Lock()
	if time.Since(c.renewed) < renewInterval {
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
