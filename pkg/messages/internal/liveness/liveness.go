// Package liveness keeps which workers live, as their answers to pings and other processes tell.
package liveness

import (
	"maps"
	"slices"
	"time"
)

const (
	// PingInterval is the least time between two pings of a Requester that is in use.
	PingInterval = time.Second
	// PongTimeout is how long a worker may take to answer a ping before it counts as silent for a
	// second attempt.
	PongTimeout = 250 * time.Millisecond
	// SuspectAfter is how many pings in a row a worker leaves unanswered before its events go to
	// other workers: one answer may be lost.
	SuspectAfter = 2
	// ForgetAfter is how many pings in a row a worker leaves unanswered before it is forgotten.
	ForgetAfter = 5
	// RollMargin is how much longer than PingInterval a Requester waits for a roll before it pings by itself: the one that
	// wrote the last roll is first, unless it has gone.
	RollMargin = PongTimeout
	// RollJitter is up to how much more keeps the others apart.
	RollJitter = 500 * time.Millisecond
	// MaxWorkers bounds how many workers are remembered, whatever a hostile sender claims.
	MaxWorkers = 1024
)

// Workers is what a Requester knows about which workers live. It counts pings and not time:
// after a pause in which it pinged nobody, a Requester still knows the workers, and a worker
// that has died meanwhile costs one round trip. It is not safe for concurrent use.
type Workers struct {
	PingedAt time.Time      // the last ping to all workers, this process's own or the one of a roll
	Due      time.Time      // when this process pings next if it is in use
	Missed   map[string]int // pings since the last answer, by worker
}

// New returns a Workers that knows nobody.
func New() Workers { return Workers{Missed: make(map[string]int)} }

// PingDue reports whether it is time for a ping.
func PingDue(due, now time.Time) bool { return !now.Before(due) }

// Pinged notes that a ping was sent to all workers.
func (l *Workers) Pinged(now time.Time) {
	l.PingedAt, l.Due = now, now.Add(PingInterval)
	for worker := range l.Missed {
		if l.Missed[worker]++; l.Missed[worker] >= ForgetAfter {
			delete(l.Missed, worker)
		}
	}
}

// Answered notes that a worker answered a ping, and reports whether that changes whom events may go to.
func (l *Workers) Answered(worker string) (changed bool) {
	missed, known := l.Missed[worker]
	if !known && len(l.Missed) >= MaxWorkers {
		return false
	}
	l.Missed[worker] = 0
	return !known || IsSuspect(missed)
}

// Heard notes a roll: those workers have answered somebody's ping. changed is as of Answered. doubt says that the roll
// lacks a worker that counts as living. Then nothing else is noted: who is not on a roll may just be out of
// reach of its writer, so that a worker is silent is found by pings of one's own. A roll without doubt counts
// as a ping, and puts the next one off, by jitter too.
func (l *Workers) Heard(workers []string, now time.Time, jitter time.Duration) (changed, doubt bool) {
	listed := make(map[string]bool, len(workers))
	for _, worker := range workers {
		listed[worker] = true
		changed = l.Answered(worker) || changed
	}
	for worker, missed := range l.Missed {
		doubt = doubt || !listed[worker] && !IsSuspect(missed)
	}
	if doubt {
		return changed, true
	}
	for worker := range l.Missed {
		if listed[worker] {
			continue
		}
		if l.Missed[worker]++; l.Missed[worker] >= ForgetAfter {
			delete(l.Missed, worker)
		}
	}
	l.PingedAt, l.Due = now.Add(-PongTimeout), now.Add(PingInterval+RollMargin+jitter)
	return true, false // the next ping is later, which a choice knows
}

// Forget removes a worker.
func (l *Workers) Forget(worker string) { delete(l.Missed, worker) }

// IsSuspect reports whether a worker has left so many pings unanswered that its events go to others.
func IsSuspect(missed int) bool { return missed >= SuspectAfter }

// Preferred returns the workers among which events are shared: those that answer, or all that are
// known when none does, because then this process may be the one that is cut off.
func (l *Workers) Preferred() (workers []string) {
	for worker, missed := range l.Missed {
		if !IsSuspect(missed) {
			workers = append(workers, worker)
		}
	}
	if len(workers) > 0 {
		return workers
	}
	return slices.Collect(maps.Keys(l.Missed))
}

// Alternatives returns the workers among which to choose for a request that the tried worker did not
// answer; tried may be "". They are the others that answer pings, or else the tried one if that does, or
// else the others that are known.
func (l *Workers) Alternatives(tried string, now time.Time) (workers []string) {
	answers := func(missed int) bool { return missed == 0 || missed == 1 && now.Sub(l.PingedAt) < PongTimeout }
	var others []string
	for worker, missed := range l.Missed {
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
	if missed, known := l.Missed[tried]; known && answers(missed) {
		return []string{tried}
	}
	return others
}
