package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
)

// sliceReader is an EventReader over a slice that counts what is read.
type sliceReader struct {
	events []store.Event // by cursor
	looked int
	index  map[store.ID][]string // WordPrefixes, once they were asked for
}

func (l *sliceReader) has(e store.Event, prefix string) bool {
	if l.index == nil {
		l.index = make(map[store.ID][]string)
		for _, e := range l.events {
			l.index[e.ID] = WordPrefixes(e)
		}
	}
	_, found := slices.BinarySearch(l.index[e.ID], prefix)
	return found
}

func (l *sliceReader) ReadRange(_ context.Context, r EventRange) ([]store.Event, error) {
	q := store.EventQuery{From: r.From, To: r.To, OrganizerID: r.OrganizerID, Available: r.Available}
	var found []store.Event
	for i := range l.events {
		if r.Descending {
			i = len(l.events) - 1 - i
		}
		e := l.events[i]
		if r.Begin != nil {
			if c := e.Cursor().Compare(*r.Begin); c < 0 && !r.Descending || c > 0 && r.Descending {
				continue
			}
		}
		if Matches(q, e) && (r.WordPrefix == "" || l.has(e, r.WordPrefix)) {
			found = append(found, e)
		}
		if len(found) == r.Limit {
			break
		}
	}
	l.looked += len(found)
	return found, nil
}

func (l *sliceReader) ReadCursors(ctx context.Context, r EventRange) ([]store.EventCursor, error) {
	events, err := l.ReadRange(ctx, r)
	cursors := make([]store.EventCursor, len(events))
	for i, e := range events {
		cursors[i] = e.Cursor()
	}
	return cursors, err
}

func (l *sliceReader) ReadByID(_ context.Context, ids []store.ID) ([]store.Event, error) {
	var found []store.Event
	for _, e := range l.events {
		if slices.Contains(ids, e.ID) {
			found = append(found, e)
		}
	}
	l.looked += len(ids)
	slices.Reverse(found) // any order will do
	return found, nil
}

// TestPagesAreTheWhole checks that the pages of a list have, in order, what Matches
// selects, and that no page reads more than it may.
func TestPagesAreTheWhole(t *testing.T) {
	organizers := []store.ID{store.NewID(), store.NewID()}
	day := func(n int) time.Time { return time.UnixMilli(int64(n) * 86_400_000).UTC() }
	rapid.Check(t, func(rt *rapid.T) {
		l := &sliceReader{}
		// Words that are in one event of so many each: often, seldom, together, apart.
		every := rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 50, 400}), 4, 4).Draw(rt, "every")
		for i := range rapid.SampledFrom([]int{10, 300, 1500}).Draw(rt, "events") {
			e := store.Event{ID: store.NewID(), Title: "all", Capacity: 1, StartsAt: day(i * rapid.IntRange(0, 1).Draw(rt, "day")), OrganizerID: organizers[i%2]}
			e.EndsAt = e.StartsAt.Add(time.Hour)
			for w, n := range every {
				if (i+w)%n == 0 {
					e.Title += fmt.Sprintf(" %s", strings.Repeat(string(rune('k'+w)), 25))
				}
			}
			if i%7 != 0 {
				e.TicketsSold = 1
			}
			l.events = append(l.events, e)
		}
		slices.SortFunc(l.events, func(a, b store.Event) int { return a.Cursor().Compare(b.Cursor()) })
		q := store.EventQuery{
			Available: rapid.Bool().Draw(rt, "available"), Descending: rapid.Bool().Draw(rt, "descending"),
			OrganizerID: rapid.SampledFrom(append(organizers, store.ID{})).Draw(rt, "of"),
			EndsAfter:   rapid.SampledFrom([]time.Time{{}, day(5)}).Draw(rt, "ends after"),
			From:        rapid.SampledFrom([]time.Time{{}, day(5)}).Draw(rt, "from"), To: rapid.SampledFrom([]time.Time{{}, day(200)}).Draw(rt, "to"),
			Limit: rapid.SampledFrom([]int{1, 3, 100, 1000}).Draw(rt, "limit"),
		}
		for range rapid.IntRange(0, 4).Draw(rt, "words") {
			word := strings.Repeat(rapid.StringMatching("[k-n]").Draw(rt, "word"), rapid.SampledFrom([]int{1, 20, 25, 26}).Draw(rt, "long"))
			q.Words = append(q.Words, Words(word)...)
		}
		want := slices.DeleteFunc(slices.Clone(l.events), func(e store.Event) bool { return !Matches(q, e) })
		if q.Descending {
			slices.Reverse(want)
		}
		for {
			l.looked = 0
			page, err := ReadEvents(t.Context(), l, q)
			if err != nil {
				rt.Fatal(err)
			}
			n := len(page.Events)
			if n > q.Limit || n > len(want) || !slices.EqualFunc(page.Events, want[:n], store.Event.Equal) {
				rt.Fatalf("a page has %d events that are not the next of %d", n, len(want))
			}
			if most := max(minScan, scanFactor*q.Limit) + (maxIndexes+1)*max(minCursors, q.Limit+1); l.looked > most {
				rt.Fatalf("%d were looked at for a page of %d", l.looked, n)
			}
			if want = want[n:]; page.Next == nil {
				break
			}
			q.After = page.Next
		}
		if len(want) > 0 {
			rt.Fatalf("%d events are left out", len(want))
		}
	})
}

