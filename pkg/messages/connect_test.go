package messages_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestHowAConnectionIsKept checks the settings on which it depends that a server is found again, that a dead one is
// noticed in time, and that nothing is sent after its caller has given up.
func TestHowAConnectionIsKept(t *testing.T) {
	conn, err := messages.Connect(" nats://127.0.0.1:1 , ,nats://127.0.0.1:2,", "api", zerolog.Nop(), nats.CustomInboxPrefix("_INBOX_api"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	o := conn.Opts
	if want := []string{"nats://127.0.0.1:1", "nats://127.0.0.1:2"}; !slices.Equal(o.Servers, want) || o.Name != "api" || o.InboxPrefix != "_INBOX_api" {
		t.Errorf("%q connects to %q, and takes replies below %s", o.Name, o.Servers, o.InboxPrefix)
	}
	if o.MaxReconnect >= 0 || !o.AllowReconnect || !o.RetryOnFailedConnect || !o.IgnoreAuthErrorAbort || o.ReconnectBufSize >= 0 {
		t.Errorf("it gives up, or keeps messages: %+v", o)
	}
	for name, got := range map[string][2]time.Duration{
		"the pause":              {o.ReconnectWait, 200 * time.Millisecond},
		"its jitter":             {o.ReconnectJitter, 200 * time.Millisecond},
		"its jitter with TLS":    {o.ReconnectJitterTLS, 200 * time.Millisecond},
		"an attempt":             {o.Timeout, 2 * time.Second},
		"a write":                {o.FlusherTimeout, time.Second},
		"noticing a dead server": {o.PingInterval * time.Duration(o.MaxPingsOut+1), 1500 * time.Millisecond},
	} {
		if got[0] != got[1] {
			t.Errorf("%s takes %v, want %v", name, got[0], got[1])
		}
	}
}

// TestWhatCannotBeConnected checks that an option or a list of servers that is wrong fails at once, with the name of
// the process and nothing of an address.
func TestWhatCannotBeConnected(t *testing.T) {
	wrong := errors.New("wrong option")
	_, err := messages.Connect("nats://127.0.0.1:1", "api", zerolog.Nop(), func(*nats.Options) error { return wrong })
	if !errors.Is(err, wrong) || !strings.Contains(err.Error(), "as api") {
		t.Errorf("an option that fails: %v", err)
	}
	_, err = messages.Connect("nats://ada:hunter/2@host:4222", "api", zerolog.Nop())
	if err == nil || strings.Contains(err.Error(), "hunter") || !strings.Contains(err.Error(), "as api") || !strings.Contains(err.Error(), "percent-encoded") {
		t.Errorf("an address that is none: %v", err)
	}
}

// TestALostConnectionIsLogged checks that the loss of a server is logged and the end of a process's own connection is
// not, and whom Lost tells.
func TestALostConnectionIsLogged(t *testing.T) {
	server := testenv.StartNATS(t)
	log := new(logged)
	conn, err := messages.Connect(server.URL(), "api", zerolog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lost := messages.Lost(conn)
	log.await(t, "connected to NATS")
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	log.await(t, "NATS connection lost, reconnecting")
	testenv.Eventually(t, awhile, "be back", func() error {
		if !conn.IsConnected() {
			return errors.New("it is away")
		}
		return nil
	})
	if len(lost) > 0 {
		t.Error("a connection that comes back counts as lost")
	}
	before := strings.Count(log.String(), "connection lost")
	conn.Close()
	for name, lost := range map[string]<-chan error{"before": lost, "after": messages.Lost(conn)} {
		select {
		case err := <-lost:
			if err == nil {
				t.Errorf("who has asked %s is told nothing", name)
			}
		case <-time.After(awhile):
			t.Fatalf("who has asked %s is not told", name)
		}
	}
	if n := strings.Count(log.String(), "connection lost"); n != before {
		t.Errorf("a process that closes its connection has lost it:\n%s", log)
	}
}
