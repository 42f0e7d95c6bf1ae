package messages

import (
	"hash/fnv"
	"time"
)

const (
	// askEvery is how often a requester that is in use asks which workers are there, at most.
	askEvery = time.Second
	// answerLimit is how long a worker may take to answer before it counts as silent for a
	// second attempt.
	answerLimit = 250 * time.Millisecond
	// silentAfter is how many questions in a row a worker leaves unanswered before its events
	// go to others: one answer may be lost. forgetAfter is when it is forgotten.
	silentAfter, forgetAfter = 2, 5
	// maxWorkers bounds what a hostile sender can make us remember.
	maxWorkers = 1024
)

// presence is what a requester knows about which workers are there. It counts questions and
// not time: who asks nobody for a while still knows the workers afterwards, and a worker on
// whose subject nobody listens any more costs one round trip. It is not safe for concurrent
// use.
type presence struct {
	asked  time.Time      // when all were asked last
	missed map[string]int // by worker: questions since its last answer
}

// due reports whether it is time to ask again.
func (p *presence) due(now time.Time) bool { return now.Sub(p.asked) >= askEvery }

// ask notes that all workers are asked now.
func (p *presence) ask(now time.Time) {
	p.asked = now
	for worker := range p.missed {
		if p.missed[worker]++; p.missed[worker] >= forgetAfter {
			delete(p.missed, worker)
		}
	}
}

// answer notes that a worker says that it is there.
func (p *presence) answer(worker string) {
	if _, known := p.missed[worker]; known || len(p.missed) < maxWorkers {
		p.missed[worker] = 0
	}
}

// forget drops a worker.
func (p *presence) forget(worker string) { delete(p.missed, worker) }

// first is the worker that an event's requests go to; empty when none is known.
func (p *presence) first(event ID) string {
	best := heaviest(event, p.missed, func(_ string, missed int) bool { return missed < silentAfter })
	if best == "" { // nobody answers: this process may be what is cut off
		best = heaviest(event, p.missed, func(string, int) bool { return true })
	}
	return best
}

// second is the worker for an event's request that got no answer from the one called first,
// which may be empty. It is one that answers, another one if there is any; else another one
// that is known; and empty when there is none.
func (p *presence) second(event ID, first string, now time.Time) string {
	answers := func(missed int) bool { return missed == 0 || missed == 1 && now.Sub(p.asked) < answerLimit }
	best := heaviest(event, p.missed, func(worker string, missed int) bool { return worker != first && answers(missed) })
	if best != "" {
		return best
	}
	// The first one may be well, and what lay between here and there was not.
	if missed, known := p.missed[first]; known && answers(missed) {
		return first
	}
	return heaviest(event, p.missed, func(worker string, _ int) bool { return worker != first })
}

// heaviest is rendezvous hashing: an event goes to the worker that weighs most for it, of
// those that may have it, so one that comes or goes moves only its own share of the events.
func heaviest(event ID, missed map[string]int, may func(worker string, missed int) bool) (best string) {
	var most uint64
	for worker, n := range missed {
		if !may(worker, n) {
			continue
		}
		h := fnv.New64a()
		h.Write(event[:])
		h.Write([]byte(worker))
		if weight := h.Sum64(); best == "" || weight > most {
			best, most = worker, weight
		}
	}
	return best
}
