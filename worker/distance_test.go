package worker_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/worker"
)

const (
	distanceRounds = 3
	distanceWindow = 3 * time.Second
)

// BenchmarkDistance measures one event for which people register as fast as they are answered, on three nodes of
// MongoDB with a round trip between each two of them: those in EVENTIO_DISTANCES, in milliseconds, 10 by default. Callers and
// worker are beside the primary, and HTTP is left out. It prints a table for docs/benchmarks, and fails when
// somebody was told something else than what is stored. Its figures are not those of testing.B.
func BenchmarkDistance(b *testing.B) {
	table := "| ms between nodes | who register at a time | requests/s | ms p50 | ms p99 | requests a batch |\n|---|---|---|---|---|---|\n"
	for text := range strings.FieldsSeq(cmp.Or(os.Getenv("EVENTIO_DISTANCES"), "10")) {
		millis, err := strconv.Atoi(text)
		if err != nil || millis < 0 {
			b.Fatalf("EVENTIO_DISTANCES: %q is no number of milliseconds", text)
		}
		b.Run(text+"ms", func(b *testing.B) {
			s := newDistantSite(b, time.Duration(millis)*time.Millisecond)
			for _, callers := range []int{1, 64, 256, 1024} {
				s.burst(b, callers) // warms up
				var rounds []distanceFigures
				for range distanceRounds {
					rounds = append(rounds, s.burst(b, callers))
				}
				slices.SortFunc(rounds, func(x, y distanceFigures) int { return cmp.Compare(x.rate, y.rate) })
				table += fmt.Sprintf("| %d | %d | %s |\n", millis, callers, rounds[distanceRounds/2])
			}
		})
	}
	fmt.Print(table)
}

// distantSite is one worker over a store of three nodes that are far from each other.
type distantSite struct {
	store     *mongostore.Store
	requester *messages.Requester

	mu      sync.Mutex // guards batches
	batches int
}

func newDistantSite(b *testing.B, roundTrip time.Duration) *distantSite {
	b.Helper()
	set := testenv.StartDistantReplicaSet(b, 10_000, roundTrip)
	primary, err := set.Primary()
	if err != nil {
		b.Fatal(err)
	}
	s := new(distantSite)
	if s.store, err = mongostore.Open(b.Context(), primary.URI()+"&directConnection=true", zerolog.Nop()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.store.Close() })
	nats := testenv.StartNATS(b).URL()
	link := func(name string) messages.Link {
		conn, err := messages.Connect(nats, name, zerolog.Nop())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(conn.Close)
		return messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: s.store.DatabaseID()}}
	}
	w := worker.New(link("worker").Conn, seats{s.store, s.count}, worker.Config{}, zerolog.Nop())
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = w.Stop(b.Context()) })
	if s.requester, err = messages.NewRequester(link("callers")); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *distantSite) count([]store.SeatRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	return nil
}

// distanceFigures are what a burst gave.
type distanceFigures struct {
	rate, batch float64
	p50, p99    time.Duration
}

// String returns the figures as the cells of a row.
func (f distanceFigures) String() string {
	return fmt.Sprintf("%.0f | %.1f | %.1f | %.0f", f.rate, f.p50.Seconds()*1000, f.p99.Seconds()*1000, f.batch)
}

// burst has so many callers register new people for a new event, one after the other each.
func (s *distantSite) burst(b *testing.B, callers int) distanceFigures {
	b.Helper()
	event := storetest.NewEvent(b, s.store, 10_000_000).ID
	s.mu.Lock()
	s.batches = 0
	s.mu.Unlock()
	var mu sync.Mutex
	var all []time.Duration
	var running sync.WaitGroup
	begun := time.Now()
	for range callers {
		running.Go(func() {
			var took []time.Duration
			for time.Since(begun) < distanceWindow {
				asked, wanted := time.Now(), storetest.NewRequest(event)
				got := s.requester.Request(b.Context(), messages.SeatRequest{
					Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: event, UserID: wanted.UserID,
				}, asked.Add(limit))
				if got.Reply.Outcome != store.Registered {
					b.Errorf("told %s: %v", got.Reply.Outcome, got.Cause)
					return
				}
				took = append(took, time.Since(asked))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	running.Wait()
	elapsed := time.Since(begun)
	e, err := s.store.Event(b.Context(), event)
	broken, bad := storetest.Broken(b.Context(), s.store, event)
	if err := errors.Join(err, bad); err != nil || len(broken) > 0 || e.TicketsSold != int64(len(all)) {
		b.Fatalf("%d were told that they have a seat, and %d are sold; broken promises: %q, %v", len(all), e.TicketsSold, broken, err)
	}
	slices.Sort(all)
	s.mu.Lock()
	defer s.mu.Unlock()
	return distanceFigures{
		rate: float64(len(all)) / elapsed.Seconds(), batch: float64(len(all)) / float64(s.batches),
		p50: all[len(all)/2], p99: all[len(all)*99/100],
	}
}
