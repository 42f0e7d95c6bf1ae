package messages

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// TestWhoAsksForTLS checks which options encrypt every connection.
func TestWhoAsksForTLS(t *testing.T) {
	for _, c := range []struct {
		servers string
		secure  bool
		want    bool
	}{
		{"", false, false}, {"nats://a:4222", false, false}, {"nats://a:4222", true, true}, {"tls://a:4222", false, true},
		{"wss://a", false, true}, {"ws://a", false, false}, {"nats://tls:4222 nats://b", false, false}, {"nats://a tls://b", false, true},
	} {
		s := newSupervisor(nats.Options{Servers: strings.Fields(c.servers), Secure: c.secure}, zerolog.Nop())
		if s.asksForTLS() != c.want {
			t.Errorf("%q, secure %v: %v", c.servers, c.secure, !c.want)
		}
	}
}
