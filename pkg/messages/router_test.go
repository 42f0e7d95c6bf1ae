package messages

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/messages/internal/liveness"
	"github.com/eventio/eventio/pkg/messages/internal/uplink"
)

// routerWith makes a router of the namespace "here" whose workers have just answered a ping.
func routerWith(known ...string) *router {
	namespace := Namespace{Prefix: DefaultPrefix, Database: "here"}
	r := &router{namespace: namespace, shared: namespace.Seats(), workers: liveness.New(), state: new(uplink.State)}
	for _, worker := range known {
		r.workers.Answered(worker)
	}
	// No ping is due during most tests; in a slow one none is sent, because there is no connection.
	r.workers.Pinged(time.Now())
	for _, worker := range known {
		r.workers.Answered(worker)
	}
	return r
}

// TestWhoCountsAsAWorker: only a worker of this version of the contract and of this database, with
// an id that can be a token of a subject.
func TestWhoCountsAsAWorker(t *testing.T) {
	const here = `"metadata":{"database":"here","prefix":"eventio"}`
	for name, c := range map[string]struct {
		answer string
		known  bool
	}{
		"a worker":            {`{"id":"w1","version":"2.1.0",` + here + `}`, true},
		"no answer":           {``, false},
		"no JSON":             {`garbage`, false},
		"no version":          {`{"id":"w1",` + here + `}`, false},
		"the version before":  {`{"id":"w1","version":"2.0.0",` + here + `}`, false},
		"an older version":    {`{"id":"w1","version":"1.0.0",` + here + `}`, false},
		"a newer version":     {`{"id":"w1","version":"3.0.0",` + here + `}`, false},
		"no id":               {`{"id":"","version":"2.1.0",` + here + `}`, false},
		"an id of two tokens": {`{"id":"a.b","version":"2.1.0",` + here + `}`, false},
		"an id with a blank":  {`{"id":"a b","version":"2.1.0",` + here + `}`, false},
		"an id that is all":   {`{"id":">","version":"2.1.0",` + here + `}`, false},
		"another database":    {`{"id":"w1","version":"2.1.0","metadata":{"database":"there","prefix":"eventio"}}`, false},
		"another prefix":      {`{"id":"w1","version":"2.1.0","metadata":{"database":"here","prefix":"other"}}`, false},
		"no database":         {`{"id":"w1","version":"2.1.0"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := routerWith()
			if r.receivePong(&nats.Msg{Data: []byte(c.answer)}); (len(r.workers.Missed) == 1) != c.known {
				t.Errorf("known are %v", r.workers.Missed)
			}
		})
	}
}

// TestAnAnswerClearsMissedPings: a worker that answers again gets its events back.
func TestAnAnswerClearsMissedPings(t *testing.T) {
	r := routerWith("w1")
	r.workers.Missed["w1"] = liveness.SuspectAfter
	r.receivePong(&nats.Msg{Data: []byte(`{"id":"w1","version":"2.1.0","metadata":{"database":"here","prefix":"eventio"}}`)})
	if missed := r.workers.Missed["w1"]; missed != 0 {
		t.Errorf("it is still said to have missed %d pings", missed)
	}
}

// TestADeadWorkerIsForgotten: one request is sent to a subject without subscribers, and no more.
func TestADeadWorkerIsForgotten(t *testing.T) {
	r := routerWith("w1")
	event := bson.NewObjectID()
	own := r.route(event)
	if own != r.namespace.Worker("w1") {
		t.Fatalf("the event goes to %s", own)
	}
	if r.forget(own); r.route(event) != r.shared {
		t.Errorf("the event goes to %s still", r.route(event))
	}
	if r.forget(r.namespace.Worker("stranger")); len(r.workers.Missed) != 0 {
		t.Errorf("known are %v", r.workers.Missed)
	}
}

// TestADeadWorkersEventsAreShared: the others keep their events and get a share of its.
func TestADeadWorkersEventsAreShared(t *testing.T) {
	r := routerWith("w1", "w2", "w3")
	before := make(map[ID]string)
	for range 300 {
		event := bson.NewObjectID()
		before[event] = r.route(event)
	}
	r.forget(r.namespace.Worker("w2"))
	var shares []string
	for event, worker := range before {
		if after := r.route(event); worker != r.namespace.Worker("w2") && after != worker {
			t.Errorf("event %s moved from %s to %s", event.Hex(), worker, after)
		}
		if !slices.Contains(shares, worker) {
			shares = append(shares, worker)
		}
	}
	if len(shares) != 3 {
		t.Errorf("only %v have events", shares)
	}
}

// TestASecondAttemptGoesElsewhere: to the worker that answers pings, given the subject of the
// first attempt.
func TestASecondAttemptGoesElsewhere(t *testing.T) {
	r := routerWith("w1", "w2")
	one, two := r.namespace.Worker("w1"), r.namespace.Worker("w2")
	if got := r.reroute(bson.NewObjectID(), one); got != two {
		t.Errorf("after w1 it goes to %s", got)
	}
	if got := r.reroute(bson.NewObjectID(), two); got != one {
		t.Errorf("after w2 it goes to %s", got)
	}
	if got := routerWith().reroute(bson.NewObjectID(), one); got != r.shared {
		t.Errorf("with nobody known it goes to %s", got)
	}
}

// TestOneMissedPingMovesNoEvent: the first attempt goes to the event's worker although that has not answered the last ping, and the second one,
// when the first had no reply, to who has.
func TestOneMissedPingMovesNoEvent(t *testing.T) {
	r := routerWith("w1", "w2")
	event := bson.NewObjectID()
	own := r.route(event)
	other := r.namespace.Worker("w1")
	if own == other {
		other = r.namespace.Worker("w2")
	}
	r.workers.Missed[strings.TrimPrefix(own, r.shared+".")] = 1
	r.workers.PingedAt = r.workers.PingedAt.Add(-liveness.PongTimeout) // in which an answer may be on its way
	e := exchange{Requester: &Requester{router: r}, req: SeatRequest{EventID: event}}
	if got := e.subject(); got != own {
		t.Errorf("the first attempt goes to %s, want %s", got, own)
	}
	e.unanswered = 1
	if got := e.subject(); got != other {
		t.Errorf("the second attempt goes to %s, want %s", got, other)
	}
}
