// Package exposure tells whether a NATS server protects the messages that cross it.
package exposure

import (
	"bufio"
	"bytes"
	"net"
	"time"

	"github.com/go-json-experiment/json"
)

// The warnings about a server.
const (
	OpenText = "NATS is open: it asks for no credentials, so whoever reaches it can read who registers, and change every event and registration. " +
		"Give each process a user of NATS with the permissions that docs/operations.md lists"
	PlainText = "NATS is not encrypted: passwords and messages cross the network in clear. Set up TLS on the NATS server, and name it in NATS_URL as tls://"
)

// Warning returns the warning about a server that does not protect messages, or "". A server
// that is on this machine needs no encryption.
func Warning(credentials, encrypted, local bool) string {
	switch {
	case !credentials:
		return OpenText
	case !encrypted && !local:
		return PlainText
	}
	return ""
}

// GuestTimeout bounds what AdmitsGuests waits for a server, which greets at once.
const GuestTimeout = time.Second

// maxGreeting is the most that is read of a server's greeting, in bytes.
const maxGreeting = 64 << 10

// AdmitsGuests reports whether a server that has users asks for no credentials all the same, because
// it has a user for whoever names none (no_auth_user). It is false when the server does not say,
// like one that begins with TLS. A connection knows it for a moment only: such a server says in its
// greeting that it asks for no credentials, and in its next message that it does.
func AdmitsGuests(address string) bool {
	conn, err := net.DialTimeout("tcp", address, GuestTimeout)
	if err != nil {
		return false
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(GuestTimeout)) != nil {
		return false
	}
	line, err := bufio.NewReaderSize(conn, maxGreeting).ReadSlice('\n')
	info, greets := bytes.CutPrefix(line, []byte("INFO "))
	var greeting struct {
		AuthRequired bool `json:"auth_required"`
	}
	return err == nil && greets && json.Unmarshal(info, &greeting) == nil && !greeting.AuthRequired
}

// IsLoopback reports whether an address, host:port, is one of this machine only.
func IsLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address) // "" of what is no address
	return net.ParseIP(host).IsLoopback()
}
