package messages

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/store"
)

func TestIsInbox(t *testing.T) {
	long := strings.Repeat("x", MaxTraceID)
	for subject, want := range map[string]bool{
		"_INBOX.a.b":           true,
		"_INBOX.a.b.c":         true,
		"_INBOX.aB3-_.0":       true,
		"_INBOX_api.a.b":       true,
		"_INBOX_api-2.a.b":     true,
		nats.NewInbox() + ".1": true,
		newInbox(&nats.Conn{}) + "." + newMessageName():                                    true,
		newInbox(&nats.Conn{Opts: nats.Options{InboxPrefix: "_INBOX_api"}}) + "." + "name": true,

		"_INBOX" + strings.Repeat("."+long, 3) + "." + long[:maxInbox-6-3*65-1]: true, // the longest

		"": false,
		"_INBOX" + strings.Repeat("."+long, 3) + "." + long[:maxInbox-6-3*65-1] + "x": false,
		"_INBOX":                               false,
		"_INBOX.":                              false,
		"_INBOX.a":                             false, // a requester without a message: whose clock would it be?
		"_INBOX..b":                            false,
		"_INBOX.a.":                            false,
		"_INBOX.a.*":                           false,
		"_INBOX.>":                             false,
		"_INBOX.a.b c":                         false,
		"_INBOX.a.b\r\nPUB x 0":                false,
		"_INBOX.a." + long + "x":               false,
		"_INBOX" + strings.Repeat("."+long, 4): false,
		"_INBOX_*.a.b":                         false,
		"_INBOXES.a.b":                         false,
		"_inbox.a.b":                           false,
		"a._INBOX.a.b":                         false,
		"eventio.here.v2.seats":                false,
		"eventio.here.v2.seats.worker":         false,
		"eventio.here.v1.revocations":          false,
		"$SRV.PING.eventio-worker":             false,
		"$SYS.REQ.SERVER.PING":                 false,
		"$JS.API.STREAM.DELETE.ORDERS":         false,
		"orders.new":                           false,
	} {
		if got := IsInbox(subject); got != want {
			t.Errorf("%q: %t", subject, got)
		}
	}
}

// TestRepliesFitTheirRequests: a reply with an outcome that no request of the kind has, or one
// decision for several requests, is none.
func TestRepliesFitTheirRequests(t *testing.T) {
	answered := func(kind Kind, o Outcome, named bool) (result, bool) {
		t.Helper()
		s, calls := unsent(1)
		calls[0].req.Kind = kind
		name, data := s.nextMessage(aSubject)
		if len(data) == 0 {
			t.Fatal("no message")
		}
		reply := SeatReply{Outcome: o}
		if named {
			reply.Message = name
		}
		replied(t, s, name, reply)
		return told(calls[0])
	}
	rows := map[Kind][]Outcome{KindProbe: {OutcomeProbed}, "": undecided}
	for _, kind := range []Kind{KindRegister, KindCancel, KindEditEvent, KindRecount} {
		rows[kind] = store.Kind(kind).Outcomes()
	}
	for kind, own := range rows {
		if kind == "" {
			continue
		}
		for other, outcomes := range rows {
			if len(outcomes) == 0 {
				t.Fatalf("a %s has no outcomes", other)
			}
			for _, o := range outcomes {
				want := other == "" || slices.Contains(own, o)
				for _, named := range []bool{true, false} {
					got, ok := answered(kind, o, named)
					if !ok || want != (got.err == nil) || !want && neverSent(got.err) {
						t.Errorf("a %s is answered %s, by name: %t: %+v", kind, o, named, got)
					}
				}
			}
		}
	}
	s, calls := unsent(3)
	name, _ := sentAs(t, s)
	replied(t, s, name, SeatReply{Outcome: store.Registered, Number: 1})
	for i, c := range calls {
		if got, ok := told(c); !ok || got.err == nil || neverSent(got.err) {
			t.Errorf("one decision for three requests: call %d is told %+v", i, got)
		}
	}
}

// TestNamesCannotBeGuessed: neither from an inbox nor from a name that somebody has seen.
func TestNamesCannotBeGuessed(t *testing.T) {
	prefix := func(a, b string) (n int) {
		for n < min(len(a), len(b)) && a[n] == b[n] {
			n++
		}
		return n
	}
	const chance = 8 // of 32 possible characters each, so the same by chance once in 10^12
	conn := &nats.Conn{}
	if a, b := newInbox(conn), newInbox(conn); prefix(a, b) > len(inboxPrefix)+1+chance {
		t.Errorf("%s tells of %s", a, b)
	}
	s, _ := unsent(2)
	first, _ := sentAs(t, s)
	_, again := unsent(1)
	s.queues[aSubject] = again
	if second, _ := sentAs(t, s); prefix(first, second) > chance || len(second) < messageNameLength {
		t.Errorf("message %s tells of message %s", first, second)
	}
}

// TestRequestsOfAMessageAreBounded: a message may be full of tiny requests, each of which would cost
// a reply.
func TestRequestsOfAMessageAreBounded(t *testing.T) {
	for n, want := range map[int]bool{1: true, MaxRequests: true, MaxRequests + 1: false, 50_000: false} {
		for _, data := range []string{strings.Repeat("{}\n", n), strings.TrimSuffix(strings.Repeat("{}\n", n), "\n")} {
			if all, err := DecodeRequests([]byte(data)); (err == nil) != want || want && len(all) != n {
				t.Errorf("%d requests: %d are read, %v", n, len(all), err)
			}
		}
	}
}
