package messages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestAnOpenServerIsToldOnce: a process that connects to a server without credentials says so in one
// line, not again when it reconnects, and again when that has changed in between.
func TestAnOpenServerIsToldOnce(t *testing.T) {
	open := func(*server.Options) {}
	users := func(o *server.Options) { o.Users = []*server.User{{Username: "ada", Password: "secret"}} }
	guests := func(o *server.Options) { users(o); o.NoAuthUser = "ada" }
	for name, c := range map[string]struct {
		options func(*server.Options)
		open    bool
	}{"no users": {open, true}, "users": {users, false}, "users, and whoever says nothing is one of them": {guests, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, log := testenv.StartNATSWith(t, c.options), new(logged)
			conn, err := messages.Connect(strings.Replace(srv.URL(), "://", "://ada:secret@", 1), "api", zerolog.New(log))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			want := func(connected int, warnings int) {
				t.Helper()
				log.await(t, "connected to NATS")
				testenv.Eventually(t, 10*time.Second, "connect", func() error { return conn.FlushTimeout(time.Second) })
				testenv.Eventually(t, 10*time.Second, "say what is open", func() error {
					if n := strings.Count(log.String(), "connected to NATS"); n < connected {
						return nats.ErrTimeout
					}
					if n := strings.Count(log.String(), `"credentials":false`); n < warnings {
						return nats.ErrTimeout
					}
					return nil
				})
				if n := strings.Count(log.String(), "NATS is open"); n != warnings || strings.Contains(log.String(), "secret") {
					t.Errorf("%d warnings, want %d:\n%s", n, warnings, log.String())
				}
			}
			first := 0
			if c.open {
				first = 1
			}
			want(1, first)
			if err := srv.Restart(); err != nil {
				t.Fatal(err)
			}
			want(2, first)
		})
	}
}

// TestAPrefixIsNoInbox: a namespace whose subjects were inboxes would be heard by all who hear replies.
func TestAPrefixIsNoInbox(t *testing.T) {
	for _, prefix := range []string{"_INBOX", "_INBOX_eventio", "_INBOX.a", "_INBOXES"} {
		if messages.CheckPrefix(prefix) == nil {
			t.Errorf("%s is taken", prefix)
		}
	}
}
