package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// damagedFixture is a database with one event that a recount repairs.
func damagedFixture(t *testing.T, open func(testing.TB) *fixture) (*fixture, store.Store, store.Event) {
	t.Helper()
	f := open(t)
	s := f.open(t)
	closeAtEnd(t, s)
	e, _ := populate(t, s)
	f.set(t, "events", e.ID, map[string]any{"tickets_sold": 1})
	e, err := s.Event(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return f, s, e
}

// TestRepairThroughTheWrongNATS: where only workers of other databases are, a repair says so,
// names them, and changes nothing.
func TestRepairThroughTheWrongNATS(t *testing.T) {
	for kind, open := range map[string]func(testing.TB) *fixture{"sqlite": sqliteFixture, "mongodb": mongoFixture} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f, s, e := damagedFixture(t, open)
			mine := s.DatabaseID()
			repair := func(nats *testenv.NATS, more ...string) (string, error) {
				return tool(t, slices.Concat([]string{"verify"}, f.flags, []string{"--repair", "--nats-url", nats.URL()}, more)...)
			}
			refused := func(out string, err error, says ...string) {
				t.Helper()
				if err == nil {
					t.Fatalf("it is repaired:\n%s", out)
				}
				for _, text := range append(says, "no worker of database "+mine, "nothing was changed") {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("error %q does not say %q", err, text)
					}
				}
				if after, err := s.Event(t.Context(), e.ID); err != nil || !after.Equal(e) {
					t.Errorf("the event was %+v, and is %+v, %v", e, after, err)
				}
			}
			empty := testenv.StartNATS(t)
			out, err := repair(empty)
			refused(out, err, "there are none at all")

			nats := testenv.StartNATS(t)
			other := open(t).open(t)
			closeAtEnd(t, other)
			startWorker(t, other, nats.URL())
			announceOld(t, nats)
			out, err = repair(nats)
			refused(out, err, "(prefix eventio) is on this NATS server", "those that are there serve: "+other.DatabaseID()+" (prefix eventio), ", "older workers")

			startWorker(t, s, nats.URL())
			out, err = repair(nats, "--nats-prefix", "acme.test")
			refused(out, err, "(prefix acme.test)", mine+" (prefix eventio)")
			out, err = repair(nats)
			wantClean(t, out, err)
			if !strings.Contains(out, "repair: database "+mine+" (prefix eventio)") || !strings.Contains(out, "tickets_sold 1 -> 2") {
				t.Errorf("it printed\n%s", out)
			}
		})
	}
}

// TestARepairIsTheOperators: the workers are told who had an event recounted.
func TestARepairIsTheOperators(t *testing.T) {
	f, s, e := damagedFixture(t, sqliteFixture)
	srv := testenv.StartNATS(t)
	startWorker(t, s, srv.URL())
	conn, err := messages.Connect(srv.URL(), "test", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	heard := make(chan messages.SeatRequest, 10) // what workers are sent
	seats := messages.Namespace{Prefix: messages.DefaultPrefix, Database: s.DatabaseID()}.Seats()
	for _, subject := range []string{seats, seats + ".*"} {
		_, err := conn.Subscribe(subject, func(m *nats.Msg) {
			if all, err := messages.DecodeRequests(m.Data); err == nil {
				heard <- all[0]
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.FlushTimeout(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	out, err := tool(t, slices.Concat([]string{"verify"}, f.flags, []string{"--repair", "--nats-url", srv.URL()})...)
	wantClean(t, out, err)
	select {
	case got := <-heard:
		if got.Kind != messages.KindRecount || got.EventID != e.ID || got.Actor != (messages.Actor{Kind: messages.ActorOperator}) {
			t.Errorf("the workers are sent %+v", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("the workers are sent nothing")
	}
}

// announceOld makes the workers of the version before known, which say nothing of their database.
func announceOld(t *testing.T, nats *testenv.NATS) {
	t.Helper()
	conn, err := messages.Connect(nats.URL(), "old worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if _, err := micro.AddService(conn, micro.Config{Name: messages.ServiceName, Version: "2.0.0"}); err != nil {
		t.Fatal(err)
	}
	if err := conn.FlushTimeout(10 * time.Second); err != nil {
		t.Fatal(err)
	}
}

// natsAuth are the credentials of other processes for the embedded NATS server.
const natsAuth = "ada:a-long-password-0"

// withAuth returns the URL of an embedded NATS server with the credentials.
func withAuth(address string) string {
	return strings.Replace(address, "://", "://"+natsAuth+"@", 1)
}

// TestPrefixes: a folder that is served under a prefix is repaired under the same one only, and
// one that cannot be a subject is refused with its name.
func TestPrefixes(t *testing.T) {
	f := sqliteFixture(t)
	dir := f.flags[1]
	var log system.Log
	embedded, err := setup.OpenEmbedded(t.Context(), setup.EmbeddedConfig{
		Data: dir, NATSListen: "127.0.0.1:0", NATSListenAuth: natsAuth, Prefix: setup.Prefix{NATSPrefix: "acme"},
	}, zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, embedded)
	if want := `"database":"` + embedded.Store.DatabaseID() + `","nats_prefix":"acme"`; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say %s:\n%s", want, log.String())
	}
	e, _ := populate(t, embedded.Store)
	f.set(t, "events", e.ID, map[string]any{"tickets_sold": 1})
	repair := []string{"verify", "--data", dir, "--repair", "--nats-url", withAuth(embedded.NATSURL())}
	if out, err := tool(t, repair...); err == nil || !strings.Contains(err.Error(), "those that are there serve: "+embedded.Namespace.String()) {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := tool(t, append(repair, "--nats-prefix", "acme")...)
	wantClean(t, out, err)
	for _, args := range [][]string{{"serve", "--nats-prefix", "a b"}, {"verify", "--nats-prefix", "*"}, {"verify", "--nats-prefix="}} {
		if _, err := tool(t, args...); err == nil || !strings.Contains(err.Error(), "--nats-prefix") {
			t.Errorf("%q: error is %v", args, err)
		}
	}
}
