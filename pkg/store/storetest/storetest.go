// Package storetest is the conformance suite of package store: every adapter passes it.
package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Target is one adapter over one fresh, empty database.
type Target struct {
	// Store is the handle under test.
	Store store.Store
	// Again opens another handle on the same database, as another process would.
	Again func(testing.TB) store.Store
	// Fail makes every write of the given operation on Store end that way until heal is
	// called.
	Fail func(tb testing.TB, op Operation, ending Ending) (heal func())
}

// Operation is a kind of write.
type Operation string

// The operations that can be made to fail.
const (
	Apply  Operation = "apply"
	Create Operation = "create" // of a user or an event
)

// Ending is how a write goes wrong.
type Ending string

// The endings.
const (
	Failed          Ending = "failed"            // an error, and nothing is stored
	FailedButStored Ending = "failed-but-stored" // an error, and everything is stored
)

// Run runs the suite. open makes a fresh target, with cleanup, for each test.
func Run(t *testing.T, open func(testing.TB) Target) {
	for name, test := range map[string]func(*testing.T, Target){
		"users":       testUsers,
		"identity":    testIdentity,
		"events":      testEvents,
		"roster":      testRoster,
		"seats":       testSeats,
		"endings":     testEndings,
		"concurrency": testConcurrency,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	t.Run("random batches agree with a model", func(t *testing.T) { testModel(t, open(t)) })
}

// limit bounds each call of the suite.
const limit = 10 * time.Second

func context10s(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), limit)
	tb.Cleanup(cancel)
	return ctx
}

// now is a fixed time: the clock is a parameter everywhere.
var now = time.Date(2026, 11, 24, 10, 0, 0, 123_000_000, time.UTC)

// NewEvent creates an event with that many places.
func NewEvent(tb testing.TB, s store.Events, capacity int64) store.Event {
	tb.Helper()
	e := store.Event{
		ID: store.NewID(), OrganizerID: store.NewID(), Title: "Concert", Description: "Live at the harbour",
		Capacity: capacity, StartsAt: now.Add(24 * time.Hour), EndsAt: now.Add(26 * time.Hour), CreatedAt: now,
	}
	if err := s.CreateEvent(context10s(tb), e); err != nil {
		tb.Fatalf("create an event: %v", err)
	}
	return e
}

// Wish is a request of a new user with a new request id.
func Wish(event store.ID) store.SeatRequest {
	user := store.NewID()
	return store.SeatRequest{EventID: event, UserID: user, RequestID: "wish-" + user.Hex(), At: now}
}

// Wishes are n of them.
func Wishes(event store.ID, n int) []store.SeatRequest {
	batch := make([]store.SeatRequest, n)
	for i := range batch {
		batch[i] = Wish(event)
	}
	return batch
}

// apply applies a batch and checks the form of the answer.
func apply(tb testing.TB, s store.Seats, batch ...store.SeatRequest) []store.SeatResult {
	tb.Helper()
	results, err := s.Apply(context10s(tb), batch)
	if err != nil {
		tb.Fatalf("apply: %v", err)
	}
	if len(results) != len(batch) {
		tb.Fatalf("%d results for %d requests", len(results), len(batch))
	}
	for i, res := range results {
		if res.Outcome == store.Registered {
			r := res.Registration
			if r.EventID != batch[i].EventID || r.UserID != batch[i].UserID || r.RequestID != batch[i].RequestID || r.Number < 1 || r.RegisteredAt.IsZero() {
				tb.Fatalf("result %d is %+v for request %+v", i, r, batch[i])
			}
		} else if res.Registration != (store.Registration{}) {
			tb.Fatalf("result %d is %s and carries a registration", i, res.Outcome)
		}
	}
	return results
}

func wantOutcomes(tb testing.TB, results []store.SeatResult, want ...store.Outcome) {
	tb.Helper()
	got := make([]store.Outcome, len(results))
	for i, r := range results {
		got[i] = r.Outcome
	}
	if !slices.Equal(got, want) {
		tb.Fatalf("outcomes are %v, want %v", got, want)
	}
}

// Check proves the store's promises for one event at rest and returns its roster.
func Check(tb testing.TB, s store.Store, event store.ID) []store.Registration {
	tb.Helper()
	e, err := s.Event(context10s(tb), event)
	if err != nil {
		tb.Fatalf("check: %v", err)
	}
	roster := Roster(tb, s, event)
	if int64(len(roster)) != e.TicketsSold || e.TicketsSold > e.Capacity {
		tb.Fatalf("check: %d registrations, tickets_sold %d, capacity %d", len(roster), e.TicketsSold, e.Capacity)
	}
	users := make(map[store.ID]bool)
	last := int64(0)
	for _, r := range roster {
		if users[r.UserID] {
			tb.Fatalf("check: user %s holds two seats", r.UserID.Hex())
		}
		users[r.UserID] = true
		if r.Number <= last {
			tb.Fatalf("check: number %d comes after %d", r.Number, last)
		}
		last = r.Number
	}
	return roster
}

// Roster reads the whole roster.
func Roster(tb testing.TB, s store.Events, event store.ID) []store.Registration {
	tb.Helper()
	return collect(tb, func(yield func(store.Registration, error) bool) {
		s.Roster(context10s(tb), event, 0, 0)(yield)
	})
}

func collect[T any](tb testing.TB, seq func(func(T, error) bool)) []T {
	tb.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			tb.Fatalf("read a list: %v", err)
		}
		all = append(all, v)
	}
	return all
}
