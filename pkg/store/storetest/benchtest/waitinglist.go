package benchtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// The lengths of the waiting lists that WaitingLists compares.
const (
	shortList = 100
	longList  = 100_000
)

// WaitingLists measures what one person costs in a short and in a long waiting list, in turns, and reports
// the medians and their ratio: joining it, leaving from its middle, being promoted, and asking for the
// position in its middle, which costs most.
func WaitingLists(b *testing.B, open func(testing.TB) storetest.Target) {
	s := open(b).Store
	short, long := newWaitingList(b, s, shortList), newWaitingList(b, s, longList)
	for _, step := range []struct {
		name string
		run  func(*waitingList, testing.TB, store.Store)
	}{
		{"join", (*waitingList).join}, {"leave", (*waitingList).leave}, {"promote", (*waitingList).promote}, {"position", (*waitingList).position},
	} {
		b.Run(step.name, func(b *testing.B) {
			took := make(map[*waitingList][]time.Duration)
			for b.Loop() {
				for _, l := range []*waitingList{short, long} {
					started := time.Now()
					step.run(l, b, s)
					took[l] = append(took[l], time.Since(started))
				}
			}
			at := func(l *waitingList) time.Duration {
				slices.Sort(took[l])
				return took[l][len(took[l])/2]
			}
			b.ReportMetric(at(short).Seconds()*1000, fmt.Sprintf("ms/at-%d", shortList))
			b.ReportMetric(at(long).Seconds()*1000, fmt.Sprintf("ms/at-%d", longList))
			b.ReportMetric(at(long).Seconds()/at(short).Seconds(), "ratio")
		})
	}
}

// waitingList is an event with one seat and people who wait for it.
type waitingList struct {
	event  store.Event
	people []store.SeatRequest // the first has the seat
	last   int64               // the number of the last who waits
}

func newWaitingList(tb testing.TB, s store.Store, waiting int) *waitingList {
	tb.Helper()
	l := &waitingList{event: storetest.NewWaitlistEvent(tb, s, 1)}
	for len(l.people) <= waiting {
		batch := storetest.NewRequests(l.event.ID, min(1000, waiting+1-len(l.people)))
		storetest.MustApply(tb, s, batch...)
		l.people = append(l.people, batch...)
	}
	l.last = int64(len(l.people))
	return l
}

func (l *waitingList) join(tb testing.TB, s store.Store) {
	request := storetest.NewRequest(l.event.ID)
	storetest.WantOutcomes(tb, storetest.MustApply(tb, s, request), store.Waitlisted)
	l.people = append(l.people, request)
	l.last++
}

func (l *waitingList) leave(tb testing.TB, s store.Store) {
	middle := len(l.people) / 2
	storetest.WantOutcomes(tb, storetest.MustApply(tb, s, storetest.NewCancel(l.people[middle])), store.Cancelled)
	l.people = slices.Delete(l.people, middle, middle+1)
	l.join(tb, s)
}

func (l *waitingList) promote(tb testing.TB, s store.Store) {
	storetest.WantOutcomes(tb, storetest.MustApply(tb, s, storetest.NewCancel(l.people[0])), store.Cancelled)
	l.people = l.people[1:]
	l.join(tb, s)
}

func (l *waitingList) position(tb testing.TB, s store.Store) {
	n, err := s.Position(storetest.Context(tb), l.event.ID, l.last-int64(len(l.people)/2))
	if err != nil || n < 1 || n > int64(len(l.people)) {
		tb.Fatalf("position is %d, %v; %d wait", n, err, len(l.people)-1)
	}
}
