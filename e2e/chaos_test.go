package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/history"
	"github.com/eventio/eventio/internal/testenv"
)

// TestChaos: people come and go, with keys and without, repeat what they did, join waiting lists and read,
// organizers change capacities and cancel events, and programs follow the records of changes, while workers, API
// processes, NATS and MongoDB are frozen, killed and restarted. Everything that anybody was told is judged by
// internal/history. In the end nothing is broken any more, everybody is served, and no process keeps what it needed
// meanwhile.
//
// By default each fault comes once, one after the other, by a fixed seed. EVENTIO_CHAOS is for how long they come at random
// instead, those of the database and the others at the same time; EVENTIO_SEED repeats a schedule.
func TestChaos(t *testing.T) {
	plan := planOf(t)
	mongo := testenv.StartMongo(t, "--setParameter", "transactionLifetimeLimitSeconds=2") // as operators are told to
	s := newStorm(t, plan, mongo.URI())
	s.rage(s.ofProcesses(), s.ofOneNode(mongo))
	s.judge(nil)
}

// TestChaosOnThreeNodes is the same over three mongods, whose primary steps down, is killed and frozen, and
// whose secondaries are frozen, so that no majority confirms anything. In the end all nodes have the same data.
func TestChaosOnThreeNodes(t *testing.T) {
	plan := planOf(t)
	set := testenv.StartReplicaSet(t, 2000)
	s := newStorm(t, plan, set.URI())
	if faults := s.ofThreeNodes(set); plan.length > 0 {
		s.rage(s.ofProcesses(), faults)
	} else {
		s.rage(faults)
	}
	s.judge(func() {
		testenv.Eventually(t, limit, "have the same data on every node", set.SameData)
	})
}

// plan is how a storm goes.
type plan struct {
	seed   uint64
	length time.Duration // 0: each fault comes once
}

// usualSeed is that of a run that is not asked for another one.
const usualSeed = 22

// planOf returns what the environment asks for.
func planOf(t *testing.T) plan {
	length, err := time.ParseDuration(os.Getenv("EVENTIO_CHAOS"))
	if err != nil {
		length = 0
	}
	seed, err := strconv.ParseUint(os.Getenv("EVENTIO_SEED"), 10, 64)
	switch {
	case err == nil:
	case length > 0:
		seed = rand.Uint64()
	default:
		seed = usualSeed
	}
	t.Logf("EVENTIO_SEED=%d EVENTIO_CHAOS=%v", seed, length)
	return plan{seed, length}
}

// seeds returns a function that gives each caller a source of its own, all from one seed.
func seeds(seed uint64) func() *rand.Rand {
	var n atomic.Uint64
	return func() *rand.Rand { return rand.New(rand.NewPCG(seed, n.Add(1))) }
}

// storm is a cluster with people in it, and what happens to them.
type storm struct {
	*cluster
	plan
	t      *testing.T
	nats   *testenv.NATS
	api    *process // the one that has faults
	spared *process // the other one
	crowd  *audience

	hurt    sync.Mutex // held by who breaks workers, of which one is broken at a time
	workers []*process

	mu    sync.Mutex // guards count
	count map[string]int
}

func newStorm(t *testing.T, p plan, mongoURI string) *storm {
	s := &storm{cluster: newCluster(t), plan: p, t: t, nats: testenv.StartNATS(t), count: make(map[string]int)}
	s.env = append(s.env, "NATS_URL="+s.nats.URL(), "MONGODB_URI="+mongoURI) // the last one counts
	for range 3 {
		s.workers = append(s.workers, s.start(t, "worker"))
	}
	s.api, s.spared = s.start(t, "api"), s.start(t, "api")
	s.crowd = newAudience(t, s.spared.addr, s.api.addr)
	return s
}

// rage makes faults while people come and go, lets everything recover, and sends the people home. Faults of
// different lists come at the same time in a long run, those of one list one after the other.
func (s *storm) rage(lists ...[]fault) {
	people := s.crowd.run(6, seeds(s.seed))
	if s.length == 0 {
		lists = [][]fault{slices.Concat(lists...)}
	}
	var raging sync.WaitGroup
	for i, faults := range lists {
		b := &breaker{storm: s, random: rand.New(rand.NewPCG(s.seed, uint64(i)<<32)), faults: faults}
		raging.Go(b.run)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); raging.Wait() }()
	for begun := time.Now(); ; {
		select {
		case <-ended:
			s.report(slices.Concat(lists...))
			s.calm()
			s.crowd.over.Store(true)
			people.Wait()
			return
		case <-time.After(30 * time.Second):
			s.t.Logf("%v: %v", time.Since(begun).Round(time.Second), s.crowd.recorder.History().Count())
		}
	}
}

// judge reads what everybody has in the end, wants it everywhere, and has the whole judged.
func (s *storm) judge(everywhere func()) {
	s.crowd.settle()
	s.crowd.judge()
	s.verify(s.t)
	if everywhere != nil {
		everywhere()
	}
	s.nothingStays()
}

// report tells what was made, and wants every fault.
func (s *storm) report(faults []fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.t.Logf("%3d times %s", s.count[f.name], f.name)
		if s.count[f.name] == 0 && (s.length == 0 || s.length >= 2*time.Minute) {
			s.t.Errorf("%s: never, so nothing is shown of it", f.name)
		}
	}
	if told := s.crowd.recorder.History().Count(); told[history.Unknown]+told[history.Nothing] == 0 {
		s.t.Error("nobody noticed a fault, so nothing is shown")
	}
}

