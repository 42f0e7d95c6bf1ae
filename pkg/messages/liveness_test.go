package messages

import (
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/messages/internal/rendezvous"
)

// clocked is a liveness with a clock.
type clocked struct {
	liveness
	now time.Time
}

func newClocked(answer ...string) *clocked {
	a := &clocked{liveness{missed: make(map[string]int)}, time.Now()}
	a.round(answer...)
	return a
}

// round sends a ping, and moves the clock to half a second after it, when these workers have
// answered.
func (a *clocked) round(answer ...string) {
	a.now = a.now.Add(pingInterval)
	a.pinged(a.now)
	for _, worker := range answer {
		a.answered(worker)
	}
	a.now = a.now.Add(pingInterval / 2)
}

// preferred returns the worker that gets the requests for an event, or "".
func (a *clocked) preferred(event ID) string { return chosen(a.liveness.preferred(), event) }

// alternative returns the worker that gets the second attempt of a request for an event, or "".
func (a *clocked) alternative(event ID, tried string, now time.Time) string {
	return chosen(a.alternatives(tried, now), event)
}

// chosen returns the worker of these that gets the requests for an event, or "".
func chosen(workers []string, event ID) string {
	best, _ := rendezvous.Choose((&router{shared: "s"}).candidates(workers), event)
	return strings.TrimPrefix(best.Subject, "s.")
}

// eventOf makes an event whose preferred worker is first and whose alternative is second.
func (a *clocked) eventOf(t *testing.T, first, second string) ID {
	t.Helper()
	for range 10_000 {
		e := bson.NewObjectID()
		if a.preferred(e) == first && a.alternative(e, first, a.now) == second {
			return e
		}
	}
	t.Fatalf("no event goes to %q and then to %q", first, second)
	return ID{}
}

func TestTheSecondWorkerIsOneThatAnswers(t *testing.T) {
	a := newClocked("w1", "w2", "w3")
	event := a.eventOf(t, "w1", "w2")
	a.round("w3") // the first two are frozen together
	if got := a.alternative(event, "w1", a.now); got != "w3" {
		t.Errorf("the second attempt goes to %q, want w3, which answers", got)
	}
	if got := a.alternative(event, "", a.now); got != "w3" { // the queue group had the first attempt
		t.Errorf("the second attempt goes to %q, want w3, which answers", got)
	}
	a.round("w1") // it has only lost its server for a while
	if got := a.alternative(event, "w1", a.now); got != "w1" {
		t.Errorf("the second attempt goes to %q, want w1: nobody else answers", got)
	}
	a.round()
	if got := a.alternative(event, "w1", a.now); got != "w2" {
		t.Errorf("the second attempt goes to %q, want w2: nobody answers, and w1 was silent before", got)
	}
	a.pinged(a.now)
	a.answered("w1")
	if got := a.alternative(event, "", a.now.Add(pongTimeout/2)); got != "w1" {
		t.Errorf("the second attempt goes to %q, want w1: the others have not answered in years", got)
	}
}

// TestASilentWorkerLosesItsEvents: one lost answer moves no event to another worker; two do.
func TestASilentWorkerLosesItsEvents(t *testing.T) {
	a := newClocked("w1", "w2", "w3")
	event := a.eventOf(t, "w1", "w2")
	for round, want := range []string{"w1", "w2", "w2", "w2"} {
		if a.round("w2", "w3"); a.preferred(event) != want {
			t.Errorf("after %d pings that w1 did not answer its event goes to %q, want %q", round+1, a.preferred(event), want)
		}
	}
	if a.round("w1", "w2", "w3"); a.preferred(event) != "w1" {
		t.Errorf("w1 is back and its event goes to %q", a.preferred(event))
	}
	for range forgetAfter {
		a.round("w2", "w3")
	}
	if _, known := a.missed["w1"]; known {
		t.Errorf("w1 did not answer %d pings and is still known", forgetAfter)
	}
}

// TestNoWorkerAnswers: then this process is the one that is cut off, and events keep their
// workers.
func TestNoWorkerAnswers(t *testing.T) {
	a := newClocked("w1", "w2")
	event := a.eventOf(t, "w1", "w2")
	for range forgetAfter - 1 {
		if a.round(); a.preferred(event) != "w1" {
			t.Errorf("the event goes to %q, want w1", a.preferred(event))
		}
	}
	if a.round(); a.preferred(event) != "" || a.alternative(event, "w1", a.now) != "" {
		t.Errorf("the event goes to %q and then %q, want whoever the queue group picks", a.preferred(event), a.alternative(event, "w1", a.now))
	}
}

// TestAPauseForgetsNobody: the queue group may hand the first requests after a pause to a
// worker that is cut off.
func TestAPauseForgetsNobody(t *testing.T) {
	a := newClocked("w1", "w2")
	event := a.eventOf(t, "w2", "w1")
	a.now = a.now.Add(time.Hour)
	if !pingDue(a.due, a.now) {
		t.Error("no ping is due after an hour")
	}
	if a.pinged(a.now); a.preferred(event) != "w2" {
		t.Errorf("after a pause the event goes to %q, want w2", a.preferred(event))
	}
}

func TestLivenessIsBounded(t *testing.T) {
	a := newClocked()
	for range maxWorkers + 10 {
		a.answered(bson.NewObjectID().Hex())
	}
	if len(a.missed) != maxWorkers {
		t.Errorf("%d workers are known, want at most %d", len(a.missed), maxWorkers)
	}
}
