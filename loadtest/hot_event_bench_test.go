package loadtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

const (
	connections = 64
	rounds      = 5 // of product and baseline in turn, in one iteration of a benchmark

	hotRequests = 12_800 // to the product in a round

	baselineSlices   = 3
	baselineRequests = 512  // in a slice
	baselineArray    = 1000 // ids, on the average over a slice
)

// What BenchmarkHotEvent demands, below what a busy machine was seen to give.
const (
	wantRatio = 2.5 // times the throughput of the baseline with updateOne
	wantBatch = 8.0 // mean batch size, to be exceeded
)

// hotRound is one round of BenchmarkHotEvent.
type hotRound struct {
	product   burst
	update    burst   // of the baseline, with updateOne
	findAnd   burst   // of the baseline, with findOneAndUpdate
	meanBatch float64 // of the product
	maxBatch  int
}

func (r hotRound) ratio() float64        { return r.product.perSecond() / r.update.perSecond() }
func (r hotRound) ratioFindAnd() float64 { return r.product.perSecond() / r.findAnd.perSecond() }

func (r hotRound) String() string {
	return fmt.Sprintf("round   %v, batches mean %.1f, largest %d | updateOne %v, ratio %.1f | findOneAndUpdate %v, ratio %.1f",
		r.product, r.meanBatch, r.maxBatch, r.update, r.ratio(), r.findAnd, r.ratioFindAnd())
}

// BenchmarkHotEvent: 64 connections fire at one event with free places, at the product and
// at the two forms of the baseline in turn.
func BenchmarkHotEvent(b *testing.B) {
	s := startSystem(b)
	l := startOriginal(b, s.mongoURI)
	st := openStore(b, s.mongoURI)
	s.hotRound(b, l, st) // opens connections, fills caches
	var done []hotRound
	for b.Loop() {
		for range rounds {
			done = append(done, s.hotRound(b, l, st))
		}
	}
	metric := func(unit string, of func(hotRound) float64) float64 {
		m := median(done, of)
		b.ReportMetric(m, unit)
		return m
	}
	product := metric("req/s", func(r hotRound) float64 { return r.product.perSecond() })
	metric("p50_ms", func(r hotRound) float64 { return r.product.millis(0.5) })
	metric("p99_ms", func(r hotRound) float64 { return r.product.millis(0.99) })
	batch := metric("mean_batch", func(r hotRound) float64 { return r.meanBatch })
	update := metric("updateOne_req/s", func(r hotRound) float64 { return r.update.perSecond() })
	ratio := metric("ratio", hotRound.ratio)
	findAnd := metric("findOneAndUpdate_req/s", func(r hotRound) float64 { return r.findAnd.perSecond() })
	ratioFindAnd := metric("ratio_findOneAndUpdate", hotRound.ratioFindAnd)
	report(b, fmt.Sprintf("medians %6.0f/s, mean batch %.1f | updateOne %.0f/s, ratio %.1f | findOneAndUpdate %.0f/s, ratio %.1f",
		product, batch, update, ratio, findAnd, ratioFindAnd), done)
	if ratio < wantRatio || batch <= wantBatch {
		b.Fatalf("ratio to updateOne is %.1f, want at least %.1f; mean batch is %.1f, want more than %.0f", ratio, wantRatio, batch, wantBatch)
	}
}

// hotRound fires at the product, then at the baseline, and checks what each has stored.
func (s *system) hotRound(b *testing.B, l *original, st store.Store) hotRound {
	b.Helper()
	event := storetest.NewEvent(b, st, 1_000_000)
	product := fire(b, s.addr, event.ID, connections, hotRequests)
	sizes := s.batches(b, hotRequests)
	s.check(b, event.ID, product)
	return hotRound{
		product:   product,
		meanBatch: float64(hotRequests) / float64(len(sizes)),
		maxBatch:  slices.Max(sizes),
		update:    l.burst(b, l.updateOne),
		findAnd:   l.burst(b, l.findOneAndUpdate),
	}
}

// check proves over HTTP that what the users were told is what is stored.
func (s *system) check(b *testing.B, event store.ID, r burst) {
	b.Helper()
	e, err := s.client.Event(b.Context(), event)
	if err != nil {
		b.Fatal(err)
	}
	a := load.Account{Event: event, Told: r.told(), Capacity: e.Capacity, Sold: e.TicketsSold}
	for user, err := range s.client.Roster(b.Context(), event, client.StatusConfirmed) {
		if err != nil {
			b.Fatal(err)
		}
		a.Roster = append(a.Roster, user)
	}
	if err := a.Check(); err != nil {
		b.Fatalf("product: %v", err)
	}
}

func openStore(b *testing.B, uri string) *mongostore.Store {
	b.Helper()
	st, err := mongostore.Open(b.Context(), uri, zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	})
	return st
}

// report logs the medians, and below them the rounds: the log of a benchmark is cut after
// ten lines.
func report[R fmt.Stringer](b *testing.B, median string, done []R) {
	lines := []string{median}
	for _, r := range done {
		lines = append(lines, r.String())
	}
	b.Log("\n" + strings.Join(lines, "\n"))
	b.ReportMetric(0, "ns/op") // the time of all rounds together says nothing
}