// calm wants, within some seconds of the last fault, a while in which every change gets a definite answer and people
// register. It tells of each while that was not yet like that, and fails with what the last of them lacked.
func (s *storm) calm() {
	const recovered, quiet = 10 * time.Second, 3 * time.Second
	for started := time.Now(); ; {
		begun := len(s.crowd.recorder.History().Ops)
		time.Sleep(quiet)
		calm := history.History{Ops: s.crowd.recorder.History().Ops[begun:]}
		var lacks []string
		for _, op := range calm.Ops {
			if op.Outcome == history.Unknown || op.Outcome == history.Nothing {
				lacks = append(lacks, fmt.Sprintf("after %v: %v: %s", time.Duration(op.Return-op.Call).Round(time.Millisecond), op, op.Error))
			}
		}
		if n := calm.Count()[history.Made]; n < 20 {
			lacks = append(lacks, fmt.Sprintf("only %d registrations were made", n))
		}
		switch {
		case len(lacks) == 0:
			s.t.Logf("everybody had definite answers from %v after the last fault on", (time.Since(started) - quiet).Round(time.Second))
			return
		case time.Since(started) > recovered:
			s.t.Errorf("%v after the last fault it is not quiet:\n%s", time.Since(started).Round(time.Second), strings.Join(lacks, "\n"))
			return
		}
		s.t.Logf("%v after the last fault, %d without a definite answer:\n%s", time.Since(started).Round(time.Second), len(lacks), strings.Join(lacks, "\n"))
	}
}

// nothingStays compares the API process that lived through everything, and the worker that has lived longest, with ones that
// are new: the old ones have not much more memory, descriptors, and, as their own dumps say, goroutines.
func (s *storm) nothingStays() {
	young := s.start(s.t, "api")
	g := newAudience(s.t, young.addr)
	if _, err := g.gather(1, false, 1); err != nil {
		s.t.Errorf("a new API process: %v", err)
	}
	s.compare("API process", s.spared, young)
	s.compare("worker", s.workers[0], s.start(s.t, "worker"))
}

// compare ends both processes.
func (s *storm) compare(what string, old, young *process) {
	was, is := held(s.t, old), held(s.t, young)
	s.t.Logf("a %s that lived through it: %+v, a new one: %+v", what, was, is)
	const more = 64 // idle connections of the crowd
	if was.files > is.files+more || was.goroutines > is.goroutines+2*more || was.mib > 2*is.mib+64 {
		s.t.Errorf("it keeps too much")
	}
	if is.goroutines == 0 {
		s.t.Error("no dump was read, so nothing is shown")
	}
}

// holding is what a process holds. files and mib are 0 where there is no /proc.
type holding struct{ files, mib, goroutines int }

// held ends a process by having it dump its goroutines.
func held(t *testing.T, p *process) (h holding) {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(p.Pid))
	entries, _ := os.ReadDir(filepath.Join(proc, "fd"))
	h.files = len(entries)
	if status, err := os.ReadFile(filepath.Join(proc, "status")); err == nil {
		_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
		_, _ = fmt.Sscan(string(rest), &h.mib)
		h.mib /= 1 << 10 // from KiB
	}
	succeeds(t, p.Signal(syscall.SIGQUIT))
	<-p.Ended()
	h.goroutines = bytes.Count(p.Output(), []byte("\ngoroutine "))
	return h
}

// breaker makes the faults of one list, one at a time.
type breaker struct {
	*storm
	random *rand.Rand
	faults []fault
	deck   []fault // what comes next, the last one first
}

// run makes each fault once, or as many as there is time for: all have their turn before one comes again.
func (b *breaker) run() {
	for begun := time.Now(); !b.t.Failed(); {
		if len(b.deck) == 0 {
			b.deck = slices.Clone(b.faults)
			b.random.Shuffle(len(b.deck), func(i, j int) { b.deck[i], b.deck[j] = b.deck[j], b.deck[i] })
		}
		b.next()
		if b.length == 0 && len(b.deck) == 0 || b.length > 0 && time.Since(begun) > b.length {
			return
		}
	}
}

// next makes one fault, ends it, and leaves a moment of peace.
func (b *breaker) next() {
	f := b.deck[len(b.deck)-1]
	b.deck = b.deck[:len(b.deck)-1]
	started := time.Now()
	err := b.crowd.recorder.Broke(f.name, func() error { return f.make(b) })
	b.t.Logf("%v: %s", time.Since(started).Round(time.Millisecond), f.name)
	if err != nil {
		b.t.Errorf("%s: %v", f.name, err)
	}
	b.mu.Lock()
	b.count[f.name]++
	b.mu.Unlock()
	b.pause(100*time.Millisecond, time.Second)
}

// pause lets a time between two pass.
func (b *breaker) pause(least, most time.Duration) {
	time.Sleep(least + time.Duration(b.random.Int64N(int64(most-least))))
}

// freeze stops something for a time between two.
func (b *breaker) freeze(signal func(os.Signal) error, least, most time.Duration) error {
	if err := signal(syscall.SIGSTOP); err != nil {
		return err
	}
	b.pause(least, most)
	return signal(syscall.SIGCONT)
}

// again starts a program in place of one that has ended, and at its address if it has one. What it needs may be away
// at first, so it is started until it stays.
func (b *breaker) again(name, addr string) (*process, error) {
	c := b.cluster
	if addr != "" {
		c = c.with("EVENTIO_ADDR=" + addr)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var p *process
	err := testenv.Poll(ctx, limit, func() error {
		one, err := c.launch(b.t, name)
		if err == nil {
			p = one
		}
		return err
	})
	if p == nil {
		return nil, errors.Join(errors.New("it does not start again"), err)
	}
	return p, nil
}
