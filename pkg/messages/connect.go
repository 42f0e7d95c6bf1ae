package messages

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Connect opens the NATS connection of a process called name. The settings that bite by
// default are set on purpose; extra options come last and may add an in-process server.
func Connect(url, name string, log zerolog.Logger, extra ...nats.Option) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(name),
		// A process must find its server again whenever it returns: the default gives up
		// after 60 attempts and closes for good.
		nats.MaxReconnects(-1),
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(200*time.Millisecond, 200*time.Millisecond),
		nats.RetryOnFailedConnect(true),
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
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we closed it ourselves
				log.Warn().Err(err).Msg("NATS connection lost, reconnecting")
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			log.Info().Str("server", c.ConnectedUrlRedacted()).Msg("NATS connection is back")
		}),
		// Asynchronous errors: above all messages dropped by a full subscription.
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Error().Err(err).Msg("NATS reports an error")
		}),
	}
	conn, err := nats.Connect(url, append(options, extra...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS as %s: %w", name, err)
	}
	return conn, nil
}
