package worker

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestQueueMetrics: the metrics say how many wait, and for how long the oldest does, whichever event it
// is about; what is in a batch waits no more.
func TestQueueMetrics(t *testing.T) {
	q := newQueue(10)
	now := time.Now()
	one, two := store.NewID(), store.NewID()
	waits := func(event store.ID, since time.Duration) {
		q.put([]request{{SeatRequest: messages.SeatRequest{EventID: event}, received: now.Add(-since)}})
	}
	if q.oldestWait(now) != 0 || q.length() != 0 {
		t.Fatal("an empty queue has somebody who waits")
	}
	waits(one, 3*time.Second)
	waits(one, 2*time.Second)
	waits(two, time.Second)
	if got := q.oldestWait(now); got != 3*time.Second || q.length() != 3 {
		t.Fatalf("%d wait, the oldest for %v", q.length(), got)
	}
	batch := q.take(2) // one of each event
	if got := q.oldestWait(now); got != 2*time.Second || q.length() != 1 || q.inFlight() != 2 {
		t.Fatalf("%d wait, the oldest for %v; %d in flight", q.length(), got, q.inFlight())
	}
	q.release(batch)
	if q.inFlight() != 0 {
		t.Error("a batch is released and in flight")
	}
	if problems, err := testutil.CollectAndLint(newStats(q)); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
