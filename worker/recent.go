package worker

import "time"

// recent remembers what came in the last one to two windows of time, in bounded memory. It is not safe for concurrent
// use.
type recent[K comparable, V any] struct {
	window time.Duration
	most   int // in a window: beyond it the oldest are forgotten early

	since             time.Time // the start of this window
	forgotten         time.Time // what came before it may be forgotten
	current, previous map[K]V
}

func newRecent[K comparable, V any](window time.Duration, most int) recent[K, V] {
	return recent[K, V]{window: window, most: most, current: make(map[K]V)}
}

// get returns what is remembered of key.
func (r *recent[K, V]) get(key K) (value V, known bool) {
	if value, known = r.current[key]; !known {
		value, known = r.previous[key]
	}
	return value, known
}

// put remembers a value, which comes now.
func (r *recent[K, V]) put(key K, value V, now time.Time) {
	if now.Sub(r.since) > r.window || len(r.current) >= r.most {
		if len(r.previous) > 0 {
			r.forgotten = r.since
		}
		r.since, r.previous, r.current = now, r.current, make(map[K]V)
	}
	r.current[key] = value
}
