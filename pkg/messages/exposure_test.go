package messages

import (
	"strings"
	"testing"
	"time"

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

// TestRefusalsOfBeforeDoNotCount checks which refusal of a message explains that a probe has no reply.
func TestRefusalsOfBeforeDoNotCount(t *testing.T) {
	var p publishRefusals
	if err := p.since(time.Time{}); err != nil {
		t.Errorf("without any: %v", err)
	}
	at := time.Now()
	p.err, p.when = nats.ErrPermissionViolation, at
	if p.since(at) == nil || p.since(at.Add(-time.Second)) == nil || p.since(at.Add(time.Nanosecond)) != nil {
		t.Error("a refusal counts from its own moment on")
	}
}
