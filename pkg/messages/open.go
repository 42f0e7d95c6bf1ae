package messages

import (
	"net"

	"github.com/nats-io/nats.go"
)

const (
	openText = "NATS is open: it asks for no credentials, so whoever reaches it can read who registers, and change every event and registration. " +
		"Give each process a user of NATS with the permissions that docs/operations.md lists"
	plainText = "NATS is not encrypted: passwords and messages cross the network in clear. Set up TLS on the NATS server, and name it in NATS_URL as tls://"
)

// exposure returns the warning about a server that does not protect messages, or "". A server
// that is on this machine needs no encryption.
func exposure(credentials, encrypted, local bool) string {
	switch {
	case !credentials:
		return openText
	case !encrypted && !local:
		return plainText
	}
	return ""
}

// warnOfExposure logs when the server of a connection does not protect messages, once until that
// changes. A server in this process is nobody else's.
func (s *supervisor) warnOfExposure(c *nats.Conn) {
	if s.options.InProcessServer != nil {
		return
	}
	_, err := c.TLSConnectionState()
	encrypted := err == nil
	warning := exposure(c.AuthRequired(), encrypted, isLoopback(c.ConnectedAddr()))
	s.mu.Lock()
	known := s.exposed == warning
	s.exposed = warning
	s.mu.Unlock()
	if warning != "" && !known {
		s.log.Warn().Str("server", c.ConnectedUrlRedacted()).Bool("credentials", c.AuthRequired()).Bool("tls", encrypted).Msg(warning)
	}
}

// isLoopback reports whether an address, host:port, is one of this machine only.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && net.ParseIP(host).IsLoopback()
}
