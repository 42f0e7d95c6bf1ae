package messages

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/store"
)

const aSubject = "subject"

// unsent makes a batcher without a connection, with calls in its queue.
func unsent(n int) (*batcher, []*call) {
	s := &batcher{inbox: "inbox", started: time.Now(), queues: make(map[string][]*call), inFlight: make(map[string]*sentMessage)}
	calls := make([]*call, n)
	for i := range calls {
		calls[i] = &call{
			req:      SeatRequest{Kind: KindRegister, RequestID: "request", EventID: bson.NewObjectID(), UserID: bson.NewObjectID()},
			deadline: time.Now().Add(time.Minute), done: make(chan result, 1),
		}
	}
	s.queues[aSubject] = calls
	return s, calls
}

// sentAs makes a message of the queue and returns its name and its requests.
func sentAs(t *testing.T, s *batcher) (name string, requests []SeatRequest) {
	t.Helper()
	name, data := s.nextMessage(aSubject)
	requests, err := DecodeRequests(data)
	if err != nil || name == "" {
		t.Fatalf("message %q: %v", name, err)
	}
	return name, requests
}

func replied(t *testing.T, s *batcher, name string, replies ...SeatReply) {
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

// told returns the result of a call. ok is false when there is none yet.
func told(c *call) (v result, ok bool) {
	select {
	case v := <-c.done:
		return v, true
	default:
		return result{}, false
	}
}

// TestEachCallGetsItsOwnReply: also when other replies to the message come twice, name no call, or
// do not come.
func TestEachCallGetsItsOwnReply(t *testing.T) {
	s, calls := unsent(4)
	name, requests := sentAs(t, s)
	if len(requests) != 4 {
		t.Fatalf("%d requests", len(requests))
	}
	reply := func(item int) SeatReply {
		return SeatReply{Message: name, Item: item, Outcome: store.Registered, Number: int64(item)}
	}
	replied(t, s, name, reply(1), reply(1), reply(-1), reply(4), SeatReply{Message: "other", Outcome: store.SoldOut})
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
	if replied(t, s, name, reply(0)); len(s.inFlight) != 0 {
		t.Errorf("%d messages are remembered when all are answered", len(s.inFlight))
	}
	if v, ok := told(calls[0]); !ok || v.reply.Number != 0 {
		t.Errorf("the last one: %+v", v)
	}
}

// TestOneReplyForAll: when nobody got a message, or the reply cannot be read or names no message,
// all its calls that still wait are answered.
func TestOneReplyForAll(t *testing.T) {
	for name, c := range map[string]struct {
		msg  nats.Msg
		want func(result) bool
	}{
		"nobody listens": {
			nats.Msg{Header: nats.Header{"Status": {"503"}}}, func(v result) bool { return errors.Is(v.err, nats.ErrNoResponders) },
		},
		"unreadable": {nats.Msg{Data: []byte("garbage")}, func(v result) bool { return v.err != nil && !neverSent(v.err) }},
		"empty":      {nats.Msg{}, func(v result) bool { return v.err != nil && !neverSent(v.err) }},
		"data in spite of a status": {
			nats.Msg{Header: nats.Header{"Status": {"503"}}, Data: []byte(`{"outcome":"invalid"}`)},
			func(v result) bool { return v.reply.Outcome == OutcomeInvalid },
		},
		"one word": {nats.Msg{Data: []byte(`{"outcome":"overloaded"}`)}, func(v result) bool { return v.reply.Outcome == OutcomeOverloaded }},
	} {
		t.Run(name, func(t *testing.T) {
			s, calls := unsent(3)
			message, _ := sentAs(t, s)
			replied(t, s, message, SeatReply{Message: message, Item: 1, Outcome: store.SoldOut})
			c.msg.Subject = "inbox." + message
			s.receive(&c.msg)
			for _, i := range []int{0, 2} {
				if v, ok := told(calls[i]); !ok || !c.want(v) {
					t.Errorf("call %d is told %+v", i, v)
				}
			}
			if v, _ := told(calls[1]); v.reply.Outcome != store.SoldOut {
				t.Errorf("the one that had its answer is told %+v", v)
			}
			if len(s.inFlight) != 0 {
				t.Error("the message is remembered")
			}
		})
	}
}

// TestWhatIsNotSent: no message has a call that was abandoned or has no time left, and a call
// without time gets a result.
func TestWhatIsNotSent(t *testing.T) {
	s, calls := unsent(4)
	if s.abandon(calls[0]) {
		t.Error("a call that was not sent may have reached somebody")
	}
	calls[1].deadline = time.Now().Add(replyMargin)
	name, requests := sentAs(t, s)
	if len(requests) != 2 {
		t.Errorf("%d requests are sent", len(requests))
	}
	if v, ok := told(calls[1]); !ok || !errors.Is(v.err, errExpired) || !neverSent(v.err) {
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
	replied(t, s, name, SeatReply{Message: name, Item: 1, Outcome: store.Registered})
	if _, ok := told(calls[3]); !ok {
		t.Error("the last call is the second of its message and was not answered")
	}
	if again, _ := s.nextMessage(aSubject); again != "" {
		t.Errorf("message %q is empty", again)
	}
	if _, sending := s.queues[aSubject]; sending {
		t.Error("the queue counts as being sent when no goroutine sends it")
	}
}

// TestMessagesAreBounded: in requests and in bytes. A request that is too large by itself is sent
// alone, so that the worker refuses it and it does not stay in the queue for ever.
func TestMessagesAreBounded(t *testing.T) {
	s, _ := unsent(MaxRequests + 1)
	for _, want := range []int{MaxRequests, 1} {
		if _, requests := sentAs(t, s); len(requests) != want {
			t.Errorf("%d requests in a message, want %d", len(requests), want)
		}
	}
	text := func(bytes int) *store.Edit { return &store.Edit{Title: new(strings.Repeat("a", bytes))} }
	s, calls := unsent(4)
	for _, c := range calls {
		c.req.Kind, c.req.UserID, c.req.Edit = KindEditEvent, ID{}, text(MaxMessage/2-500)
	}
	calls[2].req.Edit = text(MaxMessage)
	for i, want := range []int{2, 1, 1} {
		name, data := s.nextMessage(aSubject)
		if n := strings.Count(string(data), "\n"); n != want || (len(data) > MaxMessage) != (i == 1) || s.inFlight[name].open != want {
			t.Errorf("message %d has %d requests and %d bytes", i, n, len(data))
		}
	}
}
