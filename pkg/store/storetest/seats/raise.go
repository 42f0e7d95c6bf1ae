package seats

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// raiseLimit bounds a raise over a waiting list of any length: it is the time after which MongoDB, as
// operators are told to configure it, aborts a transaction.
const raiseLimit = 2 * time.Second

// mostChecked bounds the waiting lists of which each registration is read, which takes its time.
const mostChecked = 100_000

// testRaises checks that a larger capacity lets the right people in when they are more than a change
// names, but not all. EVENTIO_WAITING is how many wait, 23,000 by default.
func testRaises(t *testing.T, target storetest.Target) {
	waiting := 23_000
	if set := os.Getenv("EVENTIO_WAITING"); set != "" {
		var err error
		if waiting, err = strconv.Atoi(set); err != nil {
			t.Fatal(err)
		}
	}
	s := target.Store
	event := storetest.NewWaitlistEvent(t, s, 1)
	var people []store.SeatRequest // without who has left; the first has the seat, with the number 1
	for len(people) <= waiting {
		batch := storetest.NewRequests(event.ID, min(1000, waiting+1-len(people)))
		storetest.MustApply(t, s, batch...)
		people = append(people, batch...)
	}
	numbers := make([]int64, len(people))
	for i := range numbers {
		numbers[i] = int64(i) + 1
	}
	capacity := 1
	raise := func(t *testing.T, to int, beside ...store.SeatRequest) {
		t.Helper()
		edit := storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: new(int64(to))})
		started := time.Now()
		results := storetest.MustApply(t, target.Again(t), append([]store.SeatRequest{edit}, beside...)...)
		took := time.Since(started)
		storetest.WantOutcomes(t, results[:1], store.Edited)
		if took > raiseLimit && len(beside) == 0 {
			t.Errorf("the raise took %v", took)
		}
		t.Logf("%d of %d moved up in %v", to-capacity, len(people)-capacity, took)
		capacity = to
		e := storetest.ReadEvent(t, s, event.ID)
		if int(e.TicketsSold) != to || int(e.Waiting) != len(people)-to || e.ConfirmedThrough != numbers[to-1] {
			t.Errorf("%d are confirmed up to number %d and %d wait; want %d up to %d and %d",
				e.TicketsSold, e.ConfirmedThrough, e.Waiting, to, numbers[to-1], len(people)-to)
		}
		if waiting <= mostChecked {
			storetest.Check(t, s, event.ID)
		}
	}
	t.Run("nobody has left", func(t *testing.T) { raise(t, 1+10_001) })
	// Every third of those who wait next leaves, and so there are numbers that nobody has.
	var leaving []store.SeatRequest
	for i := capacity + 2; i < capacity+600; i += 3 {
		leaving = append(leaving, storetest.NewCancel(people[i]))
	}
	storetest.MustApply(t, s, leaving...)
	for i := capacity + 2 + 3*(len(leaving)-1); i > capacity; i -= 3 {
		people, numbers = slices.Delete(people, i, i+1), slices.Delete(numbers, i, i+1)
	}
	t.Run("nine of ten, and some have left", func(t *testing.T) {
		raise(t, capacity+max(10_001, (len(people)-capacity)*9/10))
	})
	t.Run("all who are left, and a newcomer leaves again", func(t *testing.T) {
		newcomer := storetest.NewRequest(event.ID)
		raise(t, len(people), newcomer, storetest.NewCancel(newcomer))
	})
}
