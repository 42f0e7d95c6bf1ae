package messages

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// asking is a presence and a clock, and which workers answer.
type asking struct {
	presence
	now time.Time
}

func newAsking(answer ...string) *asking {
	a := &asking{presence{missed: make(map[string]int)}, time.Now()}
	a.round(answer...)
	return a
}

// round asks, and half a second later those have answered.
func (a *asking) round(answer ...string) {
	a.now = a.now.Add(askEvery)
	a.ask(a.now)
	for _, worker := range answer {
		a.answer(worker)
	}
	a.now = a.now.Add(askEvery / 2)
}

// eventOf makes an event whose requests go to first, and to second when that is silent.
func (a *asking) eventOf(t *testing.T, first, second string) ID {
	t.Helper()
	for range 10_000 {
		e := bson.NewObjectID()
		if a.first(e) == first && a.second(e, first, a.now) == second {
			return e
		}
	}
	t.Fatalf("no event goes to %q and then to %q", first, second)
	return ID{}
}

func TestTheSecondWorkerIsOneThatAnswers(t *testing.T) {
	a := newAsking("w1", "w2", "w3")
	event := a.eventOf(t, "w1", "w2")
	a.round("w3") // the first two are frozen together
	if got := a.second(event, "w1", a.now); got != "w3" {
		t.Errorf("the second attempt goes to %q, want w3, which answers", got)
	}
	if got := a.second(event, "", a.now); got != "w3" { // the queue group had the first attempt
		t.Errorf("the second attempt goes to %q, want w3, which answers", got)
	}
	a.round("w1") // it has only lost its server for a while
	if got := a.second(event, "w1", a.now); got != "w1" {
		t.Errorf("the second attempt goes to %q, want w1: nobody else answers", got)
	}
	a.round()
	if got := a.second(event, "w1", a.now); got != "w2" {
		t.Errorf("the second attempt goes to %q, want w2: nobody answers, and w1 was silent before", got)
	}
	a.ask(a.now)
	a.answer("w1")
	if got := a.second(event, "", a.now.Add(answerLimit/2)); got != "w1" {
		t.Errorf("the second attempt goes to %q, want w1: the others have not answered in years", got)
	}
}

// TestASilentWorkerIsLeftAlone: one lost answer moves no event to another worker; two do.
func TestASilentWorkerIsLeftAlone(t *testing.T) {
	a := newAsking("w1", "w2", "w3")
	event := a.eventOf(t, "w1", "w2")
	for round, want := range []string{"w1", "w2", "w2", "w2"} {
		if a.round("w2", "w3"); a.first(event) != want {
			t.Errorf("after %d questions without an answer of w1 its event goes to %q, want %q", round+1, a.first(event), want)
		}
	}
	if a.round("w1", "w2", "w3"); a.first(event) != "w1" {
		t.Errorf("w1 is back and its event goes to %q", a.first(event))
	}
	for range forgetAfter {
		a.round("w2", "w3")
	}
	if _, known := a.missed["w1"]; known {
		t.Errorf("w1 was not heard for %d questions and is still known", forgetAfter)
	}
}

// TestSilenceAllAround: when nobody answers, it is this process that is cut off, and events
// keep their workers.
func TestSilenceAllAround(t *testing.T) {
	a := newAsking("w1", "w2")
	event := a.eventOf(t, "w1", "w2")
	for range forgetAfter - 1 {
		if a.round(); a.first(event) != "w1" {
			t.Errorf("the event goes to %q, want w1", a.first(event))
		}
	}
	if a.round(); a.first(event) != "" || a.second(event, "w1", a.now) != "" {
		t.Errorf("the event goes to %q and then %q, want whoever the queue group picks", a.first(event), a.second(event, "w1", a.now))
	}
}

// TestAPauseForgetsNobody: the queue group may hand the first requests after a pause to a
// worker that is cut off.
func TestAPauseForgetsNobody(t *testing.T) {
	a := newAsking("w1", "w2")
	event := a.eventOf(t, "w2", "w1")
	a.now = a.now.Add(time.Hour)
	if !a.due(a.now) {
		t.Error("nobody is asked after an hour")
	}
	if a.ask(a.now); a.first(event) != "w2" {
		t.Errorf("after a pause the event goes to %q, want w2", a.first(event))
	}
}

func TestPresenceIsBounded(t *testing.T) {
	a := newAsking()
	for range maxWorkers + 10 {
		a.answer(bson.NewObjectID().Hex())
	}
	if len(a.missed) != maxWorkers {
		t.Errorf("%d workers are known, want at most %d", len(a.missed), maxWorkers)
	}
}
