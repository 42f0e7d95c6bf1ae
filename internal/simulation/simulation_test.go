// Package simulation runs the product's own decision, requesters, workers, refusals from memory and shared reads against a store
// and a NATS server that lose, delay, double and reorder, in a time that costs nothing (testing/synctest).
// Each event is a history of some people who come and go, and both judges of internal/history look at it.
//
// It finds what the decision, the batches, the repetitions and the time limits get wrong, in hundreds of
// histories a second. What MongoDB and SQLite do is not in it: that is for the tests of the stores and for
// `make chaos`.
package simulation

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/soldout"
	"github.com/eventio/eventio/internal/fresh"
	"github.com/eventio/eventio/internal/history"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/worker"
)

const (
	// eventsAtOnce is how many histories share one bus and one store.
	eventsAtOnce = 150
	people       = 5 // at each event
	limit        = 5 * time.Second
)

// TestSimulation runs for 5 s, or for EVENTIO_SIMULATION. EVENTIO_SEED repeats the faults of one world, though
// not the order in which goroutines run.
func TestSimulation(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("EVENTIO_SIMULATION"))
	if err != nil {
		length = 5 * time.Second
	}
	seed, err := strconv.ParseUint(os.Getenv("EVENTIO_SEED"), 10, 64)
	once := err == nil
	if !once {
		seed = rand.Uint64()
	}
	var total tally
	started := time.Now()
	for ; time.Since(started) < length && !t.Failed(); seed++ {
		var h history.History
		synctest.Test(t, func(t *testing.T) { h = newWorld(t, seed).run(&total) })
		for _, e := range h.Events {
			total.histories++
			if err := history.Check(one(h, e), 10*time.Second); err != nil {
				t.Fatalf("EVENTIO_SEED=%d: as a whole: %v", seed, err)
			}
		}
		if err := history.CheckLong(h); err != nil {
			t.Fatalf("EVENTIO_SEED=%d: rule by rule: %v", seed, err)
		}
		for o, n := range h.Count() {
			total.add(o, n)
		}
		if once {
			break
		}
	}
	total.report(t, time.Since(started))
}

// one is the history of one event.
func one(h history.History, e history.Event) history.History {
	alone := history.History{Events: []history.Event{e}}
	for _, op := range h.Ops {
		if op.Event == e.ID {
			alone.Ops = append(alone.Ops, op)
		}
	}
	return alone
}

// tally is what happened in all worlds.
type tally struct {
	histories, changes                            int
	outcomes                                      map[history.Outcome]int
	lost, doubled, late, stored, fenced, collided int
	leases, fromMemory                            int
}

func (c *tally) add(o history.Outcome, n int) {
	if c.outcomes == nil {
		c.outcomes = make(map[history.Outcome]int)
	}
	c.outcomes[o] += n
	c.changes += n
}

// report fails when something never happened, because then nothing is shown of it.
func (c *tally) report(t *testing.T, took time.Duration) {
	t.Logf("%d histories, %.0f a second: %v", c.histories, float64(c.histories)/took.Seconds(), c.outcomes)
	t.Logf("messages: %d lost, %d doubled, %d late; writes: %d late, of them %d fenced, %d collided", c.lost, c.doubled, c.late, c.stored, c.fenced, c.collided)
	t.Logf("%d leases were granted, and %d were refused from memory", c.leases, c.fromMemory)
	for _, o := range []history.Outcome{
		history.Made, history.Found, history.Already, history.SoldOut, history.Replayed, history.EventEnded, history.BelowSold, history.Done,
		history.Nothing, history.Unknown,
	} {
		if c.outcomes[o] == 0 {
			t.Errorf("nobody was told %q, so nothing is shown of it", o)
		}
	}
	if good := c.outcomes[history.Made] + c.outcomes[history.Found] + c.outcomes[history.Done]; good*5 < c.changes {
		t.Errorf("only %d of %d changes succeeded", good, c.changes)
	}
	if min(c.lost, c.doubled, c.late, c.stored, c.fenced, c.collided, c.fromMemory) == 0 {
		t.Error("a fault never happened, so nothing is shown of it")
	}
}

// world is one bus and one store, with API processes, workers and people.
type world struct {
	t         *testing.T
	random    *rand.Rand
	bus       *bus
	memory    *memory
	processes []*process
	reads     *fresh.Reads[[2]store.ID, view]
	recorder  *history.Recorder
	close     []func()

	mu         sync.Mutex // guards all below
	clients    int
	fromMemory int
}

// process is an API process: it sends requests to workers, and refuses some by itself.
type process struct {
	requester *messages.Requester
	leases    *soldout.Leases
}

// leaseLength is how long leases are.
const leaseLength = 300 * time.Millisecond

