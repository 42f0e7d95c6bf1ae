package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// views is a VerifyReader that answers ReadEvent from memory and nothing else.
type views struct {
	Reader
	event store.Event
	rows  iter.Seq2[store.Registration, error]
	fail  []error // what the first calls end with
}

func (v *views) ReadEvent(_ context.Context, _ store.ID, look func(Snapshot) error) error {
	if len(v.fail) > 0 {
		err := v.fail[0]
		v.fail = v.fail[1:]
		return err
	}
	return look(Snapshot{Event: v.event, Found: true, OrganizerKnown: true, Registrations: v.rows})
}

// numbered yields n sound registrations.
func numbered(n int64) iter.Seq2[store.Registration, error] {
	user := store.NewID()
	return func(yield func(store.Registration, error) bool) {
		for i := range n {
			if !yield(store.Registration{UserID: user, Number: i + 1, RequestID: "x", RegisteredAt: time.Unix(1, 0)}, nil) {
				return
			}
		}
	}
}

func full(n int64) store.Event {
	return store.Event{ID: store.NewID(), Version: 1, Revision: 1, Capacity: n, TicketsSold: n, LastNumber: n, ConfirmedThrough: n}
}

// TestConstantMemory checks that verifying a roster of a million allocates no more than one of a
// thousand.
func TestConstantMemory(t *testing.T) {
	allocated := func(n int64) float64 {
		v := &views{event: full(n), rows: numbered(n)}
		return testing.AllocsPerRun(1, func() {
			e, err := CheckEvent(t.Context(), v, v.event.ID, nil)
			if err != nil || len(e.Findings) > 0 || e.Registrations != n {
				t.Fatalf("%+v, %v", e, err)
			}
		})
	}
	if small, large := allocated(1000), allocated(1_000_000); large > small+10 {
		t.Errorf("%v allocations for a million rows, %v for a thousand", large, small)
	}
}

func TestFindingsOfOneSortAreBounded(t *testing.T) {
	e := full(0)
	e.Capacity = 5
	v := &views{event: e, rows: func(yield func(store.Registration, error) bool) {
		for range 100_000 {
			if !yield(store.Registration{}, fmt.Errorf("%w: the row is bad", store.ErrDamaged)) {
				return
			}
		}
	}}
	got, err := CheckEvent(t.Context(), v, e.ID, nil)
	if err != nil || len(got.Findings) != maxListed+1 || got.Repairable() {
		t.Fatalf("%+v, %v", got, err)
	}
	if last := got.Findings[maxListed].Text; !strings.Contains(last, "and 99995 more of this kind") {
		t.Errorf("the last is %q", last)
	}
	if first := got.Findings[0].Text; first != "event "+e.ID.Hex()+": the row is bad" {
		t.Errorf("the first is %q", first)
	}
}

func TestAReadThatFailsIsRepeated(t *testing.T) {
	passing := errors.New("an election")
	v := &views{event: full(3), rows: numbered(3), fail: []error{passing, passing}}
	if e, err := CheckEvent(t.Context(), v, v.event.ID, nil); err != nil || len(e.Findings) > 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	v.fail = []error{passing, passing, passing, passing, passing, passing}
	if _, err := CheckEvent(t.Context(), v, v.event.ID, nil); !errors.Is(err, passing) {
		t.Fatalf("error is %v", err)
	}
}

// TestOverbookedIsNotRepairable checks that an overbooked event is not offered for repair, because
// somebody would lose a seat.
func TestOverbookedIsNotRepairable(t *testing.T) {
	e := full(3)
	e.Capacity, e.TicketsSold, e.Waiting = 2, 7, 1
	got, err := CheckEvent(t.Context(), &views{event: e, rows: numbered(3)}, e.ID, nil)
	if err != nil || len(got.Findings) != 3 || got.Repairable() {
		t.Fatalf("%+v, %v", got, err)
	}
}
