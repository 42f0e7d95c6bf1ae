package model

import (
	"math"
	"time"
)

// System is the service that is simulated. The zero value of a field means the least that works.
type System struct {
	Costs Costs
	// Shared is how many cores one machine has that everything runs on, the clients' program too. 0: each process
	// has cores of its own, and the clients cost nothing.
	Shared int
	// APIs, NATS, Workers and Shards are how many processes there are, and *Cores the cores of each of them. A shard
	// is a replica set of MongoDB; only its primary is simulated.
	APIs, NATS, Workers, Shards                  int
	APICores, NATSCores, WorkerCores, ShardCores int
	MaxBatch, MaxWaiting, InFlight               int
	// Distance is the round trip from a worker to its primary, Majority that from there to the member whose
	// acknowledgement makes a majority.
	Distance, Majority time.Duration
	// Network is the round trip between all other processes.
	Network time.Duration
	// Lease is for how long an API process may refuse by itself after a worker's refusal; 0: never.
	Lease time.Duration
	// Timeout is when the API answers that it does not know.
	Timeout time.Duration
	// Events share the requests in turn. Seats are those of each.
	Events int
	Seats  int64
	// Grain is how many requests one that is simulated stands for.
	Grain int
}

func (s System) withDefaults() System {
	for _, f := range []struct {
		field *int
		least int
	}{
		{&s.APIs, 1}, {&s.NATS, 1}, {&s.Workers, 1}, {&s.Shards, 1}, {&s.APICores, 2}, {&s.NATSCores, 2}, {&s.WorkerCores, 2},
		{&s.ShardCores, 2}, {&s.MaxBatch, 512}, {&s.MaxWaiting, 20_000}, {&s.InFlight, 2}, {&s.Events, 1}, {&s.Grain, 1},
	} {
		if *f.field <= 0 {
			*f.field = f.least
		}
	}
	if s.Timeout == 0 {
		s.Timeout = 5 * time.Second
	}
	return s
}

// Outcome is how a request ends. Each ends in one.
type Outcome int

// The outcomes.
const (
	Granted    Outcome = iota // 201
	Refused                   // 409, by a worker or by the API process
	Overloaded                // 503, and the client has given up
	Unknown                   // 504: no answer in time
	outcomes
)

// request is one that is under way; with a Grain it stands for several.
type request struct {
	event   int
	api     int
	due     time.Duration
	tries   int
	settled bool
	done    func(Outcome)
}

// message is requests on their way from an API process to a worker, or their answers on the way back.
type message struct {
	api, worker int
	requests    []*request
	answers     []Outcome
}

// run is one simulation of a System.
type run struct {
	System
	*sim
	client  *process
	apis    []*apiProcess
	nats    []*process
	workers []*workerProcess
	shards  []*process
	seats   []int64 // free, by event
	sold    []int64
	left    int // seats of all events
	stats   Stats
}

type apiProcess struct {
	*process
	queues  map[int]*fifo[*request] // requests not sent yet, by worker; there while a task sends them
	leases  map[int]time.Duration   // until when an event's requests may be refused here
	renewed map[int]bool            // one request is on its way to renew the lease
}

type workerProcess struct {
	*process
	events  map[int]*eventQueue
	ready   fifo[*eventQueue]
	waiting int
	idle    int // batches that may begin
}

type eventQueue struct {
	event    int
	requests fifo[*request]
	inFlight bool
}

func newRun(s System, seed uint64) *run {
	s = s.withDefaults()
	r := &run{System: s, sim: newSim(seed), seats: make([]int64, s.Events), sold: make([]int64, s.Events)}
	var shared *machine
	if s.Shared > 0 {
		shared = newMachine(r.sim, s.Shared, s.Costs.Slice)
		r.client = shared.start(s.Shared)
	}
	start := func(cores int) *process {
		if shared != nil {
			return shared.start(s.Shared)
		}
		return newMachine(r.sim, cores, s.Costs.Slice).start(cores)
	}
	for range s.APIs {
		api := start(s.APICores)
		api.disorder = s.Costs.Disorder
		r.apis = append(r.apis, &apiProcess{
			process: api, queues: make(map[int]*fifo[*request]), leases: make(map[int]time.Duration), renewed: make(map[int]bool),
		})
	}
	for range s.NATS {
		r.nats = append(r.nats, start(s.NATSCores))
	}
	for range s.Workers {
		r.workers = append(r.workers, &workerProcess{process: start(s.WorkerCores), events: make(map[int]*eventQueue), idle: s.InFlight})
	}
	for range s.Shards {
		r.shards = append(r.shards, start(s.ShardCores))
	}
	for i := range r.seats {
		r.seats[i] = s.Seats
	}
	r.left = int(min(s.Seats, 1<<40)) * s.Events
	return r
}

// grains are how many simulated requests n real ones are, at least one.
func (r *run) grains(n int) int { return max(1, n/r.Grain) }

// each is what something takes for each real request behind n simulated ones.
func (r *run) each(cost time.Duration, n int) time.Duration { return cost * time.Duration(n*r.Grain) }

