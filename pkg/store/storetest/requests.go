package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// NewEvent creates an event with that many seats and without a waiting list.
func NewEvent(tb testing.TB, s store.Events, capacity int64) store.Event {
	tb.Helper()
	e := store.Event{
		ID: store.NewID(), OrganizerID: store.NewID(), Title: "Concert", Description: "Live at the harbour",
		Capacity: capacity, StartsAt: now.Add(24 * time.Hour), EndsAt: now.Add(26 * time.Hour), CreatedAt: now,
	}
	if err := s.CreateEvent(Context(tb), e); err != nil {
		tb.Fatalf("create an event: %v", err)
	}
	return e
}

// NewWaitlistEvent creates an event with that many seats and a waiting list.
func NewWaitlistEvent(tb testing.TB, s store.Store, capacity int64) store.Event {
	tb.Helper()
	e := NewEvent(tb, s, capacity)
	on := true
	WantOutcomes(tb, MustApply(tb, s, NewEdit(e.ID, store.Edit{Version: 1, Waitlist: &on})), store.Edited)
	return e
}

// EveryField returns an edit that sets every field, each to a value of its own that differs with n.
// So a test with it notices a field that an adapter forgets or mixes up with another, also one that
// is added later.
func EveryField(n int) store.Edit {
	e := store.Edit{Version: store.AnyVersion}
	fields := reflect.ValueOf(&e).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		if f.Kind() != reflect.Pointer {
			continue
		}
		f.Set(reflect.New(f.Type().Elem()))
		switch p := f.Interface().(type) {
		case *string:
			*p = fmt.Sprintf("%s %d", fields.Type().Field(i).Name, n)
		case *bool:
			*p = n%2 == 1
		case *int64:
			*p = int64(100*i + n)
		case *time.Time:
			*p = now.Add(time.Duration(24*(i-99)+n) * time.Hour) // a later field has a later time
		default:
			panic(fmt.Sprintf("storetest: no value for a field of type %T", p))
		}
	}
	e.EndsAt = new(e.ClosesAt.Add(time.Hour)) // nobody registers for an event that has ended
	return e
}

// NewUser returns a user with this address.
func NewUser(email string) store.User {
	return store.User{ID: store.NewID(), Name: "Ada", Email: email, PasswordHash: "$argon2id$...", CreatedAt: now}
}

// NewRequest returns a request that registers a new user.
func NewRequest(event store.ID) store.SeatRequest {
	user := store.NewID()
	return store.SeatRequest{Kind: store.Register, EventID: event, UserID: user, RequestID: "request-" + user.Hex(), At: now}
}

// NewRequests returns n requests that register a new user each.
func NewRequests(event store.ID, n int) []store.SeatRequest {
	batch := make([]store.SeatRequest, n)
	for i := range batch {
		batch[i] = NewRequest(event)
	}
	return batch
}

// NewCancel returns a request that cancels the registration that an earlier request asked for.
func NewCancel(request store.SeatRequest) store.SeatRequest {
	return store.SeatRequest{
		Kind: store.Cancel, EventID: request.EventID, UserID: request.UserID, RequestID: "cancel-" + store.NewID().Hex(), At: now,
	}
}

// NewEdit returns a request that edits an event.
func NewEdit(event store.ID, e store.Edit) store.SeatRequest {
	return store.SeatRequest{Kind: store.EditEvent, EventID: event, RequestID: "edit-" + store.NewID().Hex(), At: now, Edit: &e}
}

// WithKey returns the request as one under an idempotency key of the client.
func WithKey(r store.SeatRequest) store.SeatRequest {
	r.Keyed = true
	return r
}

// RequestUsers returns the users of requests, in order.
func RequestUsers(batch []store.SeatRequest) []store.ID {
	return users(batch, func(r store.SeatRequest) store.ID { return r.UserID })
}

// MustApply applies a batch, checks the form of the results and returns them.
func MustApply(tb testing.TB, s store.Seats, batch ...store.SeatRequest) []store.SeatResult {
	tb.Helper()
	results, err := s.Apply(Context(tb), batch)
	if err != nil {
		tb.Fatalf("apply: %v", err)
	}
	if len(results) != len(batch) {
		tb.Fatalf("%d results for %d requests", len(results), len(batch))
	}
	for i, res := range results {
		r := res.Registration
		if kind := batch[i].Kind; res.Outcome != store.NotOrganizer && res.Outcome != store.LeaseOut && !slices.Contains(kind.Outcomes(), res.Outcome) {
			tb.Fatalf("result %d is %s, which is no outcome of a %s", i, res.Outcome, kind)
		}
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

// WantOutcomes fails the test when results have other outcomes.
func WantOutcomes(tb testing.TB, results []store.SeatResult, want ...store.Outcome) {
	tb.Helper()
	got := make([]store.Outcome, len(results))
	for i, r := range results {
		got[i] = r.Outcome
	}
	if !slices.Equal(got, want) {
		tb.Fatalf("outcomes are %v, want %v", got, want)
	}
}
