package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// shortLine and longLine are the lengths of the waiting lists that BenchLines compares.
const (
	shortLine = 100
	longLine  = 100_000
)

// BenchLines measures what one person costs in a short and in a long waiting list, in
// alternation, and reports the medians and their ratio: joining, leaving from the middle,
// being promoted, and asking for the position in the middle, which is the dearest.
func BenchLines(b *testing.B, open func(testing.TB) Target) {
	s := open(b).Store
	short, long := newLine(b, s, shortLine), newLine(b, s, longLine)
	for _, step := range []struct {
		name string
		run  func(*line, testing.TB, store.Store)
	}{
		{"join", (*line).join}, {"leave", (*line).leave}, {"promote", (*line).promote}, {"position", (*line).position},
	} {
		b.Run(step.name, func(b *testing.B) {
			took := make(map[*line][]time.Duration)
			for b.Loop() {
				for _, l := range []*line{short, long} {
					started := time.Now()
					step.run(l, b, s)
					took[l] = append(took[l], time.Since(started))
				}
			}
			at := func(l *line) time.Duration {
				slices.Sort(took[l])
				return took[l][len(took[l])/2]
			}
			b.ReportMetric(at(short).Seconds()*1000, fmt.Sprintf("ms/at-%d", shortLine))
			b.ReportMetric(at(long).Seconds()*1000, fmt.Sprintf("ms/at-%d", longLine))
			b.ReportMetric(at(long).Seconds()/at(short).Seconds(), "ratio")
		})
	}
}

// line is an event with one place and people waiting for it.
type line struct {
	event  store.Event
	people []store.SeatRequest // the first holds the place
	last   int64               // the number of the last in line
}

func newLine(tb testing.TB, s store.Store, waiting int) *line {
	tb.Helper()
	l := &line{event: newWaitlistEvent(tb, s, 1)}
	for len(l.people) <= waiting {
		batch := Wishes(l.event.ID, min(1000, waiting+1-len(l.people)))
		apply(tb, s, batch...)
		l.people = append(l.people, batch...)
	}
	l.last = int64(len(l.people))
	return l
}

func (l *line) join(tb testing.TB, s store.Store) {
	wish := Wish(l.event.ID)
	wantOutcomes(tb, apply(tb, s, wish), store.Waitlisted)
	l.people = append(l.people, wish)
	l.last++
}

func (l *line) leave(tb testing.TB, s store.Store) {
	middle := len(l.people) / 2
	wantOutcomes(tb, apply(tb, s, leave(l.people[middle])), store.Cancelled)
	l.people = slices.Delete(l.people, middle, middle+1)
	l.join(tb, s)
}

func (l *line) promote(tb testing.TB, s store.Store) {
	wantOutcomes(tb, apply(tb, s, leave(l.people[0])), store.Cancelled)
	l.people = l.people[1:]
	l.join(tb, s)
}

func (l *line) position(tb testing.TB, s store.Store) {
	n, err := s.Position(context10s(tb), l.event.ID, l.last-int64(len(l.people)/2))
	if err != nil || n < 1 || n > int64(len(l.people)) {
		tb.Fatalf("position is %d, %v; %d wait", n, err, len(l.people)-1)
	}
}
