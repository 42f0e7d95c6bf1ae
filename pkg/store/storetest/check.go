package storetest

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// Check fails the test when an event breaks a guarantee of package store, and returns its roster. Nobody may
// write to the event meanwhile.
func Check(tb testing.TB, s store.Store, event store.ID) []store.Registration {
	tb.Helper()
	broken, err := Broken(Context(tb), s, event)
	if err != nil {
		tb.Fatalf("check: %v", err)
	}
	if len(broken) > 0 {
		tb.Fatalf("check: %s", strings.Join(broken, "; "))
	}
	e, err := s.Event(Context(tb), event)
	if err != nil {
		tb.Fatalf("check: %v", err)
	}
	return Roster(tb, s, e)
}

// Broken lists the guarantees that an event breaks. Nobody may write to the event meanwhile.
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

// Roster reads the roster of an event: the confirmed registrations.
func Roster(tb testing.TB, s store.Registrations, e store.Event) []store.Registration {
	tb.Helper()
	return Collect(tb, s.Roster(Context(tb), e.ID, 0, e.ConfirmedThrough, 0))
}

// WaitingList reads the waiting list of an event.
func WaitingList(tb testing.TB, s store.Registrations, e store.Event) []store.Registration {
	tb.Helper()
	return Collect(tb, s.Roster(Context(tb), e.ID, e.ConfirmedThrough, e.LastNumber, 0))
}

// RosterUsers returns the users of registrations, in order.
func RosterUsers(rows []store.Registration) []store.ID {
	return users(rows, func(r store.Registration) store.ID { return r.UserID })
}

// ReadEvent reads an event.
func ReadEvent(tb testing.TB, s store.Events, id store.ID) store.Event {
	tb.Helper()
	e, err := s.Event(Context(tb), id)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// FindPage reads a page of events.
func FindPage(tb testing.TB, s store.Store, q store.EventQuery) store.EventPage {
	tb.Helper()
	page, err := s.FindEvents(Context(tb), q)
	if err != nil {
		tb.Fatalf("find: %v", err)
	}
	return page
}

// Collect reads a whole sequence.
func Collect[T any](tb testing.TB, seq iter.Seq2[T, error]) []T {
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

// users returns the users of registrations or requests, in order.
func users[T any](of []T, user func(T) store.ID) []store.ID {
	ids := make([]store.ID, len(of))
	for i, v := range of {
		ids[i] = user(v)
	}
	return ids
}
