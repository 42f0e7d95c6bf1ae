package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestChaos: people come and go, each knowing what they were told, while workers, API
// processes, NATS and MongoDB are frozen, killed and restarted. Nobody who was refused holds
// a seat, nobody who was granted one has lost it, and no event is overbooked at any time.
//
// EVENTIO_CHAOS is for how long, 10s by default, and EVENTIO_SEED repeats a schedule.
func TestChaos(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("EVENTIO_CHAOS"))
	if err != nil {
		length = 10 * time.Second
	}
	seed, err := strconv.ParseUint(os.Getenv("EVENTIO_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("EVENTIO_SEED=%d EVENTIO_CHAOS=%v", seed, length)

	s := newStorm(t, rand.New(rand.NewPCG(seed, 0)))
	var crowd sync.WaitGroup
	for _, p := range s.people {
		crowd.Go(func() { p.live(s) })
	}
	crowd.Go(s.watch)
	for started := time.Now(); time.Since(started) < length && !t.Failed(); {
		s.fault()
	}
	s.over.Store(true)
	crowd.Wait()
	t.Logf("%d granted, %d refused, %d given back, %d unknown outcomes", s.granted.Load(), s.refused.Load(), s.given.Load(), s.unknown.Load())
	if s.granted.Load() == 0 || s.refused.Load() == 0 {
		t.Error("one of these never happened, so not much is shown")
	}
	for i, e := range s.events {
		held := make(map[store.ID]bool)
		for _, user := range roster(t, s.apis[0], e, "") {
			held[user] = true
		}
		for j, p := range s.people {
			if j%len(s.events) == i && p.holds != held[p.id] {
				t.Errorf("user %s was told that they hold a seat: %v, and does: %v", p.id.Hex(), p.holds, held[p.id])
			}
		}
	}
	s.verify(t)
}

// storm is a cluster with people in it, and what happens to them.
type storm struct {
	*cluster
	t       *testing.T
	random  *rand.Rand // of the one goroutine that makes faults
	nats    *testenv.NATS
	mongo   *testenv.Mongo
	workers []*process
	api     *process // the one that is frozen at times
	apis    []*client.Client
	events  []client.Event
	people  []*person
	over    atomic.Bool

	granted, refused, given, unknown atomic.Int64
}

func newStorm(t *testing.T, random *rand.Rand) *storm {
	s := &storm{
		cluster: newCluster(t), t: t, random: random, nats: testenv.StartNATS(t),
		mongo: testenv.StartMongo(t, "--setParameter", "transactionLifetimeLimitSeconds=2"), // as operators are told to
	}
	s.env = append(s.env, "NATS_URL="+s.nats.URL(), "MONGODB_URI="+s.mongo.URI()) // the last one counts
	for range 3 {
		s.workers = append(s.workers, s.start(t, "worker"))
	}
	s.api = s.start(t, "api")
	s.apis = []*client.Client{newClient(t, s.start(t, "api").addr), newClient(t, s.api.addr)}
	for range 6 {
		s.events = append(s.events, createEvent(t, s.apis[0], 3))
	}
	for i := range 60 {
		s.people = append(s.people, &person{id: store.NewID(), event: s.events[i%len(s.events)]})
	}
	return s
}

// fault makes one, ends it, and leaves a moment of peace.
func (s *storm) fault() {
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(s.random.Int64N(int64(most-least)))
	}
	freeze := func(signal func(os.Signal) error, how time.Duration) error {
		if err := signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(how)
		return signal(syscall.SIGCONT)
	}
	i := s.random.IntN(len(s.workers))
	w := s.workers[i]
	var err error
	name, started := "", time.Now()
	switch s.random.IntN(8) {
	case 0, 1:
		name, err = "worker frozen", freeze(w.Signal, between(time.Second, 5*time.Second))
	case 2:
		name, err = "worker killed", w.Signal(syscall.SIGKILL)
		s.workers[i] = s.start(s.t, "worker")
	case 3:
		name, err = "worker stopped", w.terminate()
		s.workers[i] = s.start(s.t, "worker")
	case 4:
		name, err = "NATS restarted", s.nats.Restart()
	case 5:
		name, err = "MongoDB frozen", freeze(s.mongo.Signal, between(500*time.Millisecond, 3*time.Second))
	case 6:
		name, err = "MongoDB killed", errors.Join(s.mongo.Kill(), s.mongo.Restart())
	case 7:
		name, err = "API frozen", freeze(s.api.Signal, between(500*time.Millisecond, 4*time.Second))
	}
	s.t.Logf("%v: %s", time.Since(started).Round(time.Millisecond), name)
	if err != nil {
		s.t.Errorf("%s: %v", name, err)
	}
	time.Sleep(between(100*time.Millisecond, time.Second))
}

// watch looks all the time whether an event is overbooked.
func (s *storm) watch() {
	for !s.over.Load() {
		for _, e := range s.events {
			if now, err := s.apis[0].Event(s.t.Context(), e.ID); err == nil && now.TicketsSold > now.Capacity {
				s.t.Errorf("an event is overbooked: %+v", now)
			}
		}
	}
}

// person registers and gives the seat back in turn, and insists on an answer each time.
type person struct {
	id    store.ID
	event client.Event
	holds bool // as they were told
	count int  // of their requests
}

func (p *person) live(s *storm) {
	for !s.over.Load() && !s.t.Failed() {
		made, err := p.insist(s)
		switch {
		case p.holds && err == nil:
			p.holds = false
			s.given.Add(1)
		case !p.holds && err == nil && made:
			p.holds = true
			s.granted.Add(1)
		case !p.holds && errors.Is(err, client.CodeSoldOut):
			s.refused.Add(1)
		default:
			s.t.Errorf("user %s holds a seat: %v; wanting the other they are told: made %v, %v", p.id.Hex(), p.holds, made, err)
			return
		}
		if _, err := s.apis[rand.IntN(2)].Registration(s.t.Context(), p.event.ID, p.id); definite(err) && (err == nil) != p.holds {
			s.t.Errorf("user %s was told that they hold a seat: %v; now they are told %v", p.id.Hex(), p.holds, err)
		}
	}
}

// insist registers who holds no seat, and gives up the seat of who holds one. It repeats that under
// one key until the answer is definite: at either API process, which a client of one cannot.
func (p *person) insist(s *storm) (made bool, err error) {
	p.count++
	key := client.Key(fmt.Sprintf("%s-%d", p.id.Hex(), p.count))
	for range 100 {
		api := s.apis[rand.IntN(2)]
		if p.holds {
			err = api.CancelRegistration(s.t.Context(), p.event.ID, p.id, key)
		} else {
			_, made, err = api.PutRegistration(s.t.Context(), p.event.ID, p.id, key)
		}
		if definite(err) {
			return made, err
		}
		s.unknown.Add(1)
		time.Sleep(50 * time.Millisecond) // no storm of its own
	}
	return made, err
}
