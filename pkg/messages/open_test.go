package messages_test

import (
	"fmt"
	"strings"
	"sync/atomic"
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
	type phase struct {
		options func(*server.Options)
		told    int // warnings so far
	}
	for name, phases := range map[string][]phase{
		"no users": {{open, 1}, {open, 1}, {users, 1}, {open, 2}},
		"users":    {{users, 0}, {users, 0}, {open, 1}},
		"users, and whoever says nothing is one of them": {{guests, 1}, {guests, 1}, {users, 1}, {guests, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now atomic.Int64
			srv := testenv.StartNATSWith(t, func(o *server.Options) { phases[now.Load()].options(o) })
			log := new(logged)
			conn, err := messages.Connect(strings.Replace(srv.URL(), "://", "://ada:secret@", 1), "api", zerolog.New(log))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			for i, phase := range phases {
				if i > 0 {
					now.Store(int64(i))
					if err := srv.Restart(); err != nil {
						t.Fatal(err)
					}
				}
				testenv.Eventually(t, 10*time.Second, "connect", func() error {
					if n := strings.Count(log.String(), "connected to NATS"); n <= i { // what is open is told before
						return fmt.Errorf("%d connections", n)
					}
					return nil
				})
				if n := strings.Count(log.String(), "NATS is open"); n != phase.told || strings.Count(log.String(), `"credentials":`) != n || strings.Contains(log.String(), "secret") {
					t.Errorf("phase %d: %d warnings, want %d:\n%s", i, n, phase.told, log.String())
				}
			}
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

// TestServerInThisProcessHasNoAddress: the log names no address at which another server may listen.
func TestServerInThisProcessHasNoAddress(t *testing.T) {
	srv := testenv.StartNATS(t)
	log := new(logged)
	conn, err := messages.Connect("", "api", zerolog.New(log), nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	log.await(t, "connected to NATS")
	if s := log.String(); !strings.Contains(s, `"server":"in this process"`) || strings.Contains(s, "nats://") || strings.Contains(s, "NATS is open") {
		t.Errorf("the log is %s", s)
	}
}
