// Package fresh shares reads among those who ask at the same time, and shows nobody a past.
//
// Who asks for a key while a read is under way does not join that read: it may have seen a state that
// the caller knows to be over. All who ask meanwhile share the next one, which begins when the one under
// way has ended. So an answer always rests on a read that began after its caller asked, and however many
// ask, a key has one read in flight. There is no time-to-live and nothing to invalidate: nothing is kept.
//
// Keys that are asked for at the same time share a read, too, where their source reads several at once.
package fresh

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// lanes is how many reads of a Reads may be in flight whose source reads several keys at once. Each key has its lane, so that a slow read of one
// key delays a part of the others only.
const lanes = 4

// maxKeys bounds the keys of one read.
const maxKeys = 256

// Source is where a Reads reads.
type Source[K comparable, V any] struct {
	// One reads the value of a key.
	One func(ctx context.Context, key K) (V, error)
	// Many reads the values of several keys, without doubles. When it fails with an error that is not
	// Common, each key is read by One. nil: keys share nothing, and no key waits for another one.
	Many func(ctx context.Context, keys []K) (map[K]V, error)
	// Missing returns the error of a key that is missing in what Many has returned. nil only without Many.
	Missing func(key K) error
	// Common reports whether an error concerns all keys equally, as that of a database which cannot
	// be reached does. nil: none does.
	Common func(error) bool
	// Timeout bounds a read. Who waits for the next one must have time left when it passes.
	Timeout time.Duration
	// Go runs a function beside the caller, who may leave before it ends. nil: as a goroutine.
	Go func(func())
}

// Reads shares reads from a Source. It is safe for concurrent use.
type Reads[K comparable, V any] struct {
	source Source[K, V]
	seed   maphash.Seed
	lanes  [lanes]lane[K, V]

	mu  sync.Mutex        // guards own
	own map[K]*lane[K, V] // without Source.Many: of the keys that are being read
}

// lane has at most one read in flight.
type lane[K comparable, V any] struct {
	mu      sync.Mutex // guards all below, and callers and cancel of each round
	reading bool       // a goroutine runs the rounds
	waiting []*round[K, V]
	joined  map[K]*round[K, V] // the waiting round that a key is in
}

// round is one read with all who share it.
type round[K comparable, V any] struct {
	keys    []K
	callers int                // who wait for it
	cancel  context.CancelFunc // nil before it begins

	done   chan struct{} // closed when all below is written
	values map[K]V
	errs   map[K]error
	err    error // of all keys
}

// New makes a Reads from a source.
func New[K comparable, V any](source Source[K, V]) *Reads[K, V] {
	if source.Common == nil {
		source.Common = func(error) bool { return false }
	}
	if source.Go == nil {
		source.Go = func(work func()) { go work() }
	}
	r := &Reads[K, V]{source: source, seed: maphash.MakeSeed(), own: make(map[K]*lane[K, V])}
	for i := range r.lanes {
		r.lanes[i].joined = make(map[K]*round[K, V])
	}
	return r
}

// Read returns the value of a key as it was at a moment after the call began. All who share the read
// get the same value, and must not change it. Errors: those of the source, and that of ctx when it ends
// first. The read goes on as long as anybody waits for it, whoever has begun it.
func (r *Reads[K, V]) Read(ctx context.Context, key K) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	l, shared, idle := r.join(key)
	if idle {
		r.source.Go(func() { r.run(l, key) })
	}
	select {
	case <-shared.done:
	case <-ctx.Done():
		l.leave(shared)
		return none, ctx.Err()
	}
	if shared.err != nil {
		return none, shared.err
	}
	return shared.values[key], shared.errs[key]
}