// TestAPageEndsWhenItHasLookedEnough checks that a page ends with what it has, for two words that
// are common and never together.
func TestAPageEndsWhenItHasLookedEnough(t *testing.T) {
	l := &sliceReader{}
	for i := range 5000 {
		l.events = append(l.events, store.Event{ID: store.NewID(), Title: []string{"left", "right"}[i%2], StartsAt: time.UnixMilli(int64(i)).UTC()})
	}
	q := store.EventQuery{Words: Words("left right"), Limit: 10}
	pages := 0
	for ; ; pages++ {
		l.looked = 0
		page, err := ReadEvents(t.Context(), l, q)
		if err != nil || len(page.Events) > 0 {
			t.Fatalf("%d events, %v", len(page.Events), err)
		}
		if l.looked > minScan+2*minCursors {
			t.Fatalf("%d were looked at", l.looked)
		}
		if page.Next == nil {
			break
		}
		q.After = page.Next
	}
	if pages < 3 {
		t.Errorf("%d pages", pages+1)
	}
}

// TestAPageLooksAtNoMoreThanItMay checks the bound itself: a page ends when it has looked at as many
// events as it may, and not a round later.
func TestAPageLooksAtNoMoreThanItMay(t *testing.T) {
	common := strings.Repeat("a", MaxPrefix)
	l := &sliceReader{}
	for i := range 3 * minScan {
		l.events = append(l.events, store.Event{ID: store.NewID(), Title: common + "b", StartsAt: time.UnixMilli(int64(i)).UTC()})
	}
	for _, limit := range []int{49, 99} { // a page reads one more than its limit at once, until it has looked at enough
		l.looked = 0
		page, err := ReadEvents(t.Context(), l, store.EventQuery{Words: Words(common + "c"), Limit: limit})
		want := max(minScan, scanFactor*limit)
		if want%(limit+1) != 0 {
			want += limit + 1 - want%(limit+1)
		}
		if err != nil || len(page.Events) > 0 || page.Next == nil || l.looked != want {
			t.Errorf("limit %d: %d events, next %v, %d looked at, want %d; %v", limit, len(page.Events), page.Next, l.looked, want, err)
		}
	}
}

func TestASearchForNoWordReadsNothing(t *testing.T) {
	l := &sliceReader{events: []store.Event{{ID: store.NewID(), Title: "a"}}}
	page, err := ReadEvents(t.Context(), l, store.EventQuery{Words: Words("?!"), Limit: 1})
	if err != nil || len(page.Events) > 0 || page.Next != nil || l.looked > 0 {
		t.Errorf("%+v, %d looked at, %v", page, l.looked, err)
	}
}

// TestAReadThatFailsFailsThePage lets each read of a search fail in turn: a page is whole, or there is none.
func TestAReadThatFailsFailsThePage(t *testing.T) {
	l := &sliceReader{}
	for i := range 600 { // two words, together only at the end: more than one round of both indexes
		title := []string{"left", "right"}[i%2]
		if i >= 590 {
			title = "left right"
		}
		l.events = append(l.events, store.Event{ID: store.NewID(), Title: title, StartsAt: time.UnixMilli(int64(i)).UTC()})
	}
	q := store.EventQuery{Words: Words("left right"), Limit: 20}
	reads := 0
	for fail := 1; ; fail++ {
		reader := &failingReader{sliceReader: l, failAt: fail}
		page, err := ReadEvents(t.Context(), reader, q)
		if reader.reads < fail { // it reads no more often
			if err != nil || len(page.Events) != 10 {
				t.Errorf("%d events, %v", len(page.Events), err)
			}
			break
		}
		if !errors.Is(err, store.ErrUnavailable) || len(page.Events) > 0 || page.Next != nil || reader.reads > fail {
			t.Errorf("read %d fails: a page of %d events after %d reads, %v", fail, len(page.Events), reader.reads, err)
		}
		reads++
	}
	if reads < 4 {
		t.Errorf("%d reads", reads)
	}
}

