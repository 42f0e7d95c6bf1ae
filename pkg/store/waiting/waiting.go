// Package waiting finds a registration in a waiting list, and its position, without counting all who wait.
//
// Numbers are given one after the other, so those who wait have the numbers above ConfirmedThrough but for
// gaps: numbers of people who have left the list. An adapter counts the gaps in each block of numbers, in
// the transaction that makes them, which only those who leave pay for. What lies between two blocks is then
// known without reading it, and only within a block registrations are counted.
//
// Gaps that were not counted, because a process of the version before has made them, are found out: then the
// counters of the event do not fit, and an adapter counts the registrations themselves.
package waiting

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/eventio/eventio/pkg/store"
)

// BlockSize is how many numbers a block has. A position reads at most twice as many keys of an index, and
// the gaps of each block that has some.
const BlockSize = 1024

// Gaps is how many numbers of a block nobody waits with.
type Gaps struct{ Block, Count int64 }

// BlockOf returns the block of a number.
func BlockOf(number int64) int64 { return number / BlockSize }

// First returns the first number of a block.
func First(block int64) int64 { return block * BlockSize }

// Head returns the last number of the block in which the waiting list of e begins. It is counted, because a
// promotion leaves the gaps that it passes over as they are.
func Head(e store.Event) int64 { return First(BlockOf(e.ConfirmedThrough)+1) - 1 }

// Made returns the gaps that a change makes, by block. It returns none for one with a recount, which may
// move the numbers themselves.
func Made(c store.Change) []Gaps {
	counts := make(map[int64]int64)
	vacate := func(number int64) {
		if number > c.After.ConfirmedThrough {
			counts[BlockOf(number)]++
		}
	}
	for _, a := range c.Actions {
		switch {
		case a.Kind == store.Recount:
			return nil
		case a.Kind == store.Cancel && a.Waiting && a.Number <= c.Before.LastNumber:
			vacate(a.Number)
		}
	}
	if c.After.LastNumber > c.After.ConfirmedThrough {
		// Numbers that the change itself has given: whoever has one at its end waits.
		taken := make(map[int64]bool)
		for _, rows := range [][]store.Registration{c.Added, c.Replaced} {
			for _, r := range rows {
				taken[r.Number] = !r.Cancelled
			}
		}
		for n := max(c.Before.LastNumber, c.After.ConfirmedThrough) + 1; n <= c.After.LastNumber; n++ {
			if !taken[n] {
				vacate(n)
			}
		}
	}
	gaps := make([]Gaps, 0, len(counts))
	for _, block := range slices.Sorted(maps.Keys(counts)) {
		gaps = append(gaps, Gaps{block, counts[block]})
	}
	return gaps
}

// Behind yields the blocks behind Head, up to that of the last number. There are none when they cannot be
// right.
func Behind(e store.Event) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		begin, end := BlockOf(e.ConfirmedThrough)+1, BlockOf(e.LastNumber)
		if end-begin >= maxBlocks {
			return
		}
		for block := begin; block <= end && yield(block); block++ {
		}
	}
}

// maxBlocks bounds the blocks of a list whose gaps are counted anew. Only a damaged event has more.
const maxBlocks = 100_000

// Counted returns the gaps of the waiting list of e behind Head, of which the registrations were counted:
// waiting has how many wait with numbers of a block.
func Counted(e store.Event, waiting map[int64]int64) []Gaps {
	var gaps []Gaps
	for block := range Behind(e) {
		size := min(First(block+1)-1, e.LastNumber) - First(block) + 1
		if n := size - waiting[block]; n > 0 {
			gaps = append(gaps, Gaps{block, n})
		}
	}
	return gaps
}

// hasGaps reports whether somebody has left the waiting list of e.
func hasGaps(e store.Event) bool { return e.LastNumber-e.ConfirmedThrough != e.Waiting }

// Position returns the position of a number, 0 when it is confirmed. ok is false when the counters of e do
// not say it, because somebody has left the list.
func Position(e store.Event, number int64) (position int64, ok bool) {
	if number <= e.ConfirmedThrough {
		return 0, true
	}
	return number - e.ConfirmedThrough, !hasGaps(e)
}

// Nth returns the number of the n-th registration. ok is false when the counters of e do not say it, because
// somebody has left the list.
func Nth(e store.Event, n int64) (number int64, ok bool) { return e.ConfirmedThrough + n, !hasGaps(e) }

// ErrFewer returns an ErrDamaged: fewer registrations of e wait than its counter says.
func ErrFewer(e store.Event) error {
	return fmt.Errorf("%w: event %s counts %d who wait, and there are fewer", store.ErrDamaged, e.ID.Hex(), e.Waiting)
}

// List is a waiting list at one moment.
type List struct {
	Event  store.Event
	InHead int64  // how many wait with numbers up to Head
	Gaps   []Gaps // of the blocks behind Head, by block
}

// complete reports whether the list has all gaps: then those who wait are as many as the event counts. One
// that is missing makes it more, and there are none too many.
func (l List) complete() bool {
	n := l.InHead + max(0, l.Event.LastNumber-Head(l.Event))
	for _, g := range l.Gaps {
		n -= g.Count
	}
	return n == l.Event.Waiting
}

// Before returns how many wait with numbers below the block of a number, which is behind Head. ok is false
// when the list does not say it.
func (l List) Before(number int64) (n int64, ok bool) {
	block := BlockOf(number)
	n = l.InHead + First(block) - 1 - Head(l.Event)
	for _, g := range l.Gaps {
		if g.Block < block {
			n -= g.Count
		}
	}
	return n, l.complete()
}

// Seek says where a registration is: it is the first with a number above After, when Skip of them are
// passed over.
type Seek struct{ After, Skip int64 }

// Nth returns where the n-th registration is. ok is false when the list does not say it; then it is the n-th
// from the beginning.
func (l List) Nth(n int64) (_ Seek, ok bool) {
	if n <= l.InHead || !l.complete() {
		return Seek{l.Event.ConfirmedThrough, n - 1}, l.complete()
	}
	n -= l.InHead
	after := Head(l.Event) // n is counted from there
	for _, g := range l.Gaps {
		begin := First(g.Block) - 1
		if n <= begin-after {
			break
		}
		n -= begin - after
		if n <= BlockSize-g.Count {
			return Seek{begin, n - 1}, true
		}
		n -= BlockSize - g.Count
		after = begin + BlockSize
	}
	return Seek{after + n - 1, 0}, true // no gap up to there
}
