package messages_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestWhoIsDiscovered checks that each worker is found with its namespace, and that others who answer the ping are
// not; that a search ends when the caller has enough or ctx ends, and leaves no subscription.
func TestWhoIsDiscovered(t *testing.T) {
	server := testenv.StartNATS(t)
	connect := func() *nats.Conn {
		conn, err := messages.Connect(server.URL(), "test", zerolog.Nop())
		must(t, err)
		t.Cleanup(conn.Close)
		return conn
	}
	conn := connect()
	search := func(limit time.Duration, found func(messages.Namespace) bool) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		err := messages.Discover(ctx, conn, found)
		if n := conn.NumSubscriptions(); n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
		return err
	}
	nobody := func(n messages.Namespace) bool {
		t.Errorf("%v is found", n)
		return false
	}
	must(t, search(50*time.Millisecond, nobody)) // without anybody who answers

	stranger := connect()
	for _, answer := range []string{"no json", `{"name":"another","metadata":{"database":"x","prefix":"y"}}`, `{}`} {
		_, err := stranger.Subscribe("$SRV.PING."+messages.ServiceName, func(m *nats.Msg) { _ = m.Respond([]byte(answer)) })
		must(t, err)
	}
	must(t, stranger.FlushTimeout(awhile))
	must(t, search(200*time.Millisecond, nobody))

	for _, database := range []string{"a", "b"} {
		_, err := messages.Serve(messages.Link{Conn: connect(), Namespace: messages.Namespace{Prefix: "eventio", Database: database}}, func(*nats.Msg) {})
		must(t, err)
	}
	both := make(map[string]bool)
	must(t, search(awhile, func(n messages.Namespace) bool {
		if n.Prefix != "eventio" {
			t.Errorf("%v is found", n)
		}
		both[n.Database] = true
		return len(both) < 2
	}))
	if !both["a"] || !both["b"] {
		t.Errorf("%v are found", both)
	}
	calls := 0
	must(t, search(awhile, func(messages.Namespace) bool { calls++; return false }))
	if calls != 1 {
		t.Errorf("it goes on %d times after the caller has enough", calls-1)
	}
	conn.Close()
	if messages.Discover(t.Context(), conn, nobody) == nil {
		t.Error("a closed connection finds nobody, and nothing is said of it")
	}
}

// TestASearchPingsAgain checks that a worker which comes later is found.
func TestASearchPingsAgain(t *testing.T) {
	server := testenv.StartNATS(t)
	conn, err := messages.Connect(server.URL(), "test", zerolog.Nop())
	must(t, err)
	defer conn.Close()
	other, err := messages.Connect(server.URL(), "worker", zerolog.Nop())
	must(t, err)
	defer other.Close()
	pinged := make(chan struct{}, 100)
	_, err = other.Subscribe("$SRV.PING."+messages.ServiceName, func(*nats.Msg) { pinged <- struct{}{} })
	must(t, err)
	must(t, other.FlushTimeout(awhile))
	ctx, cancel := context.WithTimeout(t.Context(), awhile)
	defer cancel()
	go func() {
		<-pinged
		_, err := messages.Serve(messages.Link{Conn: other, Namespace: messages.Namespace{Prefix: "eventio", Database: "late"}}, func(*nats.Msg) {})
		if err != nil {
			t.Error(err)
		}
	}()
	late := false
	must(t, messages.Discover(ctx, conn, func(n messages.Namespace) bool { late = n.Database == "late"; return !late }))
	if !late {
		t.Error("who comes after the first ping is not found")
	}
}
