package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestRepliesAreSentOnce: also when there are more than fit into a message, for several
// requesters.
func TestRepliesAreSentOnce(t *testing.T) {
	conn, err := messages.Connect(testenv.StartNATS(t).URL(), "worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	inboxes := []string{conn.NewInbox(), conn.NewInbox()}
	var subscriptions []*nats.Subscription
	for _, inbox := range inboxes {
		sub, err := conn.SubscribeSync(inbox + ".*")
		if err != nil {
			t.Fatal(err)
		}
		subscriptions = append(subscriptions, sub)
	}
	const each = 6000 // of about 70 bytes
	out := replies{worker: &Worker{conn: conn, sampledLog: zerolog.Nop()}}
	for i := range each {
		for _, inbox := range inboxes {
			r := request{reply: inbox + ".message", item: i}
			out.add(r, messages.SeatReply{Outcome: store.Registered, Number: int64(i + 1)})
		}
	}
	out.send()
	out.send() // has nothing left
	if err := conn.FlushTimeout(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	for n, sub := range subscriptions {
		next, sent := 0, 0
		for next < each {
			msg, err := sub.NextMsg(10 * time.Second)
			if err != nil {
				t.Fatalf("after %d answers: %v", next, err)
			}
			sent++
			replies, err := messages.DecodeReplies(msg.Data)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(msg.Subject, inboxes[n]+".") {
				t.Errorf("an answer comes on %s", msg.Subject)
			}
			for _, reply := range replies {
				if reply.Item != next || reply.Message != "message" || reply.Number != int64(next+1) {
					t.Fatalf("answer %d is %+v", next, reply)
				}
				next++
			}
		}
		if left, _, err := sub.Pending(); err != nil || left != 0 || sent < 2 {
			t.Errorf("%d messages, and %d more: %v", sent, left, err)
		}
	}
	if len(out.answered) != 2*each {
		t.Errorf("%d answers are for the log", len(out.answered))
	}
}

// TestAnswersThatCannotBeSentAreLogged checks that a worker says so when an answer cannot be written or its connection is closed, and
// only then. It counts as given in the second case only, in which it was on its way.
func TestAnswersThatCannotBeSentAreLogged(t *testing.T) {
	conn := connectTo(t, testenv.StartNATS(t).URL())
	var log strings.Builder
	out := replies{worker: &Worker{conn: conn, sampledLog: zerolog.New(&log)}}
	r := request{reply: conn.NewInbox() + ".message"}
	out.add(r, messages.SeatReply{Outcome: store.Registered})
	if out.send(); log.Len() > 0 {
		t.Errorf("the log of answers that are sent is %s", &log)
	}
	out.add(r, messages.SeatReply{Outcome: store.Registered, RegisteredAt: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)})
	if !strings.Contains(log.String(), "an answer cannot be sent") || len(out.answered) != 1 || len(out.outgoing) != 0 {
		t.Errorf("the log is %q, and answered are %+v", &log, out.answered)
	}
	conn.Close()
	out.add(r, messages.SeatReply{Outcome: messages.OutcomeOverloaded, Again: true})
	if out.send(); !strings.Contains(log.String(), "answers cannot be sent") || len(out.answered) != 2 || out.answered[1].outcome != store.Overtaken {
		t.Errorf("the log is %q, and answered are %+v", &log, out.answered)
	}
}

// TestAMessageOfAnswersIsFilled checks that an answer travels with others as long as the message may be sent.
func TestAMessageOfAnswersIsFilled(t *testing.T) {
	conn := connectTo(t, testenv.StartNATS(t).URL())
	inbox := conn.NewInbox()
	requester, name := messages.SplitReplySubject(inbox + ".message")
	reply := messages.SeatReply{Outcome: store.Registered}
	told := reply
	told.Message = name
	data, err := messages.Encode(told)
	if err != nil {
		t.Fatal(err)
	}
	for room, left := range map[int]int{len(data): messages.MaxMessage, len(data) - 1: len(data)} {
		m := &replyMessage{requester: requester, subject: inbox + ".message", data: make([]byte, messages.MaxMessage-room)}
		out := replies{worker: &Worker{conn: conn, sampledLog: zerolog.Nop()}, outgoing: []*replyMessage{m}}
		if out.add(request{reply: inbox + ".message"}, reply); len(m.data) != left || len(out.outgoing) != 1 {
			t.Errorf("with room for %d bytes an answer of %d leaves a message of %d", room, len(data), len(m.data))
		}
	}
}
