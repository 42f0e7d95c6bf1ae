package messages

import (
	"maps"
	"slices"
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
	// rollMargin is how much longer than pingInterval a Requester waits for a roll before it pings by itself: the one that
	// wrote the last roll is first, unless it has gone. Up to rollJitter more keep the others apart.
	rollMargin = pongTimeout
	rollJitter = 500 * time.Millisecond
	// maxWorkers bounds how many workers are remembered, whatever a hostile sender claims.
	maxWorkers = 1024
)

// liveness is what a Requester knows about which workers live. It counts pings and not time:
// after a pause in which it pinged nobody, a Requester still knows the workers, and a worker
// that has died meanwhile costs one round trip. It is not safe for concurrent use.
type liveness struct {
	pingedAt time.Time      // the last ping to all workers, this process's own or the one of a roll
	due      time.Time      // when this process pings next if it is in use
	missed   map[string]int // pings since the last answer, by worker
}

// pingDue reports whether it is time for a ping.
func pingDue(due, now time.Time) bool { return !now.Before(due) }

// pinged notes that a ping was sent to all workers.
func (l *liveness) pinged(now time.Time) {
	l.pingedAt, l.due = now, now.Add(pingInterval)
	for worker := range l.missed {
		if l.missed[worker]++; l.missed[worker] >= forgetAfter {
			delete(l.missed, worker)
		}
	}
}

// answered notes that a worker answered a ping, and reports whether that changes whom events may go to.
func (l *liveness) answered(worker string) (changed bool) {
	missed, known := l.missed[worker]
	if !known && len(l.missed) >= maxWorkers {
		return false
	}
	l.missed[worker] = 0
	return !known || isSuspect(missed)
}

// heard notes a roll: those workers have answered somebody's ping. changed is as of answered. doubt says that the roll
// lacks a worker that counts as living. Then nothing else is noted: who is not on a roll may just be out of
// reach of its writer, so that a worker is silent is found by pings of one's own. A roll without doubt counts
// as a ping, and puts the next one off, by jitter too.
func (l *liveness) heard(workers []string, now time.Time, jitter time.Duration) (changed, doubt bool) {
	listed := make(map[string]bool, len(workers))
	for _, worker := range workers {
		listed[worker] = true
		changed = l.answered(worker) || changed
	}
	for worker, missed := range l.missed {
		doubt = doubt || !listed[worker] && !isSuspect(missed)
	}
	if doubt {
		return changed, true
	}
	for worker := range l.missed {
		if listed[worker] {
			continue
		}
		if l.missed[worker]++; l.missed[worker] >= forgetAfter {
			delete(l.missed, worker)
			changed = true
		}
	}
	l.pingedAt, l.due = now.Add(-pongTimeout), now.Add(pingInterval+rollMargin+jitter)
	return true, false // the next ping is later, which a choice knows
}

// forget removes a worker.
func (l *liveness) forget(worker string) { delete(l.missed, worker) }

// isSuspect reports whether a worker has left so many pings unanswered that its events go to others.
func isSuspect(missed int) bool { return missed >= suspectAfter }

// preferred returns the workers among which events are shared: those that answer, or all that are
// known when none does, because then this process may be the one that is cut off.
func (l *liveness) preferred() (workers []string) {
	for worker, missed := range l.missed {
		if !isSuspect(missed) {
			workers = append(workers, worker)
		}
	}
	if len(workers) > 0 {
		return workers
	}
	return slices.Collect(maps.Keys(l.missed))
}

// alternatives returns the workers among which to choose for a request that the tried worker did not
// answer; tried may be "". They are the others that answer pings, or else the tried one if that does, or
// else the others that are known.
func (l *liveness) alternatives(tried string, now time.Time) (workers []string) {
	answers := func(missed int) bool { return missed == 0 || missed == 1 && now.Sub(l.pingedAt) < pongTimeout }
	var others []string
	for worker, missed := range l.missed {
		if worker == tried {
			continue
		}
		if others = append(others, worker); answers(missed) {
			workers = append(workers, worker)
		}
	}
	if len(workers) > 0 {
		return workers
	}
	// The tried worker may live, and the connection to it was broken.
	if missed, known := l.missed[tried]; known && answers(missed) {
		return []string{tried}
	}
	return others
}
