package waiting_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// line is a waiting list as its registrations say it.
type line struct {
	event   store.Event
	numbers []int64 // of those who wait, in order
	gaps    []waiting.Gaps
}

// drawLine makes a list with gaps: some alone, and some as long as blocks.
func drawLine(t *rapid.T) line {
	confirmed := rapid.Int64Range(0, 3*waiting.BlockSize).Draw(t, "confirmed through")
	last := confirmed + rapid.Int64Range(0, 6*waiting.BlockSize).Draw(t, "length")
	gone := make(map[int64]bool)
	for range rapid.IntRange(0, 6).Draw(t, "runs of gaps") {
		from := rapid.Int64Range(confirmed+1, last+1).Draw(t, "from")
		length := rapid.SampledFrom([]int64{1, 2, 500, waiting.BlockSize, 3 * waiting.BlockSize}).Draw(t, "run")
		for n := from; n < from+length; n++ {
			gone[n] = true
		}
	}
	return newLine(confirmed, last, gone)
}

// newLine makes the list of those who are not gone.
func newLine(confirmed, last int64, gone map[int64]bool) line {
	l := line{event: store.Event{ConfirmedThrough: confirmed, LastNumber: last}}
	counted := make(map[int64]int64)
	for n := l.event.ConfirmedThrough + 1; n <= l.event.LastNumber; n++ {
		if !gone[n] {
			l.numbers = append(l.numbers, n)
			counted[waiting.BlockOf(n)]++
		}
	}
	l.event.Waiting = int64(len(l.numbers))
	l.gaps = waiting.Counted(l.event, counted)
	return l
}

func (l line) count(after, through int64) (n int64) {
	for _, number := range l.numbers {
		if number > after && number <= through {
			n++
		}
	}
	return n
}

func (l line) list() waiting.List {
	return waiting.List{Event: l.event, InHead: l.count(l.event.ConfirmedThrough, waiting.Head(l.event)), Gaps: l.gaps}
}

// TestAListKnowsItsMembers compares what a list says with its registrations.
func TestAListKnowsItsMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		if len(l.numbers) == 0 {
			return
		}
		at := rapid.IntRange(0, len(l.numbers)-1).Draw(t, "member")
		number, list := l.numbers[at], l.list()
		if got, ok := waiting.Position(l.event, number); ok && got != int64(at)+1 {
			t.Fatalf("the counters say position %d, want %d", got, at+1)
		}
		if number > waiting.Head(l.event) {
			before, ok := list.Before(number)
			if got := before + l.count(waiting.First(waiting.BlockOf(number))-1, number); !ok || got != int64(at)+1 {
				t.Fatalf("position of number %d is %d, %v; want %d", number, got, ok, at+1)
			}
		}
		seek, ok := list.Nth(int64(at) + 1)
		behind := l.numbers[slices.IndexFunc(l.numbers, func(n int64) bool { return n > seek.After }):]
		if !ok || behind[seek.Skip] != number {
			t.Fatalf("registration %d is sought at %+v, %v, and has the number %d", at+1, seek, ok, number)
		}
		if seek.Skip >= waiting.BlockSize {
			t.Fatalf("%d are passed over", seek.Skip)
		}
	})
}

// TestEverybodyIsFound looks for each member of lists whose blocks are whole, have a gap at an end, or are a gap.
func TestEverybodyIsFound(t *testing.T) {
	const size = waiting.BlockSize
	for name, c := range map[string]struct {
		confirmed, last int64
		gone            []int64
	}{
		"nobody left":                  {3, 4 * size, nil},
		"gaps in the head":             {3, 3 * size, []int64{4, 9, size - 1}},
		"a gap behind whole blocks":    {0, 5*size - 1, []int64{3 * size}},
		"gaps at the ends of a block":  {size + 5, 6 * size, []int64{3 * size, 4*size - 1}},
		"gaps with a block between":    {size - 1, 6 * size, []int64{size, 3*size + 7, 6 * size}},
		"two blocks with gaps in line": {7, 5 * size, []int64{2*size + 1, 2*size + 2, 3*size + 1}},
	} {
		gone := make(map[int64]bool)
		for _, n := range c.gone {
			gone[n] = true
		}
		l := newLine(c.confirmed, c.last, gone)
		list := l.list()
		for i, number := range l.numbers {
			seek, ok := list.Nth(int64(i) + 1)
			at, _ := slices.BinarySearch(l.numbers, seek.After+1)
			if !ok || seek.Skip < 0 || seek.Skip >= size || at+int(seek.Skip) != i {
				t.Fatalf("%s: number %d is sought at %+v, %t", name, number, seek, ok)
			}
			if number > waiting.Head(l.event) {
				first, _ := slices.BinarySearch(l.numbers, waiting.First(waiting.BlockOf(number)))
				if before, ok := list.Before(number); !ok || before != int64(first) {
					t.Fatalf("%s: before the block of number %d wait %d, %t", name, number, before, ok)
				}
			}
		}
	}
}

