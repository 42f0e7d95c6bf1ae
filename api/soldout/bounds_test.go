package soldout

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestTheEventThatWasOfUseLongestAgoIsForgotten has several events, one after the other, share what room there is.
func TestTheEventThatWasOfUseLongestAgoIsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*world)
		again  bool // whether the lease of the first is renewed before the third comes
		first  bool // is forgotten
		second bool
	}{
		"there is room for all":               {func(*world) {}, false, false, false},
		"there is room for two events":        {func(w *world) { w.bounds.events = 2 }, false, true, false},
		"of two events one was of use again":  {func(w *world) { w.bounds.events = 2 }, true, false, true},
		"there is room for one event":         {func(w *world) { w.bounds.events = 1 }, false, true, true},
		"there is room for all people":        {func(w *world) { w.bounds.people = 150 }, false, false, false},
		"there is room for people of two":     {func(w *world) { w.bounds.people = 149 }, false, true, false},
		"there is room for the people of one": {func(w *world) { w.bounds.people = 50 }, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(50)
				c.set(w)
				events := []store.ID{store.NewID(), store.NewID(), store.NewID()}
				for i := range events {
					if w.event = events[0]; c.again && i == 2 {
						time.Sleep(w.grants * 7 / 10)
						w.strangers(1)
					}
					w.event = events[i]
					w.rush()
				}
				for _, forgotten := range []bool{false, true} { // who is forgotten comes anew, and another one goes
					for i, f := range []bool{c.first, c.second, false} {
						if w.event = events[i]; f == forgotten && w.sent(store.NewID()) != forgotten {
							t.Errorf("event %d: is it forgotten: %v", i, !forgotten)
						}
					}
				}
			})
		})
	}
}

// TestPeopleAreCounted looks at how many people are known.
func TestPeopleAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(50)
		want := func(people int) {
			t.Helper()
			if w.people != people {
				t.Errorf("%d people, want %d", w.people, people)
			}
		}
		again := func() { time.Sleep(w.grants); w.rush() }
		want(0)
		w.rush()
		want(50)
		w.enter(store.NewID())
		again()
		want(51)
		w.enter(w.rows[0].UserID) // is known already
		again()
		want(51)
		w.bounds.people = 51
		w.enter(store.NewID())
		again()
		want(0) // too many
		if w.sent(w.rows[0].UserID); !w.sent(store.NewID()) {
			t.Error("somebody is refused from memory, and nobody is known")
		}
	})
}

// TestWhatOperatorsSee checks the metrics: who was refused by a worker and who from memory, the leases, and how many people are known.
func TestWhatOperatorsSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(50)
		w.rush()
		w.strangers(5)
		w.outcome = store.RegistrationClosed // is no refusal of this kind
		w.sent(w.rows[0].UserID)
		for name, c := range map[string]struct{ got, want float64 }{
			"by a worker": {testutil.ToFloat64(w.stats.worker), refused + 1}, "from memory": {testutil.ToFloat64(w.stats.memory), 5},
			"leases": {testutil.ToFloat64(w.stats.granted), 1},
		} {
			if c.got != c.want {
				t.Errorf("%s: %v, want %v", name, c.got, c.want)
			}
		}
		people := "# HELP eventio_sold_out_people People of sold-out events whom this process remembers in order not to refuse them from memory.\n" +
			"# TYPE eventio_sold_out_people gauge\neventio_sold_out_people 50\n"
		if err := testutil.CollectAndCompare(w.Metrics(), strings.NewReader(people), "eventio_sold_out_people"); err != nil {
			t.Error(err)
		}
	})
}

// TestReadingEndsWithTheProcess closes what tells that the process ends.
func TestReadingEndsWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(50)
		w.apart, w.hangs = true, true
		ending := make(chan struct{})
		w.config.Ending = ending
		w.rush()
		synctest.Wait()
		begun := time.Now()
		close(ending)
		w.reading.Wait()
		if took := time.Since(begun); took != 0 {
			t.Errorf("a reading goes on for %v", took)
		}
	})
}

// TestARefusalFromMemoryIsCheap counts what it allocates.
func TestARefusalFromMemoryIsCheap(t *testing.T) {
	w := newWorld(1000)
	w.rush()
	stranger := store.NewID()
	if n := testing.AllocsPerRun(100, func() { w.Answer(w.event, stranger, nil) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAnswer measures what this package takes of a request.
func BenchmarkAnswer(b *testing.B) {
	rushed := newWorld(50_000)
	rushed.rush()
	at := rushed.now()
	rushed.now = func() moment { return at }
	quiet := newWorld(0)
	for _, c := range []struct {
		name string
		*world
	}{{"no lease", quiet}, {"refused", rushed}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				stranger := store.NewID()
				for pb.Next() {
					c.Answer(c.event, stranger, func(bool) messages.Answer { return messages.Answer{} })
				}
			})
		})
	}
}
