package messages_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func TestNamesThatCannotBeInASubject(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	conn := connect(t, url, "test")
	for _, n := range []messages.Namespace{
		{}, {Prefix: "eventio"}, {Database: "d"},
		{Prefix: "eventio", Database: "a.b"}, {Prefix: "eventio", Database: "*"}, {Prefix: "eventio", Database: "A"},
		{Prefix: "eventio", Database: strings.Repeat("d", 33)},
		{Prefix: ".", Database: "d"}, {Prefix: "a..b", Database: "d"}, {Prefix: "a.", Database: "d"}, {Prefix: ".a", Database: "d"},
		{Prefix: "a b", Database: "d"}, {Prefix: "*", Database: "d"}, {Prefix: "a.>", Database: "d"}, {Prefix: "ä", Database: "d"},
		{Prefix: "a\r\nPUB x 0", Database: "d"}, {Prefix: "$SRV", Database: "d"}, {Prefix: strings.Repeat("p", 65), Database: "d"},
	} {
		if n.Check() == nil {
			t.Errorf("%q is taken", n)
		}
		l := messages.Link{Conn: conn, Namespace: n}
		if _, err := messages.NewRequester(l); err == nil {
			t.Errorf("a requester for %q is made", n)
		}
		if _, err := messages.Serve(l, func(*nats.Msg) {}); err == nil {
			t.Errorf("a worker for %q is made", n)
		}
		if _, err := messages.SubscribeRevocations(l, nil, nil); err == nil {
			t.Errorf("revocations of %q are taken", n)
		}
		if err := messages.PublishRevocation(l, messages.Revocation{}); err == nil {
			t.Errorf("a revocation for %q is sent", n)
		}
	}
	for _, prefix := range []string{"eventio", "a", "A-1_b", "acme.staging", strings.Repeat("p", 64)} {
		if err := (messages.Namespace{Prefix: prefix, Database: "0a"}).Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestEverySubjectNamesItsDatabase(t *testing.T) {
	seen := make(map[string]messages.Namespace)
	for _, n := range []messages.Namespace{
		{Prefix: "eventio", Database: "a"}, {Prefix: "eventio", Database: "b"},
		{Prefix: "other", Database: "a"}, {Prefix: "eventio.a", Database: "b"}, {Prefix: "eventio", Database: "v2"},
	} {
		for _, subject := range []string{n.Seats(), n.Worker("w"), n.Revocations()} {
			if who, taken := seen[subject]; taken || subject == messages.SharedSeats {
				t.Errorf("%s of %s is also that of %s", subject, n, who)
			}
			seen[subject] = n
			if want := n.Prefix + "." + n.Database + "."; !strings.HasPrefix(subject, want) {
				t.Errorf("%s does not begin with %s", subject, want)
			}
		}
	}
}

// serveAs starts a worker of a namespace that replies to every request with a number.
func serveAs(t *testing.T, url string, n messages.Namespace, number int64) *messages.Service {
	t.Helper()
	conn := connect(t, url, "worker")
	service, err := messages.Serve(messages.Link{Conn: conn, Namespace: n}, func(m *nats.Msg) {
		_ = m.Respond(encode(t, messages.SeatReply{Outcome: store.Registered, Number: number}))
	})
	if err == nil {
		err = conn.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Leave() })
	return service
}

// TestDatabasesOnOneServerDoNotMeet: requesters and workers of several databases and prefixes
// on one NATS server, each answered by its own.
func TestDatabasesOnOneServerDoNotMeet(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	spaces := []messages.Namespace{
		names("production"), names("staging"), {Prefix: "eventio.clone", Database: "production"},
	}
	requesters := make([]*messages.Requester, len(spaces))
	for i, n := range spaces {
		serveAs(t, url, n, int64(i))
		serveAs(t, url, n, int64(i))
		var err error
		if requesters[i], err = messages.NewRequester(messages.Link{Conn: connect(t, url, "api"), Namespace: n}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 200 {
		for i, r := range requesters {
			req := request()
			req.EventID = bson.NewObjectID() // so that each worker gets some, once the router knows them
			got := r.Request(t.Context(), req, time.Now().Add(10*time.Second))
			if got.Cause != nil || got.Reply.Outcome != store.Registered {
				t.Fatalf("%+v", got)
			}
			if got.Reply.Number != int64(i) {
				t.Fatalf("request %d of %s was served by a worker of %s", round, spaces[i], spaces[got.Reply.Number])
			}
		}
	}
	// A requester without a worker of its own database has none, whatever else is on the server.
	stranger, err := messages.NewRequester(link(connect(t, url, "api"), "nobody"))
	if err != nil {
		t.Fatal(err)
	}
	if reply := ask(t, stranger, 2*time.Second); reply.Outcome != messages.OutcomeOverloaded {
		t.Errorf("a requester without workers is told %s", reply.Outcome)
	}
}

func TestRevocationsStayInTheirDatabase(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	heard := make(chan string, 10)
	listen := func(n messages.Namespace) messages.Link {
		l := messages.Link{Conn: connect(t, url, "api"), Namespace: n}
		_, err := messages.SubscribeRevocations(l, func(messages.Revocation) { heard <- n.String() }, func(err error) { t.Error(err) })
		if err == nil {
			err = l.Conn.FlushTimeout(5 * time.Second)
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	here := listen(names("production"))
	links := []messages.Link{listen(names("staging")), listen(messages.Namespace{Prefix: "other", Database: "production"})}
	r := messages.Revocation{UserID: bson.NewObjectID(), PasswordVersion: 1, ChangedAt: time.Now()}
	if err := messages.PublishRevocation(here, r); err != nil {
		t.Fatal(err)
	}
	// A server delivers the messages of one connection in order. So a link that got the second
	// revocation has got the first one already, or never will.
	for _, l := range links {
		if err := messages.PublishRevocation(messages.Link{Conn: here.Conn, Namespace: l.Namespace}, r); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[string]int)
	for range 3 {
		select {
		case who := <-heard:
			got[who]++
		case <-time.After(5 * time.Second):
			t.Fatalf("heard by %v only", got)
		}
	}
	for _, l := range append(links, here) {
		if err := l.Conn.FlushTimeout(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 3 || len(heard) > 0 {
		t.Errorf("heard by %v and %d more, each once is right", got, len(heard))
	}
}

// TestWorkersSayWhoseTheyAre: operators (nats micro info) and tools learn a worker's namespace.
func TestWorkersSayWhoseTheyAre(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	conn := connect(t, url, "operator")
	discover := func(until int) (found map[string]bool) {
		t.Helper()
		found = make(map[string]bool)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := messages.Discover(ctx, conn, func(n messages.Namespace) bool {
			found[n.String()] = true
			return len(found) < until
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := discover(1); len(found) != 0 {
		t.Errorf("nobody is there, found %v", found)
	}
	serveAs(t, url, names("production"), 1)
	serveAs(t, url, messages.Namespace{Prefix: "test", Database: "staging"}, 2)
	if found := discover(2); !found["production (prefix eventio)"] || !found["staging (prefix test)"] {
		t.Errorf("found %v", found)
	}
	for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb} {
		replies, err := conn.SubscribeSync(conn.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		subject, err := micro.ControlSubject(verb, messages.ServiceName, "")
		if err == nil {
			err = conn.PublishRequest(subject, replies.Subject, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		said := make(map[string]string)
		for range 2 {
			msg, err := replies.NextMsg(5 * time.Second)
			var answer micro.ServiceIdentity
			if err == nil {
				err = json.Unmarshal(msg.Data, &answer)
			}
			if err != nil {
				t.Fatal(err)
			}
			said[answer.Metadata["database"]] = answer.Metadata["prefix"]
		}
		if said["production"] != "eventio" || said["staging"] != "test" {
			t.Errorf("%s: %v", verb, said)
		}
	}
}

// TestRequestersOfTheVersionBefore: they send requests on a subject without a database id, and use
// workers of their own version only. A worker serves them after ServeShared, and not before.
func TestRequestersOfTheVersionBefore(t *testing.T) {
	const oldSubject, oldVersion = "eventio.v2.seats", "2.0.0" // as that version has them
	url := testenv.StartNATS(t).URL()
	service := serveAs(t, url, names("here"), 7)
	conn := connect(t, url, "old api")
	if _, err := conn.Request(oldSubject, encode(t, request()), 5*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Fatalf("without being told to, a worker answers: %v", err)
	}
	// knows pings as an old requester does and returns the id of a worker that it would use.
	knows := func() string {
		t.Helper()
		replies, err := conn.SubscribeSync(conn.NewInbox())
		if err == nil {
			err = conn.PublishRequest("$SRV.PING.eventio-worker", replies.Subject, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		for {
			msg, err := replies.NextMsg(300 * time.Millisecond)
			if err != nil {
				return ""
			}
			var ping micro.Ping
			if err := json.Unmarshal(msg.Data, &ping); err != nil {
				t.Fatal(err)
			}
			if ping.Version == oldVersion {
				return ping.ID
			}
		}
	}
	if id := knows(); id != "" {
		t.Error("an old requester is told of a worker that does not listen to it")
	}
	if err := service.ServeShared(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "be served", func() error {
		id := knows()
		if id == "" {
			return errors.New("not announced")
		}
		for _, subject := range []string{oldSubject, oldSubject + "." + id} {
			msg, err := conn.Request(subject, encode(t, request()), 5*time.Second)
			if err != nil {
				return fmt.Errorf("%s: %w", subject, err)
			}
			if replies, err := messages.DecodeReplies(msg.Data); err != nil || replies[0].Number != 7 {
				return fmt.Errorf("%s: %+v, %w", subject, replies, err)
			}
		}
		return nil
	})
	// New requesters keep to the database's own subject and to its worker.
	if reply := ask(t, requester(t, url), 5*time.Second); reply.Number != 7 {
		t.Errorf("a new requester is told %+v", reply)
	}
	if err := service.Leave(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "be announced to old requesters no more", func() error {
		if id := knows(); id != "" {
			return errors.New("it is")
		}
		return nil
	})
}

// TestANamespaceIsTold: people and logs read both parts of it.
func TestANamespaceIsTold(t *testing.T) {
	var log strings.Builder
	logger := zerolog.New(&log)
	logger.Log().EmbedObject(names("a1")).Send()
	if want := `{"database":"a1","nats_prefix":"eventio"}` + "\n"; log.String() != want {
		t.Errorf("the log has %s, want %s", &log, want)
	}
	if got := names("a1").String(); got != "a1 (prefix eventio)" {
		t.Errorf("people read %q", got)
	}
}

// TestARevocationThatIsNotSent: who sends one on a connection that is closed is told, so that they know
// that the others learn of it from the store only; and likewise of one that cannot be written.
func TestARevocationThatIsNotSent(t *testing.T) {
	conn := connect(t, testenv.StartNATS(t).URL(), "test")
	r := messages.Revocation{UserID: bson.NewObjectID(), PasswordVersion: 1, ChangedAt: time.Now()}
	late := r
	late.ChangedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := messages.PublishRevocation(link(conn, "here"), late); err == nil {
		t.Error("one of the year 10000 is sent")
	}
	if err := messages.PublishRevocation(link(conn, "here"), r); err != nil {
		t.Error(err)
	}
	conn.Close()
	if err := messages.PublishRevocation(link(conn, "here"), r); err == nil {
		t.Error("one is sent on a closed connection")
	}
	if sub, err := messages.SubscribeRevocations(link(conn, "here"), nil, nil); err == nil || sub != nil {
		t.Errorf("those on a closed connection are heard by %v", sub)
	}
}

// TestARevocationThatCannotBeRead checks that it is rejected, once, and that the next one is taken.
func TestARevocationThatCannotBeRead(t *testing.T) {
	l := link(connect(t, testenv.StartNATS(t).URL(), "test"), "here")
	heard := make(chan string, 10)
	_, err := messages.SubscribeRevocations(l,
		func(r messages.Revocation) { heard <- fmt.Sprint("version ", r.PasswordVersion) },
		func(err error) { heard <- err.Error() })
	must(t, err)
	must(t, l.Conn.Publish(l.Namespace.Revocations(), []byte("{}")))
	must(t, messages.PublishRevocation(l, messages.Revocation{UserID: bson.NewObjectID(), PasswordVersion: 2, ChangedAt: time.Now()}))
	if first, second := <-heard, <-heard; !strings.Contains(first, "decode revocation") || second != "version 2" || len(heard) > 0 {
		t.Errorf("heard are %q and %q, and %d more", first, second, len(heard))
	}
}