// TestMissingGapsAreNoticed checks that a list which lacks gaps says so.
func TestMissingGapsAreNoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		if len(l.gaps) == 0 {
			return
		}
		list := l.list()
		list.Gaps = slices.Clone(list.Gaps)
		g := &list.Gaps[rapid.IntRange(0, len(list.Gaps)-1).Draw(t, "block")]
		g.Count -= rapid.Int64Range(1, g.Count).Draw(t, "missing")
		if _, ok := list.Before(l.event.LastNumber); ok {
			t.Fatal("it says how many wait before")
		}
		if seek, ok := list.Nth(1 + l.event.Waiting); ok || seek.After != l.event.ConfirmedThrough {
			t.Fatalf("it says where to seek: %+v", seek)
		}
	})
}

// TestADamagedEventHasNoGaps checks that numbers which no event can have given do not take all memory.
func TestADamagedEventHasNoGaps(t *testing.T) {
	if gaps := waiting.Counted(store.Event{LastNumber: 1 << 60, Waiting: 3}, nil); gaps != nil {
		t.Errorf("%d blocks", len(gaps))
	}
	if err := waiting.ErrFewer(store.Event{Waiting: 3}); !errors.Is(err, store.ErrDamaged) {
		t.Error(err)
	}
	const most = 100_000 // blocks
	e := store.Event{LastNumber: waiting.First(most+1) - 1, Waiting: 3}
	blocks := int64(0)
	for block := range waiting.Behind(e) {
		if blocks++; block != blocks {
			t.Fatalf("block %d is the one with the number %d", blocks, block)
		}
	}
	for first := range waiting.Behind(e) {
		if first != 1 {
			t.Errorf("the first is %d", first)
		}
		break
	}
	e.LastNumber++
	for range waiting.Behind(e) {
		blocks++
	}
	if blocks != most {
		t.Errorf("%d blocks", blocks)
	}
}

// TestPositionsThatCountersSay checks what is known without a list: everything while nobody has left it, and then who is confirmed.
func TestPositionsThatCountersSay(t *testing.T) {
	e := store.Event{ConfirmedThrough: 5, LastNumber: 9, Waiting: 4}
	for number, want := range map[int64]int64{1: 0, 5: 0, 6: 1, 9: 4} {
		if got, ok := waiting.Position(e, number); got != want || !ok {
			t.Errorf("number %d is at %d, %t", number, got, ok)
		}
		if got, ok := waiting.Nth(e, want); want > 0 && (got != number || !ok) {
			t.Errorf("who is at %d has the number %d, %t", want, got, ok)
		}
	}
	e.Waiting = 3
	for number, want := range map[int64]bool{1: true, 5: true, 6: false, 9: false} {
		if _, ok := waiting.Position(e, number); ok != want {
			t.Errorf("somebody has left, and the position of number %d is known: %t", number, ok)
		}
	}
	if _, ok := waiting.Nth(e, 1); ok {
		t.Error("somebody has left, and the first is known")
	}
}

