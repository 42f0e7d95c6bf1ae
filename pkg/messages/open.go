package messages

import (
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/messages/internal/exposure"
)

// warnOfExposure logs when the server of a connection does not protect messages, once until that
// changes. A server in this process is nobody else's. It asks the server, so it may take
// exposure.GuestTimeout.
func (s *supervisor) warnOfExposure(c *nats.Conn) {
	if s.options.InProcessServer != nil {
		return
	}
	address := c.ConnectedAddr()
	credentials, encrypted := c.AuthRequired() && !exposure.AdmitsGuests(address), s.asksForTLS() || c.TLSRequired()
	warning := exposure.Warning(credentials, encrypted, exposure.IsLoopback(address))
	s.mu.Lock()
	known := s.exposed == warning
	s.exposed = warning
	s.mu.Unlock()
	if warning != "" && !known {
		s.log.Warn().Str("server", c.ConnectedUrlRedacted()).Bool("credentials", credentials).Bool("tls", encrypted).Msg(warning)
	}
}

// asksForTLS reports whether the options ask for TLS: nats.go encrypts every connection then, as it does when
// the server requires it. Its own TLSConnectionState reads the status of a connection without its lock, and
// so races with one that is being made (nats.go 1.55).
func (s *supervisor) asksForTLS() bool {
	return s.options.Secure || slices.ContainsFunc(s.options.Servers, func(server string) bool {
		return strings.HasPrefix(server, "tls://") || strings.HasPrefix(server, "wss://")
	})
}
