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

// Connect opens the NATS connection of a process called name. The settings that bite by
// default are set on purpose; extra options come last and may add an in-process server.
//
// A server that is away, or refuses the password, is no error: the connection goes on
// trying, for ever, and log says what it waits for. It is an error only when url or an
// option cannot be used at all; its text has nothing of url, which may hold a password.
//
// A subscription that the server refuses is made again when the server takes it, and a
// payload limit that is too low is looked at again. What the server closes for good in spite
// of all this is told by [Lost].
func Connect(url, name string, log zerolog.Logger, extra ...nats.Option) (*nats.Conn, error) {
	options := nats.GetDefaultOptions()
	for _, set := range append([]nats.Option{
		nats.Name(name),
		// A process must find its server again whenever it returns: the default gives up
		// after 60 attempts and closes for good.
		nats.MaxReconnects(-1),
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, 200*time.Millisecond),
		nats.RetryOnFailedConnect(true),
		// A password that is being changed is refused for a while: the default closes for
		// good when a server refuses it twice.
		nats.IgnoreAuthErrorAbort(),
		// A request published while away would be sent when its caller is long gone: the
		// default keeps 8 MB of them.
		nats.ReconnectBufSize(-1),
		// A dead or frozen server is noticed within 1.5 s, so that there is another one when
		// a request is sent for the second time: the default takes over 4 minutes.
		nats.PingInterval(500 * time.Millisecond),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		// A write that blocks this long is a dead link; it must not stop every caller.
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
	conn, err := newUpkeep(options, log).connect()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS as %s: %w", name, withoutURL(err))
	}
	return conn, nil
}

// errURL replaces what net/url says about a URL: its texts quote the parts of it, and which
// of them is the password is just what is not known.
var errURL = errors.New("the address is no list of URLs like nats://user:password@host:4222; " +
	"characters such as / ? # % in a password must be percent-encoded")

func withoutURL(err error) error {
	if bad := (*url.Error)(nil); errors.As(err, &bad) {
		return errURL
	}
	return err
}

// Lost tells when conn was closed for good: by its server, with an error that nats.go does
// not reconnect after (such as a message above a limit that was lowered), or by its owner.
// The channel gets one error. A process whose connection is lost can never work again: it
// ends, so that it is started again.
func Lost(conn *nats.Conn) <-chan error {
	closed := conn.StatusChanged(nats.CLOSED)
	lost := make(chan error, 1)
	tell := func() { lost <- fmt.Errorf("the connection to NATS is closed for good: %w", conn.LastError()) }
	if conn.IsClosed() { // perhaps before we began to listen
		conn.RemoveStatusListener(closed)
		tell()
		return lost
	}
	go func() {
		<-closed
		tell()
	}()
	return lost
}
