package mongostore

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

// loginRefused reports errors of a login that is wrong or gone: a password that is being
// changed, a user who is made anew. It passes when the login is right again. A right that is
// missing does not.
func loginRefused(err error) bool {
	var login *auth.Error
	return errors.As(err, &login) || hasCode(err, codeAuthenticationFailed) ||
		hasCode(err, codeUnauthorized) && strings.Contains(err.Error(), noLogin)
}

// noLogin is in what a server says to a connection that is not logged in. To one that lacks a
// right it says something else, under the same code.
const noLogin = "requires authentication"

// withoutCommand cuts the command off what a server says about a right that is missing: it
// may be about a person, and errors are logged.
func withoutCommand(err error) error {
	if !hasCode(err, codeUnauthorized, codeAuthenticationFailed) {
		return err
	}
	text, _, _ := strings.Cut(err.Error(), " {")
	return errors.New(text)
}

// notConnected reports errors of a connection that could not be had: nothing was sent over
// it. Of one that breaks while it is used the driver says NetworkError, and when a command
// was sent before and could not be sent again it returns the error of that.
func notConnected(err error) bool {
	var connection topology.ConnectionError
	var pool driver.RetryablePoolError // cleared because another operation could not connect
	return !mongo.IsNetworkError(err) && (errors.As(err, &connection) || errors.As(err, &pool))
}

// logins renews the connections of a client whose login has ended: a server that drops the
// user, also one that makes them again at once, goes on answering "requires authentication"
// on every connection that was there, for ever, and the driver keeps those. Closed, they are
// replaced by ones that log in. It is safe for concurrent use.
type logins struct {
	log zerolog.Logger

	mu      sync.Mutex // guards all below
	open    map[*loggedIn]bool
	renewed time.Time
}

// loggedIn is a connection that logins may close.
type loggedIn struct {
	net.Conn
	logins *logins
}

// renewEvery bounds how often connections are renewed, and so what it costs if that does not
// help.
const renewEvery = time.Second

func newLogins(log zerolog.Logger) *logins {
	return &logins{log: log, open: make(map[*loggedIn]bool)}
}

// DialContext implements options.ContextDialer.
func (l *logins) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &loggedIn{conn, l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
	return c, nil
}

// Close implements net.Conn.
func (c *loggedIn) Close() error {
	c.logins.mu.Lock()
	delete(c.logins.open, c)
	c.logins.mu.Unlock()
	return c.Conn.Close()
}

// monitor sees every command that fails.
func (l *logins) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Failed: func(_ context.Context, failed *event.CommandFailedEvent) {
		var server driver.Error
		if errors.As(failed.Failure, &server) && server.Code == codeUnauthorized && strings.Contains(server.Message, noLogin) {
			l.renew(failed.Failure)
		}
	}}
}

// renew closes all connections. What is under way on them ends with an error.
func (l *logins) renew(reason error) {
	l.mu.Lock()
	if time.Since(l.renewed) < renewEvery {
		l.mu.Unlock()
		return
	}
	l.renewed = time.Now()
	conns := make([]*loggedIn, 0, len(l.open))
	for c := range l.open {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	l.log.Warn().Err(reason).Msg("MongoDB has ended the login of this process, logging in again")
	for _, c := range conns {
		_ = c.Close() // whoever uses it is told
	}
}
