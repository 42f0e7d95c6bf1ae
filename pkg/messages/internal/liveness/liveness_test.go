package liveness

import (
	"maps"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/messages/internal/rendezvous"
	"github.com/eventio/eventio/pkg/store"
)

// clocked is a liveness with a clock.
type clocked struct {
	Workers
	now time.Time
}

func newClocked(answer ...string) *clocked {
	a := &clocked{New(), time.Now()}
	a.round(answer...)
	return a
}

// round sends a ping, and moves the clock to half a second after it, when these workers have
// answered.
func (a *clocked) round(answer ...string) {
	a.now = a.now.Add(PingInterval)
	a.Pinged(a.now)
	for _, worker := range answer {
		a.Answered(worker)
	}
	a.now = a.now.Add(PingInterval / 2)
}

// preferred returns the worker that gets the requests for an event, or "".
func (a *clocked) preferred(event store.ID) string { return chosen(a.Workers.Preferred(), event) }

// alternative returns the worker that gets the second attempt of a request for an event, or "".
func (a *clocked) alternative(event store.ID, tried string, now time.Time) string {
	return chosen(a.Alternatives(tried, now), event)
}

// chosen returns the worker of these that gets the requests for an event, or "".
func chosen(workers []string, event store.ID) string {
	candidates := make([]rendezvous.Candidate, len(workers))
	for i, worker := range workers {
		candidates[i] = rendezvous.Candidate{Hash: rendezvous.Hash(worker), Subject: worker}
	}
	best, _ := rendezvous.Choose(candidates, event)
	return best.Subject
}

