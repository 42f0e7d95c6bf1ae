// Package storetest is the conformance suite of package store: every adapter passes it.
package storetest

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
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
		"database":    testDatabaseID,
		"users":       testUsers,
		"identity":    testIdentity,
		"accounts":    testAccounts,
		"events":      testEvents,
		"roster":      testRoster,
		"find":        testFind,
		"lookups":     testLookups,
		"idempotency": testIdempotency,
		"seats":       testSeats,
		"cancelling":  testCancelling,
		"kept":        testKept,
		"meant":       testMeant,
		"waiting":     testWaiting,
		"edits":       testEdits,
		"hours":       testHours,
		"holdings":    testHoldings,
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

// newWaitlistEvent is NewEvent with a waiting list.
func newWaitlistEvent(tb testing.TB, s store.Store, capacity int64) store.Event {
	tb.Helper()
	e := NewEvent(tb, s, capacity)
	on := true
	wantOutcomes(tb, apply(tb, s, edit(e.ID, store.Edit{Version: 1, Waitlist: &on})), store.Edited)
	return e
}

// edit is a request of the organizer.
func edit(event store.ID, e store.Edit) store.SeatRequest {
	return store.SeatRequest{Kind: store.EditEvent, EventID: event, RequestID: "edit-" + store.NewID().Hex(), At: now, Edit: &e}
}

// leave is a request to cancel what an earlier request asked for.
func leave(wish store.SeatRequest) store.SeatRequest {
	return store.SeatRequest{
		Kind: store.Cancel, EventID: wish.EventID, UserID: wish.UserID, RequestID: "leave-" + store.NewID().Hex(), At: now,
	}
}

// Wish is a request of a new user with a new request id.
func Wish(event store.ID) store.SeatRequest {
	user := store.NewID()
	return store.SeatRequest{Kind: store.Register, EventID: event, UserID: user, RequestID: "wish-" + user.Hex(), At: now}
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
		r := res.Registration
		switch res.Outcome {
		case store.Registered, store.Waitlisted:
			if r.RequestID != batch[i].RequestID {
				tb.Fatalf("result %d is %+v for request %+v", i, r, batch[i])
			}
			fallthrough
		case store.AlreadyRegistered, store.AlreadyWaitlisted:
			if r.EventID != batch[i].EventID || r.UserID != batch[i].UserID || r.Number < 1 || r.RegisteredAt.IsZero() || r.Cancelled {
				tb.Fatalf("result %d is %+v for request %+v", i, r, batch[i])
			}
		default:
			if !r.Equal(store.Registration{}) {
				tb.Fatalf("result %d is %s and carries a registration", i, res.Outcome)
			}
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
	broken, err := Broken(context10s(tb), s, event)
	if err != nil {
		tb.Fatalf("check: %v", err)
	}
	if len(broken) > 0 {
		tb.Fatalf("check: %s", strings.Join(broken, "; "))
	}
	e, err := s.Event(context10s(tb), event)
	if err != nil {
		tb.Fatalf("check: %v", err)
	}
	return Roster(tb, s, e)
}

// Broken lists the promises that an event at rest breaks.
func Broken(ctx context.Context, s store.Store, event store.ID) (broken []string, err error) {
	add := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	e, err := s.Event(ctx, event)
	if err != nil {
		return nil, err
	}
	var confirmed, waiting, last int64
	users := make(map[store.ID]bool)
	for r, err := range s.Roster(ctx, event, 0, math.MaxInt64, 0) {
		if err != nil {
			return nil, err
		}
		if e.Confirmed(r) {
			confirmed++
		} else {
			waiting++
		}
		if users[r.UserID] {
			add("user %s is there twice", r.UserID.Hex())
		}
		users[r.UserID] = true
		if r.Number <= last || r.Number > e.LastNumber {
			add("number %d comes after %d, the last is %d", r.Number, last, e.LastNumber)
		}
		last = r.Number
	}
	if confirmed != e.TicketsSold || e.TicketsSold > e.Capacity {
		add("%d registrations, tickets_sold %d, capacity %d", confirmed, e.TicketsSold, e.Capacity)
	}
	if waiting != e.Waiting {
		add("%d in the waiting list, waiting %d", waiting, e.Waiting)
	}
	if e.Waiting > 0 && e.TicketsSold < e.Capacity && e.CancelledAt.IsZero() {
		add("%d wait while %d of %d places are taken", e.Waiting, e.TicketsSold, e.Capacity)
	}
	return broken, nil
}

// Roster reads the whole roster of an event.
func Roster(tb testing.TB, s store.Registrations, e store.Event) []store.Registration {
	tb.Helper()
	return collect(tb, s.Roster(context10s(tb), e.ID, 0, e.ConfirmedThrough, 0))
}

// WaitingList reads the whole waiting list of an event.
func WaitingList(tb testing.TB, s store.Registrations, e store.Event) []store.Registration {
	tb.Helper()
	return collect(tb, s.Roster(context10s(tb), e.ID, e.ConfirmedThrough, e.LastNumber, 0))
}

func collect[T any](tb testing.TB, seq iter.Seq2[T, error]) []T {
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
