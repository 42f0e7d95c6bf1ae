package messages_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestAForgerWhoSeesPings: whoever is permitted to hear pings to workers, and so sees one inbox of
// an API process, cannot answer its requests. The inboxes of nats.go follow each other, and so
// did the names of messages.
func TestAForgerWhoSeesPings(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	seen := answering(t, url, "") // takes requests and is silent
	forger := connect(t, url, "forger")
	pings, err := forger.SubscribeSync("$SRV.PING." + messages.ServiceName)
	if err == nil {
		err = forger.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := requester(t, url)
	told := make(chan messages.SeatReply, 1)
	go func() { told <- ask(t, r, 2*time.Second) }()
	ping, err := pings.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	<-seen
	for _, inbox := range before(t, ping.Reply) {
		for _, name := range []string{"0", "1"} {
			forged := &nats.Msg{Subject: inbox + "." + name, Data: encode(t, messages.SeatReply{Outcome: store.Registered, Number: 1})}
			if err := forger.PublishMsg(forged); err != nil {
				t.Fatal(err)
			}
		}
	}
	if reply := <-told; reply.Outcome != messages.OutcomeUnknown {
		t.Errorf("nobody decided, and the request is answered %s", reply.Outcome)
	}
}

// before returns the inboxes that nats.go can have made immediately before another one: its numbers
// of 62 digits grow by 33 to 333.
func before(t *testing.T, inbox string) []string {
	t.Helper()
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const length = 10 // of the number, at the end
	if len(inbox) < length {
		t.Fatalf("inbox %q", inbox)
	}
	head, tail := inbox[:len(inbox)-length], inbox[len(inbox)-length:]
	var number int64
	for _, c := range tail {
		i := strings.IndexRune(digits, c)
		if i < 0 {
			t.Fatalf("inbox %q", inbox)
		}
		number = 62*number + int64(i)
	}
	var all []string
	for step := int64(1); step < 400; step++ {
		text := make([]byte, length)
		for n, i := number-step, length-1; i >= 0; i-- {
			text[i] = digits[max(0, n%62)]
			n /= 62
		}
		all = append(all, head+string(text))
	}
	return all
}

// TestAForgerWhoHasHeardOnce: an inbox that somebody has learned once is no help with what is sent
// from it later.
func TestAForgerWhoHasHeardOnce(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	conn := connect(t, url, "worker")
	inboxes := make(chan string, 10)
	heard := 0
	_, err := conn.QueueSubscribe(names("here").Seats(), messages.QueueWorkers, func(m *nats.Msg) {
		inbox, name := messages.SplitReplySubject(m.Reply)
		inboxes <- inbox
		if heard++; heard == 1 {
			_ = m.Respond(encode(t, messages.SeatReply{Message: name, Outcome: store.SoldOut}))
		}
	})
	if err == nil {
		err = conn.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := requester(t, url)
	if got := ask(t, r, 5*time.Second); got.Outcome != store.SoldOut {
		t.Fatalf("outcome is %s", got.Outcome)
	}
	told := make(chan messages.SeatReply, 1)
	go func() { told <- ask(t, r, 2*time.Second) }()
	inbox := <-inboxes
	testenv.Eventually(t, 5*time.Second, "take the second request", func() error {
		if len(inboxes) == 0 {
			return context.DeadlineExceeded
		}
		return nil
	})
	for i := range 2000 {
		name := strconv.FormatInt(int64(i), 36)
		for _, reply := range []messages.SeatReply{
			{Outcome: store.Registered, Number: 1}, {Message: name, Outcome: store.Registered, Number: 1},
		} {
			if err := conn.Publish(inbox+"."+name, encode(t, reply)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if reply := <-told; reply.Outcome != messages.OutcomeUnknown {
		t.Errorf("nobody decided, and the request is answered %s", reply.Outcome)
	}
}