// eventOf makes an event whose preferred worker is first and whose alternative is second.
func (a *clocked) eventOf(t *testing.T, first, second string) store.ID {
	t.Helper()
	for range 10_000 {
		e := bson.NewObjectID()
		if a.preferred(e) == first && a.alternative(e, first, a.now) == second {
			return e
		}
	}
	t.Fatalf("no event goes to %q and then to %q", first, second)
	return store.ID{}
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
	a.Pinged(a.now)
	a.Answered("w1")
	if got := a.alternative(event, "", a.now.Add(PongTimeout/2)); got != "w1" {
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
	for range ForgetAfter {
		a.round("w2", "w3")
	}
	if _, known := a.Missed["w1"]; known {
		t.Errorf("w1 did not answer %d pings and is still known", ForgetAfter)
	}
}

// TestNoWorkerAnswers: then this process is the one that is cut off, and events keep their
// workers.
func TestNoWorkerAnswers(t *testing.T) {
	a := newClocked("w1", "w2")
	event := a.eventOf(t, "w1", "w2")
	for range ForgetAfter - 1 {
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
	if !PingDue(a.Due, a.now) {
		t.Error("no ping is due after an hour")
	}
	if a.Pinged(a.now); a.preferred(event) != "w2" {
		t.Errorf("after a pause the event goes to %q, want w2", a.preferred(event))
	}
}

func TestLivenessIsBounded(t *testing.T) {
	a := newClocked()
	for range MaxWorkers + 10 {
		a.Answered(bson.NewObjectID().Hex())
	}
	if len(a.Missed) != MaxWorkers {
		t.Errorf("%d workers are known, want at most %d", len(a.Missed), MaxWorkers)
	}
}

// TestARollTakesNobodyAway: one that lacks a worker has the process ask by itself; one that has all puts its question off.
func TestARollTakesNobodyAway(t *testing.T) {
	a := newClocked("w1", "w2")
	due := a.Due
	for range 2 * ForgetAfter {
		if _, doubt := a.Heard([]string{"w1"}, a.now, 0); !doubt {
			t.Fatal("a roll without w2 is believed")
		}
	}
	if len(a.Workers.Preferred()) != 2 || a.Due != due {
		t.Errorf("after rolls without w2 the workers are %v, and the next ping moves by %v", a.Workers.Preferred(), a.Due.Sub(due))
	}
	if changed, doubt := a.Heard([]string{"w2", "w3", "w1"}, a.now, time.Millisecond); !changed || doubt || len(a.Workers.Preferred()) != 3 {
		t.Errorf("a roll with a third worker: changed %v, doubt %v, workers %v", changed, doubt, a.Workers.Preferred())
	}
	if want := a.now.Add(PingInterval + RollMargin + time.Millisecond); a.Due != want {
		t.Errorf("the next ping is %v later than it should be", a.Due.Sub(want))
	}
	// Who was found silent by pings of one's own is forgotten by rolls, too.
	a.round("w1", "w2")
	a.round("w1", "w2")
	for range ForgetAfter - SuspectAfter {
		if _, doubt := a.Heard([]string{"w1", "w2"}, a.now, 0); doubt {
			t.Fatal("a roll is doubted for want of a worker that is silent")
		}
	}
	if _, known := a.Missed["w3"]; known || len(a.Missed) != 2 {
		t.Errorf("known are %v", a.Missed)
	}
}

// TestWhatAnAnswerChanges checks which answers to a ping change whom events may go to, and that each is noted unless too many
// workers are known.
func TestWhatAnAnswerChanges(t *testing.T) {
	for name, c := range map[string]struct {
		missed  int // by the worker that answers; -1: nobody knows it
		others  int // are known
		changed bool
		left    int // pings since its last answer, after the answer; -1: it is not known
	}{
		"a new worker":                                {-1, 1, true, 0},
		"one that always answers":                     {0, 1, false, 0},
		"one that missed a ping":                      {1, 1, false, 0},
		"one that counted as silent":                  {SuspectAfter, 1, true, 0},
		"a new worker is one too many":                {-1, MaxWorkers, false, -1},
		"the last that may be known is not":           {-1, MaxWorkers - 1, true, 0},
		"one of as many as may be":                    {1, MaxWorkers - 1, false, 0},
		"one of as many as may be, counted as silent": {SuspectAfter, MaxWorkers - 1, true, 0},
	} {
		l := New()
		for range c.others {
			l.Missed[bson.NewObjectID().Hex()] = 0
		}
		if c.missed >= 0 {
			l.Missed["w"] = c.missed
		}
		changed := l.Answered("w")
		left, known := l.Missed["w"]
		if !known {
			left = -1
		}
		if changed != c.changed || left != c.left {
			t.Errorf("%s: changed %v and left %d, want %v and %d", name, changed, left, c.changed, c.left)
		}
	}
}

// TestWhatARollTells checks what becomes of the pings that workers left unanswered, and what a roll changes.
func TestWhatARollTells(t *testing.T) {
	for name, c := range map[string]struct {
		missed         map[string]int
		roll           []string
		changed, doubt bool
		left           map[string]int
	}{
		"all that are known": {
			map[string]int{"w1": 0, "w2": 1}, []string{"w1", "w2"}, true, false, map[string]int{"w1": 0, "w2": 0},
		},
		"one that is silent misses another ping": {
			map[string]int{"w1": 0, "w2": SuspectAfter}, []string{"w1"}, true, false, map[string]int{"w1": 0, "w2": SuspectAfter + 1},
		},
		"one that is silent is forgotten": {
			map[string]int{"w1": 0, "w2": ForgetAfter - 1}, []string{"w1"}, true, false, map[string]int{"w1": 0},
		},
		"one that answers is missing, and nobody is new": {
			map[string]int{"w1": 0, "w2": 0}, []string{"w1"}, false, true, map[string]int{"w1": 0, "w2": 0},
		},
		"one that answers is missing, and somebody is new": {
			map[string]int{"w1": 0, "w2": 1}, []string{"w3", "w1"}, true, true, map[string]int{"w1": 0, "w2": 1, "w3": 0},
		},
	} {
		for range 20 { // in whichever order workers are looked at
			l := New()
			maps.Copy(l.Missed, c.missed)
			changed, doubt := l.Heard(c.roll, time.Now(), 0)
			if changed != c.changed || doubt != c.doubt || !maps.Equal(l.Missed, c.left) {
				t.Errorf("%s: changed %v, doubt %v, left %v, want %v, %v and %v", name, changed, doubt, l.Missed, c.changed, c.doubt, c.left)
				break
			}
		}
	}
}

// TestWhileAnswersAreOnTheirWay checks who gets a second attempt soon after a ping: who answered the one before, until an answer would
// be there. Nothing is waited for after a roll, whose answers have come.
func TestWhileAnswersAreOnTheirWay(t *testing.T) {
	a := newClocked("w1", "w2")
	a.round("w1", "w2")
	a.Pinged(a.now)
	if a.Due != a.now.Add(PingInterval) {
		t.Errorf("the next ping is %v after this one", a.Due.Sub(a.now))
	}
	a.Answered("w2")
	a.Missed["w3"] = SuspectAfter
	for after, want := range map[time.Duration][]string{
		0: {"w1", "w2"}, PongTimeout - 1: {"w1", "w2"}, PongTimeout: {"w2"}, PingInterval: {"w2"},
	} {
		got := a.Alternatives("", a.now.Add(after))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%v after a ping a second attempt may go to %v, want %v", after, got, want)
		}
	}
	if _, doubt := a.Heard([]string{"w1", "w2"}, a.now, 0); doubt {
		t.Fatal("a roll of all who answer is doubted")
	}
	a.Missed["w1"] = 1
	if got := a.Alternatives("", a.now); !slices.Equal(got, []string{"w2"}) {
		t.Errorf("after a roll a second attempt may go to %v, want w2", got)
	}
	if a.Forget("w2"); slices.Contains(a.Preferred(), "w2") {
		t.Error("who is forgotten is still preferred")
	}
}
