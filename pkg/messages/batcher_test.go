package messages

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const aSubject = "subject"

// unsent makes a sender without a connection, and calls that wait to be sent.
func unsent(n int) (*sender, []*call) {
	s := &sender{inbox: "inbox", started: time.Now(), waiting: make(map[string][]*call), sent: make(map[string]*message)}
	calls := make([]*call, n)
	for i := range calls {
		calls[i] = &call{
			req:   SeatRequest{Kind: KindRegister, RequestID: "wish", EventID: bson.NewObjectID(), UserID: bson.NewObjectID()},
			until: time.Now().Add(time.Minute), done: make(chan verdict, 1),
		}
	}
	s.waiting[aSubject] = calls
	return s, calls
}

// sentAs sends all that waits as one message and returns its name and its requests.
func sentAs(t *testing.T, s *sender) (name string, requests []SeatRequest) {
	t.Helper()
	name, data := s.next(aSubject)
	requests, err := DecodeRequests(data)
	if err != nil || name == "" {
		t.Fatalf("message %q: %v", name, err)
	}
	return name, requests
}

func replied(t *testing.T, s *sender, name string, replies ...SeatReply) {
	t.Helper()
	var data []byte
	for _, r := range replies {
		one, err := Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, one...)
	}
	s.receive(&nats.Msg{Subject: "inbox." + name, Data: data})
}

// told is what a call was told; ok is false when that is nothing yet.
func told(c *call) (v verdict, ok bool) {
	select {
	case v := <-c.done:
		return v, true
	default:
		return verdict{}, false
	}
}

// TestEachCallGetsItsOwnReply: whatever comes twice, for nobody, or not at all, the others of
// the message are answered.
func TestEachCallGetsItsOwnReply(t *testing.T) {
	s, calls := unsent(4)
	name, requests := sentAs(t, s)
	if len(requests) != 4 {
		t.Fatalf("%d requests", len(requests))
	}
	reply := func(item int) SeatReply {
		return SeatReply{Message: name, Item: item, Outcome: OutcomeRegistered, Number: int64(item)}
	}
	replied(t, s, name, reply(1), reply(1), reply(-1), reply(4), SeatReply{Message: "other", Outcome: OutcomeSoldOut})
	replied(t, s, name, reply(1))
	if !s.abandon(calls[2]) {
		t.Error("a call that was sent is said to have reached nobody")
	}
	replied(t, s, name, reply(3), reply(2))
	for i, want := range []bool{false, true, false, true} {
		if v, ok := told(calls[i]); ok != want || ok && (v.err != nil || v.reply.Number != int64(i)) {
			t.Errorf("call %d: %+v, answered: %t", i, v, ok)
		}
	}
	if replied(t, s, name, reply(0)); len(s.sent) != 0 {
		t.Errorf("%d messages are remembered when all are answered", len(s.sent))
	}
	if v, ok := told(calls[0]); !ok || v.reply.Number != 0 {
		t.Errorf("the last one: %+v", v)
	}
}

// TestOneReplyForAll: a message that nobody got, that somebody answered unreadably, or in one
// word, answers all its calls that still wait.
func TestOneReplyForAll(t *testing.T) {
	for name, c := range map[string]struct {
		msg  nats.Msg
		want func(verdict) bool
	}{
		"nobody listens": {
			nats.Msg{Header: nats.Header{"Status": {"503"}}}, func(v verdict) bool { return errors.Is(v.err, nats.ErrNoResponders) },
		},
		"unreadable": {nats.Msg{Data: []byte("garbage")}, func(v verdict) bool { return v.err != nil && !notSent(v.err) }},
		"empty":      {nats.Msg{}, func(v verdict) bool { return v.err != nil && !notSent(v.err) }},
		"data in spite of a status": {
			nats.Msg{Header: nats.Header{"Status": {"503"}}, Data: []byte(`{"outcome":"invalid"}`)},
			func(v verdict) bool { return v.reply.Outcome == OutcomeInvalid },
		},
		"one word": {nats.Msg{Data: []byte(`{"outcome":"overloaded"}`)}, func(v verdict) bool { return v.reply.Outcome == OutcomeOverloaded }},
	} {
		t.Run(name, func(t *testing.T) {
			s, calls := unsent(3)
			message, _ := sentAs(t, s)
			replied(t, s, message, SeatReply{Message: message, Item: 1, Outcome: OutcomeSoldOut})
			c.msg.Subject = "inbox." + message
			s.receive(&c.msg)
			for _, i := range []int{0, 2} {
				if v, ok := told(calls[i]); !ok || !c.want(v) {
					t.Errorf("call %d is told %+v", i, v)
				}
			}
			if v, _ := told(calls[1]); v.reply.Outcome != OutcomeSoldOut {
				t.Errorf("the one that had its answer is told %+v", v)
			}
			if len(s.sent) != 0 {
				t.Error("the message is remembered")
			}
		})
	}
}

// TestWhatIsNotSent: calls that were given up or have no time left are in no message, and the
// latter are told.
func TestWhatIsNotSent(t *testing.T) {
	s, calls := unsent(4)
	if s.abandon(calls[0]) {
		t.Error("a call that was not sent may have reached somebody")
	}
	calls[1].until = time.Now().Add(replyMargin)
	name, requests := sentAs(t, s)
	if len(requests) != 2 {
		t.Errorf("%d requests are sent", len(requests))
	}
	if v, ok := told(calls[1]); !ok || !errors.Is(v.err, errVoid) || !notSent(v.err) {
		t.Errorf("a call without time is told %+v", v)
	}
	if s.abandon(calls[1]) {
		t.Error("a call without time may have reached somebody")
	}
	for _, r := range requests {
		if r.RemainingMillis <= 0 || r.RemainingMillis > (time.Minute-replyMargin).Milliseconds() || r.SentMillis < 1 {
			t.Errorf("%d ms remain, sent at %d", r.RemainingMillis, r.SentMillis)
		}
	}
	replied(t, s, name, SeatReply{Message: name, Item: 1, Outcome: OutcomeRegistered})
	if _, ok := told(calls[3]); !ok {
		t.Error("the last call is the second of its message and was not answered")
	}
	if again, _ := s.next(aSubject); again != "" {
		t.Errorf("message %q is empty", again)
	}
	if _, drained := s.waiting[aSubject]; drained {
		t.Error("the subject counts as drained when nobody drains it")
	}
}

// TestMessagesAreBounded: in requests and in bytes; what is too large by itself goes alone, so
// that it is refused and not kept for ever.
func TestMessagesAreBounded(t *testing.T) {
	s, _ := unsent(maxItems + 1)
	for _, want := range []int{maxItems, 1} {
		if _, requests := sentAs(t, s); len(requests) != want {
			t.Errorf("%d requests in a message, want %d", len(requests), want)
		}
	}
	text := func(bytes int) *EventEdit { return &EventEdit{Title: new(strings.Repeat("a", bytes))} }
	s, calls := unsent(4)
	for _, c := range calls {
		c.req.Kind, c.req.UserID, c.req.Edit = KindEditEvent, ID{}, text(MaxMessage/2-500)
	}
	calls[2].req.Edit = text(MaxMessage)
	for i, want := range []int{2, 1, 1} {
		name, data := s.next(aSubject)
		if n := strings.Count(string(data), "\n"); n != want || (len(data) > MaxMessage) != (i == 1) || s.sent[name].open != want {
			t.Errorf("message %d has %d requests and %d bytes", i, n, len(data))
		}
	}
}
