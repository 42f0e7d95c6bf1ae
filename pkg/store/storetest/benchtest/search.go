package benchtest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// searchedEvents is how many events Search searches.
const searchedEvents = 100_000

// Search measures pages of 20 events for every kind of filter, among searchedEvents events of thirty words
// each, of which one in ten thousand has free seats; and the creation of one more event. load stores
// events, and finish makes the indexes by which they are found.
func Search(b *testing.B, s store.Store, load func(testing.TB, []store.Event), finish func(testing.TB)) {
	all := textEvents(searchedEvents)
	for some := range slices.Chunk(all, 1000) {
		load(b, some)
	}
	finish(b)
	b.Run("create", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			e := all[i%len(all)]
			e.ID = store.NewID()
			if err := s.CreateEvent(storetest.Context(b), e); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, c := range []struct {
		name   string
		search string
		query  store.EventQuery
	}{
		{"all", "", store.EventQuery{}},
		{"available", "", store.EventQuery{Available: true}},
		{"rare word", "seldom", store.EventQuery{}},
		{"common word", "always", store.EventQuery{}},
		{"absent word", "zzzz", store.EventQuery{}},
		{"one letter", "a", store.EventQuery{}},
		{"two common words", "even third", store.EventQuery{}},
		{"two common words, seldom together", "even odd", store.EventQuery{}},
		{"common word, available", "always", store.EventQuery{Available: true}},
		{"rare word, from the end", "seldom", store.EventQuery{Descending: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := c.query
			q.Limit = 20
			if c.search != "" {
				q.Words = search.Words(c.search)
			}
			var times []time.Duration
			for b.Loop() {
				begun := time.Now()
				storetest.FindPage(b, s, q)
				times = append(times, time.Since(begun))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
		})
	}
}

// textEvents makes events with texts in which few words are common and many are rare.
func textEvents(n int) []store.Event {
	random := rand.New(rand.NewPCG(1, 2))
	often := rand.NewZipf(random, 1.1, 3, 20_000)
	word := func() string {
		w := rand.New(rand.NewPCG(often.Uint64(), 3))
		return strings.Map(func(r rune) rune { return r + rune(w.IntN(20)) }, strings.Repeat("a", 3+w.IntN(9)))
	}
	all := make([]store.Event, n)
	for i := range all {
		text := []string{"always"}
		for range 24 {
			text = append(text, word())
		}
		for _, w := range []struct {
			word  string
			every int
			at    int
		}{{"even", 2, 0}, {"odd", 2, 1}, {"third", 3, 0}, {"seldom", 10_000, 9_000}} {
			if i%w.every == w.at || w.word == "odd" && i == n-2 {
				text = append(text, w.word)
			}
		}
		e := store.Event{
			ID: store.NewID(), OrganizerID: store.NewID(), Title: word() + " " + word() + " " + word(), Venue: word(),
			Description: strings.Join(text, " "), Capacity: 100, TicketsSold: 100, LastNumber: 100, ConfirmedThrough: 100,
			StartsAt: storetest.Now().Add(time.Duration(i) * time.Minute), EndsAt: storetest.Now().AddDate(1, 0, 0), CreatedAt: storetest.Now(), Version: 1, Revision: 1,
		}
		if i%10_000 == 9_999 {
			e.TicketsSold = 0
		}
		all[i] = e
	}
	return all
}
