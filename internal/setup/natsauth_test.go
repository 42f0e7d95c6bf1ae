package setup

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestNATSCredentials: the port of the embedded server is open to who proves to know the credentials,
// and to nobody without any; what is wrong with credentials is told without them.
func TestNATSCredentials(t *testing.T) {
	const password = "hunter2-hunter2-hunter2"
	for auth, ok := range map[string]bool{
		"ada:" + password: true, "a_B-9:with:colons:at/16%": true,
		"": false, "ada": false, password: false, ":" + password: false, "ada:": false, "ada:hunter2": false, "ada:hunter2-hunter2 ": false,
		"a da:" + password: false, "ada:hunter2-hunter2-\x00": false, "ada:hünter2-hunter2-": false, "a.b:" + password: false,
	} {
		_, err := newNATSAuth("127.0.0.1:0", auth)
		if (err == nil) != ok || err != nil && (!errors.Is(err, process.ErrUsage) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ada")) {
			t.Errorf("%q: %v", auth, err)
		}
	}
	if _, err := newNATSAuth("", ""); err != nil {
		t.Errorf("without a port: %v", err)
	}

	e, err := OpenEmbedded(t.Context(), EmbeddedConfig{Data: t.TempDir(), NATSListen: "127.0.0.1:0", NATSListenAuth: "ada:" + password}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for name, as := range map[string]nats.Option{
		"nobody": nil, "another password": nats.UserInfo("ada", password+"x"), "another user": nats.UserInfo("bob", password), "a token": nats.Token(password),
		"an empty password": nats.UserInfo("ada", ""), "this process's user": nats.UserInfo(e.auth.own.user, password),
	} {
		conn, err := nats.Connect(e.NATSURL(), func(o *nats.Options) error {
			if as == nil {
				return nil
			}
			return as(o)
		})
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRightsOfOthers: who has the credentials can ask workers, and can neither listen to others, nor
// take requests, nor answer, nor end tokens.
func TestRightsOfOthers(t *testing.T) {
	e, err := OpenEmbedded(t.Context(), EmbeddedConfig{Data: t.TempDir(), NATSListen: "127.0.0.1:0", NATSListenAuth: "ada:0123456789abcdef"}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	const end = "the.end"
	refused := make(chan error, 100)
	conn, err := nats.Connect(e.NATSURL(), nats.UserInfo("ada", "0123456789abcdef"), nats.PermissionErrOnSubscribe(true),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	requester, err := messages.NewRequester(messages.Link{Conn: conn, Namespace: e.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	got := requester.Request(t.Context(), messages.SeatRequest{
		Kind: messages.KindRecount, RequestID: "r", EventID: store.NewID(), Actor: messages.Actor{Kind: messages.ActorOperator},
	}, time.Now().Add(5*time.Second))
	if got.Reply.Outcome != store.EventNotFound {
		t.Errorf("a repair is answered %+v", got)
	}
	select {
	case err := <-refused:
		t.Fatalf("what a repair needs is refused: %v", err)
	default:
	}
	own, err := e.Connect("api")
	if err != nil {
		t.Fatal(err)
	}
	inbox := own.Conn.NewInbox()
	if !strings.HasPrefix(inbox, ownInboxes+".") {
		t.Errorf("an own inbox is %s", inbox)
	}
	for _, subject := range []string{">", "eventio.>", e.Namespace.Seats(), e.Namespace.Worker("*"), e.Namespace.Revocations(), ownInboxes + ".>", inbox, "_INBOX_>", "*.>", "$SRV.>", "$SYS.>"} {
		sub, err := conn.SubscribeSync(subject)
		if err == nil {
			_, err = sub.NextMsg(5 * time.Second)
		}
		if !errors.Is(err, nats.ErrPermissionViolation) && !errors.Is(err, nats.ErrBadSubject) {
			t.Errorf("it can listen to %s: %v", subject, err)
		}
		if _, err := conn.QueueSubscribe(subject, messages.QueueWorkers, func(*nats.Msg) { t.Errorf("it takes a message of %s", subject) }); err != nil && !errors.Is(err, nats.ErrBadSubject) {
			t.Error(err)
		}
	}
	// refusal returns whether the server has refused to take a message to a subject.
	refusal := func(subject string) bool {
		t.Helper()
		if err := conn.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := conn.Publish(end, nil); err != nil { // is refused, after the subject
			t.Fatal(err)
		}
		found := false
		for {
			select {
			case err := <-refused:
				switch {
				case strings.Contains(err.Error(), `Publish to "`+end+`"`):
					return found
				case strings.Contains(err.Error(), `Publish to "`+subject+`"`):
					found = true
				}
			case <-time.After(5 * time.Second):
				t.Fatalf("nothing is heard of a message to %s", subject)
			}
		}
	}
	for subject, want := range map[string]bool{
		e.Namespace.Revocations(): true, inbox + ".1": true, "_INBOX.a.b": true, "eventio.other.v2.seats": true, messages.SharedSeats: true,
		"x": true, "$SYS.REQ.SERVER.PING": true,
		e.Namespace.Seats(): false, e.Namespace.Worker("a"): false, "$SRV.PING." + messages.ServiceName: false, "$SRV.INFO": false,
	} {
		if refusal(subject) != want {
			t.Errorf("a message to %s is refused: %t", subject, !want)
		}
	}
}