// join puts a caller into a round of a key's lane. idle says that the caller must have the lane run.
func (r *Reads[K, V]) join(key K) (l *lane[K, V], shared *round[K, V], idle bool) {
	if r.source.Many != nil {
		l = &r.lanes[laneOf(r, key)]
		shared, idle = l.join(key)
		return l, shared, idle
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l = r.own[key]; l == nil {
		l = &lane[K, V]{joined: make(map[K]*round[K, V])}
		r.own[key] = l
	}
	shared, idle = l.join(key)
	return l, shared, idle
}

// next begins the first round of a lane for which somebody waits; nil: there is none, and the lane is idle. One that a key has to
// itself is forgotten then.
func (r *Reads[K, V]) next(l *lane[K, V], key K) (context.Context, *round[K, V]) {
	if r.source.Many != nil {
		return l.next(r.source.Timeout)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, shared := l.next(r.source.Timeout)
	if shared == nil {
		delete(r.own, key)
	}
	return ctx, shared
}

// laneOf returns the index of a key's lane.
func laneOf[K comparable, V any](r *Reads[K, V], key K) uint64 {
	return maphash.Comparable(r.seed, key) % lanes
}

// join puts a caller into a round that has not begun. idle says that the caller must have the lane run.
func (l *lane[K, V]) join(key K) (shared *round[K, V], idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	shared = l.joined[key]
	if shared == nil {
		if n := len(l.waiting); n > 0 && len(l.waiting[n-1].keys) < maxKeys {
			shared = l.waiting[n-1]
		} else {
			shared = &round[K, V]{done: make(chan struct{})}
			l.waiting = append(l.waiting, shared)
		}
		shared.keys = append(shared.keys, key)
		l.joined[key] = shared
	}
	shared.callers++
	idle, l.reading = !l.reading, true
	return shared, idle
}

// leave takes a caller out of a round, which ends with its last caller.
func (l *lane[K, V]) leave(shared *round[K, V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shared.callers--; shared.callers == 0 && shared.cancel != nil {
		shared.cancel()
	}
}

// run reads round after round of the lane of a key, until nobody waits any more.
func (r *Reads[K, V]) run(l *lane[K, V], key K) {
	for {
		// There is no timer. A goroutine that is about to ask runs first and shares the read.
		runtime.Gosched()
		ctx, shared := r.next(l, key)
		if shared == nil {
			return
		}
		r.read(ctx, shared)
		shared.cancel()
		close(shared.done)
	}
}

// next begins the first round for which somebody waits; nil: there is none, and the lane is idle.
func (l *lane[K, V]) next(timeout time.Duration) (context.Context, *round[K, V]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waiting) > 0 {
		shared := l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		for _, key := range shared.keys {
			delete(l.joined, key)
		}
		if shared.callers > 0 {
			ctx, cancel := context.WithTimeout(context.Background(), timeout) //nolint:gosec // run calls cancel
			shared.cancel = cancel
			return ctx, shared
		}
	}
	l.reading, l.waiting = false, nil
	return nil, nil
}

// read fills in what has become of a round.
func (r *Reads[K, V]) read(ctx context.Context, shared *round[K, V]) {
	shared.values, shared.errs = make(map[K]V, len(shared.keys)), make(map[K]error)
	if len(shared.keys) > 1 && r.readMany(ctx, shared) {
		return
	}
	// An error must reach only those who asked for its key.
	for _, key := range shared.keys {
		shared.values[key], shared.errs[key] = recovered(func() (V, error) { return r.source.One(ctx, key) })
	}
}

// readMany reads the keys of a round at once. done is false when each has to be read alone.
func (r *Reads[K, V]) readMany(ctx context.Context, shared *round[K, V]) (done bool) {
	found, err := recovered(func() (map[K]V, error) { return r.source.Many(ctx, shared.keys) })
	if err != nil {
		if !r.source.Common(err) && ctx.Err() == nil {
			return false
		}
		shared.err = err
		return true
	}
	shared.values = found
	for _, key := range shared.keys {
		if _, there := found[key]; !there {
			shared.errs[key] = r.source.Missing(key)
		}
	}
	return true
}

// errPanic is the error of a read that panicked.
var errPanic = errors.New("panic")

// recovered runs a read and turns its panic into an error: it runs on a goroutine of its own, where a
// panic ends the process.
func recovered[T any](read func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return read()
}
