package messages

import (
	"bufio"
	"bytes"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
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
// changes. A server in this process is nobody else's. It asks the server, so it may take
// guestTimeout.
func (s *supervisor) warnOfExposure(c *nats.Conn) {
	if s.options.InProcessServer != nil {
		return
	}
	address := c.ConnectedAddr()
	credentials, encrypted := c.AuthRequired() && !admitsGuests(address), s.asksForTLS() || c.TLSRequired()
	warning := exposure(credentials, encrypted, isLoopback(address))
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

// guestTimeout bounds what admitsGuests waits for a server, which greets at once.
const guestTimeout = time.Second

// maxGreeting is the most that is read of a server's greeting, in bytes.
const maxGreeting = 64 << 10

// admitsGuests reports whether a server that has users asks for no credentials all the same, because
// it has a user for whoever names none (no_auth_user). It is false when the server does not say,
// like one that begins with TLS. A connection knows it for a moment only: such a server says in its
// greeting that it asks for no credentials, and in its next message that it does.
func admitsGuests(address string) bool {
	conn, err := net.DialTimeout("tcp", address, guestTimeout)
	if err != nil {
		return false
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(guestTimeout)) != nil {
		return false
	}
	line, err := bufio.NewReaderSize(conn, maxGreeting).ReadSlice('\n')
	info, greets := bytes.CutPrefix(line, []byte("INFO "))
	var greeting struct {
		AuthRequired bool `json:"auth_required"`
	}
	return err == nil && greets && json.Unmarshal(info, &greeting) == nil && !greeting.AuthRequired
}

// isLoopback reports whether an address, host:port, is one of this machine only.
func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address) // "" of what is no address
	return net.ParseIP(host).IsLoopback()
}
