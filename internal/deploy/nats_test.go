package deploy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestNATSPermissions: on a server with deploy/nats/nats.conf a stranger is refused, and each part may do on NATS
// what it needs, and nothing of what belongs to another.
func TestNATSPermissions(t *testing.T) {
	authority := testenv.NewAuthority(t)
	srv := testenv.StartNATSSecured(t, authority)
	for name, option := range map[string]nats.Option{
		"nobody":           nats.RootCAs(authority.CA),
		"another password": nats.UserInfo("api", testenv.NATSPassword("worker")),
		"another user":     nats.UserInfo("ada", testenv.NATSPassword("api")),
		"a token":          nats.Token(testenv.NATSPassword("api")),
	} {
		conn, err := nats.Connect(srv.URL(), nats.RootCAs(authority.CA), option)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s is let in: %v", name, err)
		}
	}
	if conn, err := nats.Connect(srv.URL(), nats.UserInfo("api", testenv.NATSPassword("api"))); err == nil {
		conn.Close()
		t.Error("who does not know the authority believes the server")
	}

	n := messages.Namespace{Prefix: messages.DefaultPrefix, Database: "6b6c54b48da6ca90bb92"}
	event := messages.ID{1}
	send := []string{n.Seats(), n.Worker("a"), n.Revocations(), n.Rolls(), n.EventNews(event), n.PeopleNews(), n.Event(event.Hex(), "event.edited"),
		"_INBOX_api.a.b", "_INBOX_worker.a.b", "_INBOX_notifier.a.b", "_INBOX_operator.a.b", "_INBOX.a.b",
		"$SRV.PING.eventio-worker", "$SRV.INFO.eventio-worker", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.x", "$JS.API.STREAM.CREATE.x", "$SYS.REQ.SERVER.PING", "x"}
	hear := []string{">", "eventio.>", n.Seats(), n.Seats() + " " + messages.QueueWorkers, n.Worker("*"), n.Revocations(), n.Rolls(), n.EventNews(event), n.PeopleNews(), n.Events(),
		"_INBOX_api.>", "_INBOX_worker.>", "_INBOX_notifier.>", "_INBOX_operator.>", "_INBOX.>", "$SRV.PING", "$SRV.PING.eventio-worker", "$SYS.>", "*.>"}
	for user, may := range map[string]struct{ send, hear []string }{
		"api": {[]string{n.Seats(), n.Worker("a"), n.Revocations(), n.Rolls(), "$SRV.PING.eventio-worker"},
			[]string{"_INBOX_api.>", n.Revocations(), n.Rolls(), n.EventNews(event), n.PeopleNews()}},
		"worker": {[]string{n.Seats(), n.Worker("a"), n.EventNews(event), n.PeopleNews(), "_INBOX_api.a.b", "_INBOX_worker.a.b", "_INBOX_operator.a.b"},
			[]string{n.Seats() + " " + messages.QueueWorkers, n.Worker("*"), "_INBOX_worker.>", "$SRV.PING", "$SRV.PING.eventio-worker"}},
		"notifier": {[]string{n.Event(event.Hex(), "event.edited"), "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.x"}, []string{"_INBOX_notifier.>"}},
		"operator": {[]string{n.Seats(), n.Worker("a"), "$SRV.PING.eventio-worker", "$SRV.INFO.eventio-worker"}, []string{"_INBOX_operator.>"}},
	} {
		t.Run(user, func(t *testing.T) {
			refusals := make(chan string, 100)
			conn, err := nats.Connect(srv.URL(), nats.RootCAs(authority.CA), nats.UserInfo(user, testenv.NATSPassword(user)),
				nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refusals <- err.Error() }))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			// wantRefused does something, and wants to hear that the server has refused it, or else nothing.
			wantRefused := func(what, refusal string, want bool, do func() error) {
				t.Helper()
				if err := do(); err != nil {
					t.Fatal(err)
				}
				if err := conn.Publish("end", nil); err != nil { // nobody may
					t.Fatal(err)
				}
				for got := false; ; {
					select {
					case said := <-refusals:
						if strings.Contains(said, `Publish to "end"`) {
							if got != want {
								t.Errorf("%s: refused is %t", what, got)
							}
							return
						}
						got = got || strings.Contains(said, refusal)
					case <-time.After(10 * time.Second):
						t.Fatalf("nothing is heard of %s", what)
					}
				}
			}
			for _, subject := range send {
				wantRefused("sending to "+subject, `Publish to "`+subject+`"`, !slices.Contains(may.send, subject), func() error { return conn.Publish(subject, nil) })
			}
			for _, subject := range hear {
				wantRefused("hearing "+subject, "Subscription to", !slices.Contains(may.hear, subject), func() error {
					subject, queue, _ := strings.Cut(subject, " ")
					sub, err := conn.QueueSubscribe(subject, queue, func(*nats.Msg) {})
					if err == nil {
						t.Cleanup(func() { _ = sub.Unsubscribe() })
					}
					return err
				})
			}
		})
	}
}