// vary returns a duration that varies about d, by half of it at most.
func (r *run) vary(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + r.rng.Float64()))
}

// send is a client's request, which calls done once.
func (r *run) send(q *request) {
	r.stats.arrive(r.now, r.Grain)
	reach := func() { r.after(r.Network/2, func() { r.receive(q) }) }
	if r.client == nil {
		reach()
		return
	}
	r.client.do(r.each(r.vary(r.Costs.Client)/2, 1), reach)
}

// finish tells a client how its request has ended, if nobody has.
func (r *run) finish(q *request, o Outcome) {
	if q.settled {
		return
	}
	q.settled = true
	reach := func() {
		r.after(r.Network/2, func() {
			r.stats.leave(r.now, r.Grain)
			q.done(o)
		})
	}
	if r.client == nil {
		reach()
		return
	}
	r.client.do(r.each(r.vary(r.Costs.Client)/2, 1), reach)
}

// receive is the first half of an API process's work for a request.
func (r *run) receive(q *request) {
	api := r.apis[q.api]
	api.do(r.each(r.vary(r.Costs.APIRequest)/2, 1), func() {
		if r.now < api.leases[q.event] { // and one goes on, to renew it
			if left := api.leases[q.event] - r.now; left > r.Lease/2 || api.renewed[q.event] {
				r.stats.Leased += r.Grain
				r.answer(q, Refused)
				return
			}
			api.renewed[q.event] = true
		}
		r.after(r.Timeout, func() { r.finish(q, Unknown) })
		worker := q.event % r.Workers
		queue := api.queues[worker]
		if queue == nil {
			queue = new(fifo[*request])
			api.queues[worker] = queue
			api.do(0, func() { r.sendQueue(q.api, worker) })
		}
		queue.push(q)
	})
}

// maxRequests is messages.MaxRequests.
const maxRequests = 256

// sendQueue sends what waits for a worker, a message at a time: what came while the last one was made is the next.
func (r *run) sendQueue(apiIndex, worker int) {
	api := r.apis[apiIndex]
	queue := api.queues[worker]
	n := min(queue.len(), r.grains(maxRequests))
	if n == 0 {
		delete(api.queues, worker)
		return
	}
	m := message{api: apiIndex, worker: worker, requests: queue.take(n)}
	api.do(r.vary(r.Costs.APIMessage), func() {
		r.pass(m, func() { r.accept(m) })
		r.sendQueue(apiIndex, worker)
	})
}

// pass brings a message through a NATS server.
func (r *run) pass(m message, arrive func()) {
	r.stats.Messages++
	server := r.nats[(m.api+m.worker)%len(r.nats)]
	r.after(r.Network/2, func() {
		server.do(r.vary(r.Costs.NATSMessage)+r.each(r.Costs.NATSItem, len(m.requests)), func() { r.after(r.Network/2, arrive) })
	})
}

// accept is a worker's work for a message: its requests wait for a batch, or are refused when too many do.
func (r *run) accept(m message) {
	w := r.workers[m.worker]
	w.do(r.vary(r.Costs.WorkerMessage)+r.each(r.Costs.WorkerItem, len(m.requests))/2, func() {
		var tooMany []*request
		for _, q := range m.requests {
			if w.waiting >= r.grains(r.MaxWaiting) {
				tooMany = append(tooMany, q)
				continue
			}
			e := w.events[q.event]
			if e == nil {
				e = &eventQueue{event: q.event}
				w.events[q.event] = e
			}
			if e.requests.push(q); e.requests.len() == 1 && !e.inFlight {
				w.ready.push(e)
			}
			w.waiting++
		}
		r.reply(m.worker, tooMany, make([]Outcome, len(tooMany)), Overloaded)
		r.beginBatches(m.worker)
	})
}

// beginBatches begins as many batches as the worker may have and has requests for.
func (r *run) beginBatches(worker int) {
	w := r.workers[worker]
	for w.idle > 0 && w.ready.len() > 0 {
		w.idle--
		most := r.grains(r.MaxBatch)
		events := w.ready.take(min(most, w.ready.len()))
		share := most / len(events)
		var batch []*request
		for _, size := range []int{share, most} {
			for _, e := range events {
				e.inFlight = true
				batch = append(batch, e.requests.take(min(size, most-len(batch), e.requests.len()))...)
			}
		}
		w.waiting -= len(batch)
		r.apply(worker, events, batch)
	}
}

// times returns n times d.
func times(d time.Duration, n int) time.Duration { return d * time.Duration(n) }

