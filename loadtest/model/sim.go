package model

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// sim is a discrete-event simulation: a clock that jumps from one event to the next. It is not safe for
// concurrent use.
type sim struct {
	now    time.Duration
	events eventHeap
	made   int // events so far; the earlier made goes first at the same time
	rng    *rand.Rand
}

func newSim(seed uint64) *sim { return &sim{rng: rand.New(rand.NewPCG(seed, 17))} }

// event is something that happens at a time.
type event struct {
	at   time.Duration
	made int
	do   func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].made < h[j].made
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return last
}

// after has do happen after a time.
func (s *sim) after(d time.Duration, do func()) {
	s.made++
	heap.Push(&s.events, event{s.now + max(d, 0), s.made, do})
}

// run lets things happen until none is left or the clock passes end.
func (s *sim) run(end time.Duration) {
	for len(s.events) > 0 && s.events[0].at <= end {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
	}
	s.now = end
}

// machine has cores that its processes share, each getting an equal part while it has work. A process keeps a core for a slice
// while others want it, as Linux has it, and does task after task in it.
type machine struct {
	sim   *sim
	free  int
	slice time.Duration
	procs []*process
}

func newMachine(s *sim, cores int, slice time.Duration) *machine {
	return &machine{sim: s, free: cores, slice: max(slice, time.Millisecond/2)}
}

// process does its tasks in the order in which they came, on so many threads.
type process struct {
	machine *machine
	threads int
	tasks   fifo[task]
	running int
	used    time.Duration // processor time, by which cores are shared
	fair    time.Duration // used, and what it let pass while it had nothing to do
	// disorder is the share of tasks that begin before others that came earlier, as goroutines do.
	disorder float64
}

type task struct {
	need time.Duration
	done func()
}

// start adds a process to the machine.
func (m *machine) start(threads int) *process {
	p := &process{machine: m, threads: threads}
	m.procs = append(m.procs, p)
	return p
}

// do has a process use so much processor time and then calls done.
func (p *process) do(need time.Duration, done func()) {
	if p.tasks.len() == 0 && p.running == 0 { // it slept, and has no claim to what it did not use
		for _, other := range p.machine.procs {
			if other != p && (other.running > 0 || other.tasks.len() > 0) {
				p.fair = max(p.fair, other.fair-p.machine.slice)
			}
		}
	}
	p.tasks.push(task{need, done})
	p.machine.dispatch()
}

// dispatch gives free cores to the processes that have had least.
func (m *machine) dispatch() {
	for m.free > 0 {
		var next *process
		for _, p := range m.procs {
			if p.tasks.len() > 0 && p.running < p.threads && (next == nil || p.fair < next.fair) {
				next = p
			}
		}
		if next == nil {
			return
		}
		m.free--
		next.running++
		m.run(next, next.next(), m.slice)
	}
}

// next takes the task that begins now.
func (p *process) next() task {
	if n := p.tasks.len(); n > 1 && p.disorder > 0 && p.machine.sim.rng.Float64() < p.disorder {
		p.tasks.bring(p.machine.sim.rng.IntN(n))
	}
	return p.tasks.pop()
}

// run runs a task on a core until it is done or the slice is over, and the process's next ones in what is left of that.
func (m *machine) run(p *process, t task, left time.Duration) {
	part := min(t.need, left)
	p.used += part
	p.fair += part
	m.sim.after(part, func() {
		left -= part
		if t.need -= part; t.need > 0 {
			p.tasks.unpop(t)
		} else {
			t.done()
		}
		if left > 0 && p.tasks.len() > 0 {
			m.run(p, p.next(), left)
			return
		}
		m.free++
		p.running--
		m.dispatch()
	})
}

// fifo is a queue. The zero fifo is empty.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(item T) { f.items = append(f.items, item) }

func (f *fifo[T]) pop() T {
	item := f.items[f.head]
	var zero T
	f.items[f.head] = zero
	f.head++
	if f.head > 1024 && f.head > len(f.items)/2 {
		f.items = append([]T(nil), f.items[f.head:]...)
		f.head = 0
	}
	return item
}

// unpop puts an item before all others.
func (f *fifo[T]) unpop(item T) {
	if f.head == 0 {
		f.items = append([]T{item}, f.items...)
		return
	}
	f.head--
	f.items[f.head] = item
}

// bring exchanges the first item with the one at that place.
func (f *fifo[T]) bring(i int) {
	f.items[f.head], f.items[f.head+i] = f.items[f.head+i], f.items[f.head]
}

// take removes and returns the first n.
func (f *fifo[T]) take(n int) []T {
	got := make([]T, n)
	for i := range got {
		got[i] = f.pop()
	}
	return got
}
