package messages

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Connect opens the NATS connection of a process called name. extra options are applied last and
// may add an in-process server.
//
// A server that is away or refuses the password is no error: the connection retries for ever, and
// log says why. Connect fails only when url or an option cannot be used at all; the text of the
// error has nothing of url, which may hold a password.
//
// When the server refuses a subscription, or has a payload limit that is too low, the connection
// checks whether that has changed, and subscribes again. [Lost] reports when the connection is
// closed for good in spite of this.
func Connect(url, name string, log zerolog.Logger, extra ...nats.Option) (*nats.Conn, error) {
	options := nats.GetDefaultOptions()
	for _, set := range append([]nats.Option{
		nats.Name(name),
		// A process must find its server again whenever the server returns: the default gives up
		// after 60 attempts and closes for good.
		nats.MaxReconnects(-1),
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, 200*time.Millisecond),
		nats.RetryOnFailedConnect(true),
		// A server refuses a password while the password is being changed: the default closes
		// for good at the second refusal.
		nats.IgnoreAuthErrorAbort(),
		// A request that is published while the server is away would be sent when its caller has
		// given up: the default keeps 8 MB of them.
		nats.ReconnectBufSize(-1),
		// A dead or frozen server is noticed within 1.5 s, so that the second attempt of a request
		// is sent to another server: the default takes over 4 minutes.
		nats.PingInterval(500 * time.Millisecond),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		// A write that blocks for longer is on a dead link, and must not stop every caller.
		nats.FlusherTimeout(time.Second),
	}, extra...) {
		if err := set(&options); err != nil {
			return nil, fmt.Errorf("connect to NATS as %s: %w", name, err)
		}
	}
	for server := range strings.SplitSeq(url, ",") {
		if server = strings.TrimSpace(server); server != "" {
			options.Servers = append(options.Servers, server)
		}
	}
	conn, err := newSupervisor(options, log).connect()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS as %s: %w", name, withoutURL(err))
	}
	return conn, nil
}

// errURL takes the place of an error of net/url, whose text quotes parts of the URL. Any of them
// may be the password, because the URL could not be split correctly.
var errURL = errors.New("the address is no list of URLs like nats://user:password@host:4222; " +
	"characters such as / ? # % in a password must be percent-encoded")

// withoutURL replaces an error that quotes a URL by errURL.
func withoutURL(err error) error {
	if bad := (*url.Error)(nil); errors.As(err, &bad) {
		return errURL
	}
	return err
}

// Lost returns a channel that gets one error when conn is closed for good: by its owner, or by
// an error of the server after which nats.go does not reconnect, such as a message above a limit
// that was lowered. A process whose connection is lost cannot work again; it should end, so that
// it is started anew.
func Lost(conn *nats.Conn) <-chan error {
	closed := conn.StatusChanged(nats.CLOSED)
	lost := make(chan error, 1)
	report := func() { lost <- fmt.Errorf("the connection to NATS is closed for good: %w", conn.LastError()) }
	if conn.IsClosed() { // perhaps before StatusChanged was called
		conn.RemoveStatusListener(closed)
		report()
		return lost
	}
	go func() {
		<-closed
		report()
	}()
	return lost
}