// apply is a batch from its decision to its replies.
func (r *run) apply(worker int, events []*eventQueue, batch []*request) {
	w, c := r.workers[worker], r.Costs
	r.stats.batch(len(batch) * r.Grain)
	answers, granted := r.decide(batch)
	shard := r.shards[events[0].event%r.Shards]
	more := len(events) - 1
	store, trips, item := r.vary(c.StoreBatch)+r.each(c.StoreSeat, granted)+times(c.StoreEvent, more), c.Trips, c.WorkerItem
	if granted == 0 {
		store, trips, item = r.vary(c.StoreRefusals)+r.each(c.StoreRefusal, len(batch))+times(c.StoreEvent, more)/4, c.RefusalTrips, c.WorkerRefusal
	}
	r.stats.Commands += trips
	decided := r.vary(c.WorkerBatch) + r.each(item, len(batch))/2 + times(c.WorkerEvent, more)
	w.do(decided/2, func() {
		r.trips(shard, trips, store, func() {
			r.after(r.sync()+r.Majority, func() {
				w.do(decided/2, func() {
					for _, e := range events {
						if e.inFlight = false; e.requests.len() > 0 {
							w.ready.push(e)
						} else {
							delete(w.events, e.event)
						}
					}
					w.idle++
					if granted > 0 {
						r.nats[worker%len(r.nats)].do(times(c.NATSNews, 2*(more+1)), func() {}) // of the event and of people
					}
					r.reply(worker, batch, answers, outcomes)
					r.beginBatches(worker)
				})
			})
		})
	})
}

// trips are the statements of a batch, one after the other, with work for the store together.
func (r *run) trips(shard *process, n int, work time.Duration, done func()) {
	if n == 0 {
		done()
		return
	}
	way := (r.Distance + r.Costs.Trip) / 2
	r.after(way, func() {
		shard.do(work/time.Duration(n), func() {
			r.after(way, func() { r.trips(shard, n-1, work-work/time.Duration(n), done) })
		})
	})
}

// sync is how long a commit waits for the disk.
func (r *run) sync() time.Duration {
	return max(r.Costs.Sync/4, r.Costs.Sync+time.Duration(r.rng.NormFloat64()*float64(r.Costs.SyncSpread)))
}

// decide gives seats while there are any.
func (r *run) decide(batch []*request) (answers []Outcome, granted int) {
	answers = make([]Outcome, len(batch))
	for i, q := range batch {
		if r.seats[q.event] < int64(r.Grain) {
			answers[i] = Refused
			continue
		}
		r.seats[q.event] -= int64(r.Grain)
		r.sold[q.event] += int64(r.Grain)
		granted++
		if r.left -= r.Grain; r.left < r.Grain*r.Events && r.stats.SoldOut == 0 && r.seats[q.event] < int64(r.Grain) {
			r.stats.SoldOut = r.now
		}
	}
	return answers, granted
}

// reply sends answers back, one message for each API process; all of them are the same unless all is outcomes.
func (r *run) reply(worker int, requests []*request, answers []Outcome, all Outcome) {
	byAPI := make(map[int]*message)
	var order []int
	for i, q := range requests {
		m := byAPI[q.api]
		if m == nil {
			m = &message{api: q.api, worker: worker}
			byAPI[q.api] = m
			order = append(order, q.api)
		}
		o := answers[i]
		if all != outcomes {
			o = all
		}
		m.requests, m.answers = append(m.requests, q), append(m.answers, o)
	}
	for _, api := range order { // in their order, so that a run can be repeated
		m := *byAPI[api]
		r.pass(m, func() {
			r.apis[m.api].do(r.vary(r.Costs.APIMessage), func() {
				for i, q := range m.requests {
					r.answer(q, m.answers[i])
				}
			})
		})
	}
}

// answer is the second half of an API process's work for a request.
func (r *run) answer(q *request, o Outcome) {
	api := r.apis[q.api]
	if r.Lease > 0 && o == Refused && r.seats[q.event] < int64(r.Grain) && r.now >= api.leases[q.event]-r.Lease/2 {
		api.leases[q.event], api.renewed[q.event] = r.now+r.Lease, false
	}
	api.do(r.each(r.vary(r.Costs.APIRequest)/2, 1), func() { r.finish(q, o) })
}

// Stats are what a run counted, in real requests.
type Stats struct {
	Batches, Batched int
	Messages         int           // on NATS
	Commands         int           // to MongoDB
	Leased           int           // refused by an API process alone
	Retried          int           // requests that were a client's second or later
	Peak             int           // the most requests under way at the same time
	SoldOut          time.Duration // when the last seat went, 0: it did not

	under    int // requests under way
	since    time.Duration
	Area     float64 // requests under way, times seconds
	Arrivals int
}

func (s *Stats) batch(n int) { s.Batches, s.Batched = s.Batches+1, s.Batched+n }

func (s *Stats) arrive(now time.Duration, n int) {
	s.pass(now)
	s.under += n
	s.Peak = max(s.Peak, s.under)
	s.Arrivals += n
}

func (s *Stats) leave(now time.Duration, n int) { s.pass(now); s.under -= n }

func (s *Stats) pass(now time.Duration) {
	s.Area += float64(s.under) * (now - s.since).Seconds()
	s.since = now
}

// MeanBatch returns how many requests a batch had.
func (s *Stats) MeanBatch() float64 { return float64(s.Batched) / math.Max(float64(s.Batches), 1) }