// TestTheFirstIndexIsOftenEnough checks what a page with several conditions costs when most of what its
// first index finds, or a third of it, meets the others too: one read.
func TestTheFirstIndexIsOftenEnough(t *testing.T) {
	for _, c := range []struct{ limit, every, looked int }{{1000, 1, 1001}, {300, 1, 301}, {10, 3, 31}} {
		l := &sliceReader{}
		for i := range 1200 {
			e := store.Event{ID: store.NewID(), Title: "common", StartsAt: time.UnixMilli(int64(i)).UTC()}
			if i%c.every == 0 {
				e.Title += " other"
			}
			l.events = append(l.events, e)
		}
		reader := &failingReader{sliceReader: l}
		page, err := ReadEvents(t.Context(), reader, store.EventQuery{Words: Words("common other"), Limit: c.limit})
		if err != nil || len(page.Events) != c.limit || page.Next == nil || reader.reads != 1 || l.looked < c.looked {
			t.Errorf("limit %d, every %d: %d events, next %v, %d reads of %d, %v", c.limit, c.every, len(page.Events), page.Next, reader.reads, l.looked, err)
		}
	}
}

// TestEventsThatHaveEndedAreReadManyAtOnce checks that a list of what has not ended passes over what has by one read, as far as
// minCursors go, and makes a larger page by one read too.
func TestEventsThatHaveEndedAreReadManyAtOnce(t *testing.T) {
	for _, c := range []struct{ ended, limit, reads int }{
		{minCursors - 11, 10, 1}, {minCursors - 10, 10, 2}, {0, minCursors - 1, 1}, {0, minCursors, 1}, {0, 1000, 1}, {1, 1000, 2},
	} {
		l := &sliceReader{}
		for i := range c.ended + 2000 {
			at := time.UnixMilli(int64(i)).UTC()
			e := store.Event{ID: store.NewID(), StartsAt: at, EndsAt: at}
			if i >= c.ended {
				e.EndsAt = at.Add(time.Hour)
			}
			l.events = append(l.events, e)
		}
		reader := &failingReader{sliceReader: l}
		page, err := ReadEvents(t.Context(), reader, store.EventQuery{EndsAfter: time.UnixMilli(int64(c.ended)).UTC(), Limit: c.limit})
		if err != nil || len(page.Events) != c.limit || page.Next == nil || reader.reads != c.reads {
			t.Errorf("%+v: %d events, next %v, %d reads, %v", c, len(page.Events), page.Next, reader.reads, err)
		}
	}
}

// TestAPageAsksForWhatItLacks checks how many events are asked for by their ids when a page has half of what it takes: one more than it lacks.
func TestAPageAsksForWhatItLacks(t *testing.T) {
	const first = 40
	l := &sliceReader{}
	for i := range 1000 {
		e := store.Event{ID: store.NewID(), Title: "common", StartsAt: time.UnixMilli(int64(i)).UTC()}
		if i%8 == 0 || i >= first {
			e.Title += " other"
		}
		l.events = append(l.events, e)
	}
	page, err := ReadEvents(t.Context(), l, store.EventQuery{Words: Words("common other"), Limit: 10})
	if err != nil || len(page.Events) != 10 || page.Next == nil || l.looked != first+2*minCursors+6 {
		t.Errorf("%d events, next %v, %d looked at, %v", len(page.Events), page.Next, l.looked, err)
	}
}

