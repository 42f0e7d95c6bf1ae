package seats

import (
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// testPositions checks the positions of people in a waiting list of several blocks (package waiting), from
// which people leave in the middle, at block ends, whole blocks of them, and by moving up.
func testPositions(t *testing.T, target storetest.Target) {
	s := target.Store
	const size = 6*waiting.BlockSize + 100
	event := storetest.NewWaitlistEvent(t, s, 3)
	var requests []store.SeatRequest // by number, from 1
	for len(requests) < size {
		batch := storetest.NewRequests(event.ID, min(1000, size-len(requests)))
		storetest.MustApply(t, s, batch...)
		requests = append(requests, batch...)
	}
	number := func(r store.SeatRequest) int64 {
		return int64(slices.IndexFunc(requests, func(o store.SeatRequest) bool { return o.UserID == r.UserID })) + 1
	}
	live := slices.Clone(requests)
	check := func(t *testing.T) {
		t.Helper()
		e := storetest.ReadEvent(t, s, event.ID)
		line := live[e.TicketsSold:]
		for at := 0; at < len(line); at += 1 + len(line)/60 {
			got, err := s.Position(storetest.Context(t), event.ID, number(line[at]))
			if err != nil || got != int64(at)+1 {
				t.Fatalf("the position of number %d is %d, %v; want %d of %d", number(line[at]), got, err, at+1, len(line))
			}
		}
	}
	leave := func(t *testing.T, numbers ...int64) {
		t.Helper()
		var batch []store.SeatRequest
		for _, n := range numbers {
			batch = append(batch, storetest.NewCancel(requests[n-1]))
			live = slices.DeleteFunc(live, func(r store.SeatRequest) bool { return r.UserID == requests[n-1].UserID })
		}
		for some := range slices.Chunk(batch, 500) {
			storetest.MustApply(t, s, some...)
		}
	}
	span := func(from, to, step int64) (numbers []int64) {
		for n := from; n < to; n += step {
			numbers = append(numbers, n)
		}
		return numbers
	}
	const block = waiting.BlockSize
	t.Run("nobody has left", check)
	t.Run("a few have left", func(t *testing.T) { leave(t, 500, 2*block-1, 2*block, 3*block+7, size-1); check(t) })
	t.Run("every fifth of many, and a whole block", func(t *testing.T) {
		leave(t, span(2*block+3, 3*block-5, 5)...)
		leave(t, span(4*block, 5*block, 1)...)
		check(t)
	})
	t.Run("somebody comes back at the end, and somebody comes and goes", func(t *testing.T) {
		back := requests[500-1]
		back.RequestID = "back"
		gone := storetest.NewRequest(event.ID)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, gone, back, storetest.NewCancel(gone)), store.Waitlisted, store.Waitlisted, store.Cancelled)
		requests[500-1].UserID = store.NewID() // nobody has the number any more
		requests = append(requests, gone, back)
		live = append(live, back)
		check(t)
	})
	t.Run("many move up", func(t *testing.T) {
		for _, capacity := range []int64{2*block + 50, 3*block + 9} {
			edit := storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &capacity})
			storetest.WantOutcomes(t, storetest.MustApply(t, s, edit), store.Edited)
			check(t)
		}
	})
	t.Run("a recount counts the gaps anew", func(t *testing.T) {
		recount := store.SeatRequest{Kind: store.Recount, EventID: event.ID, RequestID: "recount", At: storetest.Now()}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, recount), store.Recounted)
		check(t)
	})
	storetest.Check(t, s, event.ID)
}

// UncountedGaps checks that positions are exact when gaps of a waiting list were not counted, because a process
// of the version before has made them, and that they are counted again by count. gaps returns those that are
// stored of an event, and forget removes them.
func UncountedGaps(t *testing.T, s store.Store, gaps func(store.ID) []waiting.Gaps, forget func(store.ID), count func()) {
	t.Helper()
	const size = 4 * waiting.BlockSize
	event := storetest.NewWaitlistEvent(t, s, 1)
	var requests []store.SeatRequest
	for len(requests) < size {
		batch := storetest.NewRequests(event.ID, 1024)
		storetest.MustApply(t, s, batch...)
		requests = append(requests, batch...)
	}
	var leaving []store.SeatRequest
	for n := 2*waiting.BlockSize - 30; n < 2*waiting.BlockSize+30; n += 2 {
		leaving = append(leaving, storetest.NewCancel(requests[n-1]))
	}
	storetest.MustApply(t, s, leaving...)
	check := func(when string) {
		t.Helper()
		for number, want := range map[int64]int64{
			2: 1, 2*waiting.BlockSize - 31: 2*waiting.BlockSize - 32, 2*waiting.BlockSize + 1: 2*waiting.BlockSize - 16, 3 * waiting.BlockSize: 3*waiting.BlockSize - 31, size - 1: size - 32,
		} {
			if got, err := s.Position(storetest.Context(t), event.ID, number); err != nil || got != want {
				t.Errorf("%s, the position of number %d is %d, %v; want %d", when, number, got, err, want)
			}
		}
	}
	check("with gaps")
	want := []waiting.Gaps{{Block: 1, Count: 15}, {Block: 2, Count: 15}}
	if got := gaps(event.ID); !slices.Equal(got, want) {
		t.Errorf("the gaps are %v, want %v", got, want)
	}
	forget(event.ID)
	check("with uncounted gaps")
	storetest.MustApply(t, s, storetest.NewCancel(requests[size-1]))
	check("with some gaps that are not counted")
	for range 2 { // as when it was interrupted
		count()
		if got := gaps(event.ID); !slices.Equal(got, append(want, waiting.Gaps{Block: 4, Count: 1})) {
			t.Errorf("the gaps are counted as %v", got)
		}
	}
	check("with gaps that were counted again")
}
