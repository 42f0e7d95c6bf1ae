package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// views is a VerifyReader that answers ReadEvents from memory and nothing else.
type views struct {
	Reader
	event store.Event
	rows  iter.Seq2[store.Registration, error]
	fail  []error // what the first calls end with
}

func (v *views) ReadEvents(_ context.Context, ids []store.ID, look func(Snapshot) error) error {
	if len(v.fail) > 0 {
		err := v.fail[0]
		v.fail = v.fail[1:]
		return err
	}
	return look(Snapshot{ID: ids[0], Event: v.event, Found: true, OrganizerKnown: true, Registrations: v.rows})
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
	synctest.Test(t, func(t *testing.T) {
		passing := errors.New("an election")
		v := &views{event: full(3), rows: numbered(3), fail: []error{passing, passing}}
		if e, err := CheckEvent(t.Context(), v, v.event.ID, nil); err != nil || len(e.Findings) > 0 {
			t.Fatalf("%+v, %v", e, err)
		}
		v.fail = []error{passing, passing, passing, passing, passing, passing}
		if _, err := CheckEvent(t.Context(), v, v.event.ID, nil); !errors.Is(err, passing) {
			t.Fatalf("error is %v", err)
		}
	})
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

// pages is a Reader of sound events that fails after the calls of read that are told, and notes the pages that it
// was asked for.
type pages struct {
	Reader
	failAfter []int // calls of read, for each ReadEvents; -1: it does not fail
	asked     []int
}

var errElection = errors.New("an election")

func (p *pages) ReadEvents(_ context.Context, ids []store.ID, read func(Snapshot) error) error {
	fail := -1
	if len(p.failAfter) > 0 {
		fail, p.failAfter = p.failAfter[0], p.failAfter[1:]
	}
	p.asked = append(p.asked, len(ids))
	for n, id := range ids {
		if n == fail {
			return errElection
		}
		e := full(1)
		e.ID = id
		if err := read(Snapshot{ID: id, Event: e, Found: true, OrganizerKnown: true, Registrations: numbered(1)}); err != nil {
			return err
		}
	}
	if fail == len(ids) {
		return errElection
	}
	return nil
}

// TestAPageThatFailsIsGoneOnWith checks that events are reported once, that the last one before an error is in doubt
// and read again, and that fewer are read together after an error.
func TestAPageThatFailsIsGoneOnWith(t *testing.T) {
	ids := make([]store.ID, 10)
	for i := range ids {
		ids[i] = store.ID{byte(10 - i)}
	}
	for name, c := range map[string]struct {
		failAfter, asked []int
		reported         int
		fails            bool
	}{
		"never":                  {nil, []int{10}, 10, false},
		"in the middle":          {[]int{5}, []int{10, 1, 2, 3}, 10, false},
		"after the last":         {[]int{10}, []int{10, 1}, 10, false},
		"before the first":       {[]int{0, 0}, []int{10, 1, 1, 2, 4, 3}, 10, false},
		"with a pause":           {[]int{5, 0, 0, 0, -1, 0}, []int{10, 1, 1, 1, 1, 2, 1, 2, 2}, 10, false},
		"for ever":               {[]int{5, 0, 0, 0, 0}, []int{10, 1, 1, 1, 1}, 4, true},
		"after the first always": {[]int{1, 1, 1, 1, 1}, []int{10, 1, 1, 1, 1}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pages{failAfter: c.failAfter}
				var reported []store.ID
				err := CheckEvents(t.Context(), p, ids, nil, func(e EventReport) error {
					reported = append(reported, e.ID)
					return nil
				})
				if errors.Is(err, errElection) != c.fails || !slices.Equal(p.asked, c.asked) || len(reported) != c.reported {
					t.Errorf("asked for %v, %d reported, %v", p.asked, len(reported), err)
				}
				for i, id := range reported {
					if id != (store.ID{byte(i + 1)}) {
						t.Errorf("report %d is of %v", i, id)
					}
				}
			})
		})
	}
}

// passing is a Reader that passes over every event.
type passing struct{ Reader }

func (passing) ReadEvents(context.Context, []store.ID, func(Snapshot) error) error { return nil }

func TestAnEventThatIsPassedOverIsNotClean(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := CheckEvent(ended, passing{}, store.NewID(), nil); err == nil {
		t.Error("it is clean")
	}
}