// TestGapsAreMadeBehindWhoIsConfirmed checks which numbers become gaps: those above ConfirmedThrough of who left the list, and of
// whom the change gave one and has not left waiting.
func TestGapsAreMadeBehindWhoIsConfirmed(t *testing.T) {
	leaves := func(number int64) store.Action {
		return store.Action{Kind: store.Cancel, Waiting: true, Number: number}
	}
	for name, c := range map[string]struct {
		before, after [2]int64 // ConfirmedThrough, LastNumber
		actions       []store.Action
		added         []store.Registration
		want          int64
	}{
		"one leaves":                               {[2]int64{5, 9}, [2]int64{5, 9}, []store.Action{leaves(7)}, nil, 1},
		"the last leaves":                          {[2]int64{5, 9}, [2]int64{5, 9}, []store.Action{leaves(9)}, nil, 1},
		"one leaves whom others pass":              {[2]int64{5, 9}, [2]int64{8, 9}, []store.Action{leaves(7)}, nil, 0},
		"one leaves who would be the last to pass": {[2]int64{5, 9}, [2]int64{7, 9}, []store.Action{leaves(7)}, nil, 0},
		"one leaves just behind who passes":        {[2]int64{5, 9}, [2]int64{6, 9}, []store.Action{leaves(7)}, nil, 1},
		"one leaves who did not wait":              {[2]int64{5, 9}, [2]int64{5, 9}, []store.Action{{Kind: store.Cancel, Number: 7}}, nil, 0},
		"nobody leaves":                            {[2]int64{5, 9}, [2]int64{5, 9}, []store.Action{{Kind: store.Register, Waiting: true, Number: 7}}, nil, 0},
		"one comes and leaves":                     {[2]int64{5, 9}, [2]int64{5, 10}, []store.Action{leaves(10)}, []store.Registration{{Number: 10, Cancelled: true}}, 1},
		"one comes":                                {[2]int64{5, 9}, [2]int64{5, 10}, nil, []store.Registration{{Number: 10}}, 0},
		"a number is only remembered":              {[2]int64{5, 9}, [2]int64{5, 11}, nil, []store.Registration{{Number: 11}}, 1},
		"everybody has a seat":                     {[2]int64{5, 5}, [2]int64{7, 7}, nil, []store.Registration{{Number: 6, Cancelled: true}, {Number: 7}}, 0},
	} {
		event := func(numbers [2]int64) store.Event {
			return store.Event{ConfirmedThrough: numbers[0], LastNumber: numbers[1]}
		}
		var want []waiting.Gaps
		if c.want > 0 {
			want = []waiting.Gaps{{Count: c.want}}
		}
		got := waiting.Made(store.Change{Before: event(c.before), After: event(c.after), Actions: c.actions, Added: c.added})
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestARecountMakesNoGapsKnown checks that none are told of a change with a recount, whatever else is in it.
func TestARecountMakesNoGapsKnown(t *testing.T) {
	before := store.Event{ConfirmedThrough: 5, LastNumber: 9, Waiting: 4}
	after := before
	after.Waiting = 3
	c := store.Change{Before: before, After: after, Actions: []store.Action{{Kind: store.Cancel, Waiting: true, Number: 7}}}
	if got := waiting.Made(c); !slices.Equal(got, []waiting.Gaps{{Block: 0, Count: 1}}) {
		t.Errorf("one leaves: %v", got)
	}
	c.Actions = append(c.Actions, store.Action{Kind: store.Recount})
	if got := waiting.Made(c); got != nil {
		t.Errorf("one leaves, and there is a recount: %v", got)
	}
}

// TestMade compares the gaps that random batches make with those between the numbers of who waits.
func TestMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		starts := storetest.Now().AddDate(1, 0, 0)
		e := store.Event{
			ID: store.NewID(), Capacity: rapid.Int64Range(1, 4).Draw(t, "capacity"), Waitlist: true, StartsAt: starts, EndsAt: starts.AddDate(0, 0, 1),
			Version: 1, Revision: 1,
		}
		// Others have the seats, and the first who waits has the first number of the next block.
		e.TicketsSold, e.LastNumber, e.ConfirmedThrough = e.Capacity, waiting.BlockSize-1, waiting.BlockSize-1
		rows := make(map[store.ID]store.Registration)
		gaps := make(map[int64]int64)
		crowd := make([]store.ID, 8)
		for i := range crowd {
			crowd[i] = store.NewID()
		}
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			var batch []store.SeatRequest
			for range rapid.IntRange(1, 8).Draw(t, "size") {
				batch = append(batch, storetest.DrawRequest(t, e.ID, crowd))
			}
			state := store.EventState{Event: e, Registrations: rows}
			for _, r := range rows {
				if !r.Cancelled && !e.Confirmed(r) {
					state.Waiting = append(state.Waiting, store.NumberedUser{Number: r.Number, UserID: r.UserID})
				}
			}
			slices.SortFunc(state.Waiting, func(a, b store.NumberedUser) int { return int(a.Number - b.Number) })
			_, changes := store.Decide(map[store.ID]store.EventState{e.ID: state}, batch)
			for _, c := range changes {
				e = c.After
				for _, r := range append(c.Added, c.Replaced...) {
					rows[r.UserID] = r
				}
				for _, g := range waiting.Made(c) {
					gaps[g.Block] += g.Count
				}
			}
			taken := make(map[int64]bool)
			for _, r := range rows {
				taken[r.Number] = !r.Cancelled
			}
			want := make(map[int64]int64)
			for n := e.ConfirmedThrough + 1; n <= e.LastNumber; n++ {
				if !taken[n] {
					want[waiting.BlockOf(n)]++
				}
			}
			if e.ConfirmedThrough > waiting.BlockSize-1 {
				return // the list begins in that block, and nobody looks at its gaps
			}
			if block := int64(1); gaps[block] != want[block] || len(gaps) > len(want) {
				t.Fatalf("after %+v the gaps are %v, want %v: %+v", batch, gaps, want, e)
			}
		}
	})
}
