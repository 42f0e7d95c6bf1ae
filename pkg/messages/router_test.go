package messages

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// workersWith makes the routing of the namespace "here", with workers that have just answered.
func workersWith(known ...string) *workers {
	namespace := Namespace{Prefix: DefaultPrefix, Database: "here"}
	w := &workers{namespace: namespace, shared: namespace.Seats(), known: presence{missed: make(map[string]int)}}
	for _, worker := range known {
		w.known.answer(worker)
	}
	// Nobody is asked meanwhile: there is no connection.
	w.known.asked = time.Now()
	return w
}

// TestWhoCountsAsAWorker: only a worker of this version of the contract and of this database,
// and with an id that makes a subject.
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
			w := workersWith()
			if w.receive(&nats.Msg{Data: []byte(c.answer)}); (len(w.known.missed) == 1) != c.known {
				t.Errorf("known are %v", w.known.missed)
			}
		})
	}
}

// TestAnAnswerEndsASilence: a worker that answers again gets its events back.
func TestAnAnswerEndsASilence(t *testing.T) {
	w := workersWith("w1")
	w.known.missed["w1"] = silentAfter
	w.receive(&nats.Msg{Data: []byte(`{"id":"w1","version":"2.1.0","metadata":{"database":"here","prefix":"eventio"}}`)})
	if missed := w.known.missed["w1"]; missed != 0 {
		t.Errorf("it is still said to have missed %d questions", missed)
	}
}

// TestWhoIsGoneIsForgotten: a subject on which nobody listens is asked once and not for every
// request.
func TestWhoIsGoneIsForgotten(t *testing.T) {
	w := workersWith("w1")
	event := bson.NewObjectID()
	own := w.first(event)
	if own != w.namespace.Worker("w1") {
		t.Fatalf("the event goes to %s", own)
	}
	if w.gone(own); w.first(event) != w.shared {
		t.Errorf("the event goes to %s still", w.first(event))
	}
	if w.gone(w.namespace.Worker("stranger")); len(w.known.missed) != 0 {
		t.Errorf("known are %v", w.known.missed)
	}
}

// TestOneWorkerGoesAndTheOthersStay: each event has a worker by its weight, so that the others
// keep theirs.
func TestOneWorkerGoesAndTheOthersStay(t *testing.T) {
	w := workersWith("w1", "w2", "w3")
	before := make(map[ID]string)
	for range 300 {
		event := bson.NewObjectID()
		before[event] = w.first(event)
	}
	w.gone(w.namespace.Worker("w2"))
	var shares []string
	for event, worker := range before {
		if after := w.first(event); worker != w.namespace.Worker("w2") && after != worker {
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

// TestASecondAttemptGoesElsewhere: to the worker that answers, by the subject of the first one.
func TestASecondAttemptGoesElsewhere(t *testing.T) {
	w := workersWith("w1", "w2")
	one, two := w.namespace.Worker("w1"), w.namespace.Worker("w2")
	if got := w.second(bson.NewObjectID(), one); got != two {
		t.Errorf("after w1 it goes to %s", got)
	}
	if got := w.second(bson.NewObjectID(), two); got != one {
		t.Errorf("after w2 it goes to %s", got)
	}
	if got := workersWith().second(bson.NewObjectID(), one); got != w.shared {
		t.Errorf("with nobody known it goes to %s", got)
	}
}