// TestASearchEndsWhereAnIndexEnds checks how many events and cursors are looked at for two words that are never together, when
// there are no more events with one of them: those of one look at each index.
func TestASearchEndsWhereAnIndexEnds(t *testing.T) {
	const first = 40 // events with the longer word, which are read first for a page of 10
	for name, c := range map[string]struct {
		events, looked int
		word           func(i int) string
	}{
		"one ends before": {3000, first + minCursors, func(i int) string {
			if i < 10 {
				return "rare"
			}
			return "commonest"
		}},
		"one ends at once": {3000, first + minCursors + 1, func(i int) string {
			if i == 100 {
				return "rare"
			}
			return "commonest"
		}},
		"one ends far behind": {3000, first + minCursors + 1 + 1, func(i int) string { // and the event is read by its id
			if i == 2000 {
				return "rare"
			}
			return "commonest"
		}},
		"the longer one ends": {3000, first + 5 + minCursors, func(i int) string {
			if i < 450 && i%10 == 0 {
				return "rarest"
			}
			return "often"
		}},
		"both end": {200, first + 60, func(i int) string {
			if i < 100 {
				return "left"
			}
			return "right"
		}},
	} {
		l := &sliceReader{}
		for i := range c.events {
			l.events = append(l.events, store.Event{ID: store.NewID(), Title: c.word(i), StartsAt: time.UnixMilli(int64(i)).UTC()})
		}
		words := Words(c.word(0) + " " + c.word(100) + " " + c.word(2000))
		page, err := ReadEvents(t.Context(), l, store.EventQuery{Words: words, Limit: 10})
		if err != nil || len(words) != 2 || len(page.Events) > 0 || page.Next != nil || l.looked != c.looked {
			t.Errorf("%s: %d events, next %v, %d looked at, %v", name, len(page.Events), page.Next, l.looked, err)
		}
	}
}

// TestTheRareIndexLeads checks that a search goes as far in each round as the index with the fewest events
// there, whichever comes first: of two words that are never together, one ten times as common.
func TestTheRareIndexLeads(t *testing.T) {
	for _, words := range [][2]string{{"commonest", "rare"}, {"often", "seldomest"}} {
		l := &sliceReader{}
		for i := range 3000 {
			word := words[0]
			if i%10 == 0 {
				word = words[1]
			}
			l.events = append(l.events, store.Event{ID: store.NewID(), Title: word, StartsAt: time.UnixMilli(int64(i)).UTC()})
		}
		q := store.EventQuery{Words: Words(words[0] + " " + words[1]), Limit: 10}
		for {
			page, err := ReadEvents(t.Context(), l, q)
			if err != nil || len(page.Events) > 0 {
				t.Fatalf("%d events, %v", len(page.Events), err)
			}
			if page.Next == nil {
				break
			}
			q.After = page.Next
		}
		if l.looked > 1600 {
			t.Errorf("%v: %d were looked at", words, l.looked)
		}
	}
}

// failingReader fails at one of its reads.
type failingReader struct {
	*sliceReader
	reads, failAt int
}

func (f *failingReader) fails() error {
	if f.reads++; f.reads == f.failAt {
		return store.ErrUnavailable
	}
	return nil
}

func (f *failingReader) ReadRange(ctx context.Context, r EventRange) ([]store.Event, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.sliceReader.ReadRange(ctx, r)
}

func (f *failingReader) ReadCursors(ctx context.Context, r EventRange) ([]store.EventCursor, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.sliceReader.ReadCursors(ctx, r)
}

func (f *failingReader) ReadByID(ctx context.Context, ids []store.ID) ([]store.Event, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	return f.sliceReader.ReadByID(ctx, ids)
}

func TestNextCursor(t *testing.T) {
	at := time.UnixMilli(1000).UTC()
	last := store.ID{}
	for i := range last {
		last[i] = 0xff
	}
	for _, c := range []struct{ cursor, next store.EventCursor }{
		{store.EventCursor{StartsAt: at, ID: store.ID{11: 1}}, store.EventCursor{StartsAt: at, ID: store.ID{11: 2}}},
		{store.EventCursor{StartsAt: at, ID: store.ID{11: 0xff}}, store.EventCursor{StartsAt: at, ID: store.ID{10: 1}}},
		{store.EventCursor{StartsAt: at, ID: last}, store.EventCursor{StartsAt: at.Add(time.Millisecond), ID: store.ID{}}},
	} {
		if got := next(c.cursor, false); got != c.next {
			t.Errorf("behind %v comes %v", c.cursor, got)
		}
		if got := next(c.next, true); got != c.cursor {
			t.Errorf("before %v comes %v", c.next, got)
		}
	}
}