func newWorld(t *testing.T, seed uint64) *world {
	random := rand.New(rand.NewPCG(seed, 0))
	w := &world{
		t: t, random: random, recorder: history.NewRecorder(),
		bus:    &bus{random: rand.New(rand.NewPCG(seed, 1))},
		memory: &memory{random: rand.New(rand.NewPCG(seed, 2)), events: make(map[store.ID]*kept)},
	}
	for range 3 {
		s := worker.New(w.connect("worker"), newHandle(w.memory), worker.Config{SoldOutLease: leaseLength}, zerolog.Nop())
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		w.close = append(w.close, func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := s.Stop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	ending := make(chan struct{})
	for range 2 {
		r, err := messages.NewRequester(messages.Link{
			Conn:      w.connect("api"),
			Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: w.memory.DatabaseID()},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.processes = append(w.processes, &process{r, soldout.New(soldout.Config{
			Entered: w.memory.entered, Go: func(read func()) { go read() }, Timeout: 2 * time.Second, Rush: 1, Ending: ending, Log: zerolog.Nop(),
		})})
	}
	w.close = append(w.close, func() { close(ending) })
	w.reads = fresh.New(fresh.Source[[2]store.ID, view]{
		One: func(ctx context.Context, key [2]store.ID) (view, error) { return w.memory.read(ctx, key[0], key[1]) },
		Many: func(ctx context.Context, keys [][2]store.ID) (map[[2]store.ID]view, error) {
			all := make(map[[2]store.ID]view)
			for _, key := range keys {
				v, err := w.memory.read(ctx, key[0], key[1])
				if err != nil {
					return nil, err
				}
				all[key] = v
			}
			return all, nil
		},
		Missing: func([2]store.ID) error { return store.ErrEventNotFound },
		Timeout: 2 * time.Second,
	})
	return w
}

// connect opens a connection of the real client to the bus.
func (w *world) connect(name string) *nats.Conn {
	conn, err := messages.Connect("nats://127.0.0.1:4222", name, zerolog.Nop(), nats.InProcessServer(w.bus))
	if err != nil {
		w.t.Fatal(err)
	}
	w.close = append(w.close, conn.Close)
	return conn
}

// run lets everybody act, ends all faults, lets time pass in which everything late arrives, and has everybody
// look what they have.
func (w *world) run(total *tally) history.History {
	w.warm()
	var crowd sync.WaitGroup
	var all []*place
	for range eventsAtOnce {
		p := w.open()
		all = append(all, p)
		for _, user := range p.users {
			g := w.guest(p, user)
			crowd.Go(g.live)
		}
		o := w.guest(p, store.ID{})
		crowd.Go(o.organize)
	}
	crowd.Wait()
	time.Sleep(20 * time.Second) // longer than anything is late
	w.bus.set(true)
	w.memory.set(true)
	for _, p := range all {
		w.guest(p, store.ID{}).readEvent()
		for _, user := range p.users {
			w.guest(p, user).readSeat()
		}
	}
	for i := range w.close { // connections were opened before what uses them, so the last comes first
		w.close[len(w.close)-1-i]()
	}
	synctest.Wait()
	total.lost += w.bus.lost
	total.doubled += w.bus.doubled
	total.late += w.bus.late
	total.stored += w.memory.late
	total.fenced += w.memory.fenced
	total.collided += w.memory.collisions
	total.fromMemory += w.fromMemory
	for _, k := range w.memory.events {
		total.leases += int(k.event.LeasesGranted)
	}
	return w.recorder.History()
}

// warm lets every worker hear every requester for some seconds, as in a system that runs: a worker cannot know how
// late the first message of a requester is (see docs/decisions.md). No fault happens meanwhile.
func (w *world) warm() {
	w.bus.set(true)
	w.memory.set(true)
	for range 5 {
		for range 40 {
			nowhere := store.NewID()
			for _, p := range w.processes {
				p.requester.Request(context.Background(), messages.SeatRequest{
					Kind: messages.KindCancel, RequestID: "warm", EventID: nowhere, UserID: nowhere,
					Actor: messages.Actor{Kind: messages.ActorPerson, ID: nowhere},
				}, time.Now().Add(limit))
			}
		}
		time.Sleep(time.Second)
	}
	w.bus.set(false)
	w.memory.set(false)
}

// open creates an event.
func (w *world) open() *place {
	e := store.Event{
		ID: store.NewID(), OrganizerID: store.NewID(), Title: "Opening", Capacity: 1 + w.random.Int64N(3), Waitlist: w.random.IntN(2) == 0,
		StartsAt: time.Now().Add(1000 * time.Hour), EndsAt: time.Now().Add(1001 * time.Hour), Version: 1,
	}
	w.memory.create(e)
	w.recorder.Created(history.Event{ID: e.ID.Hex(), Capacity: e.Capacity, Waitlist: e.Waitlist})
	p := &place{id: e.ID}
	for range people {
		p.users = append(p.users, store.NewID())
	}
	return p
}

// place is an event and who comes there.
type place struct {
	id    store.ID
	users []store.ID
}

func (w *world) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients++
	return w.clients
}

func (w *world) guest(p *place, user store.ID) *guest {
	w.mu.Lock()
	random := rand.New(rand.NewPCG(w.random.Uint64(), 3))
	w.mu.Unlock()
	return &guest{world: w, place: p, user: user, random: random, client: w.number()}
}
