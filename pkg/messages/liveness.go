package messages

import (
	"hash/fnv"
	"time"
)

const (
	// pingInterval is the least time between two pings of a Requester that is in use.
	pingInterval = time.Second
	// pongTimeout is how long a worker may take to answer a ping before it counts as silent for a
	// second attempt.
	pongTimeout = 250 * time.Millisecond
	// suspectAfter is how many pings in a row a worker leaves unanswered before its events go to
	// other workers: one answer may be lost.
	suspectAfter = 2
	// forgetAfter is how many pings in a row a worker leaves unanswered before it is forgotten.
	forgetAfter = 5
	// maxWorkers bounds how many workers are remembered, whatever a hostile sender claims.
	maxWorkers = 1024
)

// liveness is what a Requester knows about which workers live. It counts pings and not time:
// after a pause in which it pinged nobody, a Requester still knows the workers, and a worker
// that has died meanwhile costs one round trip. It is not safe for concurrent use.
type liveness struct {
	pingedAt time.Time      // the last ping to all workers
	missed   map[string]int // pings since the last answer, by worker
}

// pingDue reports whether it is time for a ping.
func (l *liveness) pingDue(now time.Time) bool { return now.Sub(l.pingedAt) >= pingInterval }

// pinged notes that a ping was sent to all workers.
func (l *liveness) pinged(now time.Time) {
	l.pingedAt = now
	for worker := range l.missed {
		if l.missed[worker]++; l.missed[worker] >= forgetAfter {
			delete(l.missed, worker)
		}
	}
}

// answered notes that a worker answered a ping.
func (l *liveness) answered(worker string) {
	if _, known := l.missed[worker]; known || len(l.missed) < maxWorkers {
		l.missed[worker] = 0
	}
}

// forget removes a worker.
func (l *liveness) forget(worker string) { delete(l.missed, worker) }

// preferred returns the worker that gets the requests for an event, or "" when no worker is known.
func (l *liveness) preferred(event ID) string {
	best := highest(event, l.missed, func(_ string, missed int) bool { return missed < suspectAfter })
	if best == "" { // no worker answers: this process may be the one that is cut off
		best = highest(event, l.missed, func(string, int) bool { return true })
	}
	return best
}

// alternative returns the worker for a request that the tried worker did not answer; tried may be
// "". It is another worker that answers pings, or else the tried one if that does, or else another
// one that is known, or "".
func (l *liveness) alternative(event ID, tried string, now time.Time) string {
	answers := func(missed int) bool { return missed == 0 || missed == 1 && now.Sub(l.pingedAt) < pongTimeout }
	best := highest(event, l.missed, func(worker string, missed int) bool { return worker != tried && answers(missed) })
	if best != "" {
		return best
	}
	// The tried worker may live, and the connection to it was broken.
	if missed, known := l.missed[tried]; known && answers(missed) {
		return tried
	}
	return highest(event, l.missed, func(worker string, _ int) bool { return worker != tried })
}

// highest returns the eligible worker with the highest weight for an event, or "". This is
// rendezvous hashing: a worker that comes or goes moves only its own share of the events.
func highest(event ID, missed map[string]int, eligible func(worker string, missed int) bool) (best string) {
	var top uint64
	for worker, n := range missed {
		if !eligible(worker, n) {
			continue
		}
		h := fnv.New64a()
		h.Write(event[:])
		h.Write([]byte(worker))
		if weight := h.Sum64(); best == "" || weight > top {
			best, top = worker, weight
		}
	}
	return best
}
