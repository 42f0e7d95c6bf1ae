package benchtest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/verify"
)

// Growing is an adapter over a fresh, empty database.
type Growing struct {
	Store interface {
		store.Store
		imports.Store
	}
	Reader verify.Reader
	// Load stores events as they are, with what searches find them by.
	Load func(testing.TB, []store.Event)
	// Open opens the database once more and closes it: what the start of a process costs.
	Open func(testing.TB)
}

// growthTries is how often each read is measured; told is the median.
const growthTries = 9

// Growth measures what each operation costs in databases of different sizes, those in EVENTIO_GROWTH (1,000 by
// default): with so many events, and so many people registered for one event more; 1000:1000000 has other numbers of events and of
// people. It prints a table for docs/benchmarks.
func Growth(b *testing.B, open func(testing.TB) Growing) {
	type size struct {
		name           string
		events, people int
	}
	var sizes []size
	for name := range strings.FieldsSeq(growthSizes()) {
		of, with, two := strings.Cut(name, ":")
		if !two {
			with = of
		}
		events, err := strconv.Atoi(of)
		people, err2 := strconv.Atoi(with)
		if err != nil || err2 != nil || events < 1000 || people < 1000 {
			b.Fatalf("EVENTIO_GROWTH: %q is no number from 1000 on, and no two with a colon between them", name)
		}
		sizes = append(sizes, size{name, events, people})
	}
	var names []string
	table := make(map[string][]string)
	for i, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			g := growth{Growing: open(b), n: size.events, people: size.people}
			g.measure(b, func(name, took string) {
				if i == 0 {
					names = append(names, name)
				}
				table[name] = append(table[name], took)
			})
		})
	}
	head, line := "| |", "|---|"
	for _, size := range sizes {
		head, line = head+" "+size.name+" |", line+"---|"
	}
	fmt.Println(head + "\n" + line)
	for _, name := range names {
		fmt.Println("| " + name + " | " + strings.Join(table[name], " | ") + " |")
	}
}

func growthSizes() string {
	if text := os.Getenv("EVENTIO_GROWTH"); text != "" {
		return text
	}
	return "1000"
}

// growth measures one size.
type growth struct {
	Growing
	n      int // events
	people int
	events []store.Event
	hot    store.Event // with all people
}

func (g *growth) measure(b *testing.B, tell func(name, took string)) {
	s := g.Store
	people := make([]store.ID, g.people)
	for i := range people {
		people[i] = store.NewID()
	}
	once := func(name string, f func()) {
		began := time.Now()
		f()
		tell(name, time.Since(began).Round(10*time.Microsecond).String())
	}
	g.hot = store.Event{
		ID: store.NewID(), OrganizerID: store.NewID(), Title: "Growth", Description: "hot", Venue: "here", Capacity: int64(g.people),
		StartsAt: storetest.Now(), EndsAt: storetest.Now().AddDate(1, 0, 0), CreatedAt: storetest.Now(),
	}
	once("import of an event with so many people", func() {
		if got, err := s.ImportEvent(b.Context(), g.hot, people, nil); err != nil || got != imports.Imported {
			b.Fatal(got, err)
		}
	})
	g.events = textEvents(g.n)
	for i := range g.events {
		e := &g.events[i]
		e.TicketsSold, e.LastNumber, e.ConfirmedThrough, e.Capacity = 0, 0, 0, 1
	}
	for some := range slices.Chunk(g.events, 1000) {
		g.Load(b, some)
	}
	fan := g.fan(b)
	median := func(name string, f func() error) {
		var times []time.Duration
		for range growthTries {
			began := time.Now()
			if err := f(); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			times = append(times, time.Since(began))
		}
		slices.Sort(times)
		tell(name, times[len(times)/2].Round(10*time.Microsecond).String())
	}
	median("opening the database", func() error { g.Open(b); return nil })
	median("an event", func() error { _, err := s.Event(b.Context(), g.hot.ID); return err })
	for _, c := range []struct {
		name  string
		query store.EventQuery
	}{
		{"20 events", store.EventQuery{}}, {"20 events, available", store.EventQuery{Available: true}},
		{"20 events by a common word", store.EventQuery{Words: search.Words("always")}},
		{"events by a rare word", store.EventQuery{Words: search.Words("seldom")}},
	} {
		c.query.Limit = 20
		median(c.name, func() error { _, err := s.FindEvents(b.Context(), c.query); return err })
	}
	median("100 of a roster, from its middle", func() error {
		for _, err := range s.Roster(b.Context(), g.hot.ID, int64(g.people/2), int64(g.people), 100) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	median("whether a person is registered", func() error { _, err := s.Registration(b.Context(), g.hot.ID, people[g.people/2]); return err })
	median("1,000 of a person's registrations", func() error {
		for _, err := range s.UserRegistrations(b.Context(), fan, store.ID{}, 1000) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	once("verify", func() {
		for page := range slices.Chunk(slices.Collect(g.ids(b)), 1000) {
			if err := verify.CheckEvents(b.Context(), g.Reader, page, nil, func(verify.EventReport) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// fan registers a person for as many events as there are, 10,000 at most.
func (g *growth) fan(b *testing.B) store.ID {
	fan := store.NewID()
	for some := range slices.Chunk(g.events[:min(len(g.events), 10_000)], 500) {
		var batch []store.SeatRequest
		for _, e := range some {
			r := storetest.NewRequest(e.ID)
			r.UserID = fan
			batch = append(batch, r)
		}
		storetest.MustApply(b, g.Store, batch...)
	}
	return fan
}

// ids yields the ids of all events.
func (g *growth) ids(b *testing.B) func(func(store.ID) bool) {
	return func(yield func(store.ID) bool) {
		for id, err := range g.Reader.ReadEventIDs(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
			if !yield(id) {
				return
			}
		}
	}
}
