package messages

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/messages/internal/liveness"
)

// sequence makes n ids as one process makes them within a second: only the counter moves.
func sequence(n, first int) []ID {
	ids := make([]ID, n)
	for i := range ids {
		ids[i] = ID{0x6a, 0x1e, 0x52, 0xf0, 0x11, 0xc7, 0x35, 0x90, 0x4d}
		binary.BigEndian.PutUint32(ids[i][8:], 0x4d000000|uint32(i+first))
	}
	return ids
}

// secondly makes n ids as somebody makes them who creates an event a second.
func secondly(n, first int) []ID {
	ids := sequence(n, first)
	for i := range ids {
		binary.BigEndian.PutUint32(ids[i][:4], 0x6a1e52f0+uint32(i+first))
	}
	return ids
}

// scattered makes n ids that have nothing in common, the same for each first one.
func scattered(n, first int) []ID {
	random := rand.New(rand.NewPCG(18, uint64(first)))
	ids := make([]ID, n)
	for i := range ids {
		binary.BigEndian.PutUint64(ids[i][:], random.Uint64())
		binary.BigEndian.PutUint32(ids[i][8:], random.Uint32())
	}
	return ids
}

// chiSquaredBound returns what chi-squared exceeds once in 100 times by chance, by the approximation of
// Wilson and Hilferty.
func chiSquaredBound(freedom int) float64 {
	const z99 = 2.3263
	k := float64(freedom)
	return k * math.Pow(1-2/(9*k)+z99*math.Sqrt(2/(9*k)), 3)
}

// TestEveryWorkerGetsItsShare: the shares of workers are as even as chance makes them, in ten sets of ids
// for each form of the workers' ids. Sets and workers are the same in each run.
func TestEveryWorkerGetsItsShare(t *testing.T) {
	const perWorker, sets = 500, 10
	for _, workers := range []int{4, 16, 64} {
		for kind, ids := range map[string]func(n, first int) []ID{"sequential": sequence, "one a second": secondly, "random": scattered} {
			t.Run(fmt.Sprintf("%d workers/%s ids", workers, kind), func(t *testing.T) {
				t.Parallel()
				var chi2 float64
				freedom := 0
				for _, name := range []func(i int) string{
					func(i int) string { return fmt.Sprintf("Zk3qW8sT%013d", 7919*(i+1)) }, // as NATS makes them
					func(i int) string { return hex.EncodeToString([]byte{0xa1, byte(i), 0x7c}) },
					func(i int) string { return fmt.Sprintf("worker-%d", i) },
				} {
					var known []string
					for i := range workers {
						known = append(known, name(i))
					}
					r := routerWith(known...)
					for set := range sets {
						share := make(map[string]int)
						for _, event := range ids(workers*perWorker, set*workers*perWorker) {
							share[r.route(event)]++
						}
						for _, worker := range known {
							off := float64(share[r.namespace.Worker(worker)] - perWorker)
							chi2 += off * off / perWorker
						}
						freedom += workers - 1
					}
				}
				if limit := chiSquaredBound(freedom); chi2 > limit {
					t.Errorf("chi-squared is %.1f with %d degrees of freedom, want at most %.1f", chi2, freedom, limit)
				}
			})
		}
	}
}

// TestARouteTakesNoLock: requests are routed while somebody else holds the lock.
func TestARouteTakesNoLock(t *testing.T) {
	r := routerWith("w1", "w2", "w3")
	event := sequence(1, 1)[0]
	want := r.route(event)
	r.mu.Lock()
	routed := make(chan string, 1)
	go func() { routed <- r.route(event) }()
	select {
	case got := <-routed:
		if got != want {
			t.Errorf("the event goes to %s, want %s", got, want)
		}
	case <-time.After(liveness.PingInterval / 2): // no ping is due before
		t.Error("a request waits for the lock")
	}
	r.mu.Unlock()
	if allocs := testing.AllocsPerRun(100, func() { r.route(event) }); allocs > 0 {
		t.Errorf("a route allocates %v times", allocs)
	}
}

// TestChoicesFollowTheWorkers: whatever changes the workers changes the next choice.
func TestChoicesFollowTheWorkers(t *testing.T) {
	pong := func(r *router, id string) {
		r.receivePong(&nats.Msg{Data: []byte(`{"id":"` + id + `","version":"2.1.0","metadata":{"database":"here","prefix":"eventio"}}`)})
	}
	subjects := func(r *router) map[string]bool {
		all := make(map[string]bool)
		for _, event := range sequence(200, 1) {
			all[r.route(event)] = true
		}
		return all
	}
	r := routerWith()
	if got := subjects(r); len(got) != 1 || !got[r.shared] {
		t.Fatalf("without workers requests go to %v", got)
	}
	pong(r, "w1")
	pong(r, "w2")
	if got := subjects(r); len(got) != 2 || got[r.shared] {
		t.Fatalf("with two workers requests go to %v", got)
	}
	r.forget(r.namespace.Worker("w1"))
	if got := subjects(r); len(got) != 1 || !got[r.namespace.Worker("w2")] {
		t.Fatalf("with w2 alone requests go to %v", got)
	}
	pong(r, "w1")
	r.mu.Lock()
	for range liveness.SuspectAfter {
		r.workers.Pinged(time.Now())
		r.current.Store(nil) // as a ping does
		r.workers.Answered("w2")
	}
	r.mu.Unlock()
	if got := subjects(r); len(got) != 1 || !got[r.namespace.Worker("w2")] {
		t.Fatalf("while w1 is silent requests go to %v", got)
	}
	pong(r, "w1")
	if got := subjects(r); len(got) != 2 {
		t.Fatalf("when w1 is back requests go to %v", got)
	}
}

// fnvChoice is how versions up to issue 17 chose a worker: the baseline of BenchmarkRoute.
func fnvChoice(known map[string]int, event ID) (best string) {
	var top uint64
	for worker, n := range known {
		if n >= liveness.SuspectAfter {
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

// BenchmarkRoute measures what choosing a worker takes for requests that come on all cores: as it is,
// and in the way of before, under a lock.
func BenchmarkRoute(b *testing.B) {
	for _, workers := range []int{4, 16, 64, 1024} {
		var known []string
		for i := range workers {
			known = append(known, fmt.Sprintf("Zk3qW8sT%013d", 7919*(i+1)))
		}
		r := routerWith(known...)
		r.workers.PingedAt = time.Now().Add(time.Hour) // no ping is due
		event := sequence(1, 1)[0]
		b.Run(fmt.Sprintf("before/%d", workers), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.mu.Lock()
					_ = r.shared + "." + fnvChoice(r.workers.Missed, event)
					r.mu.Unlock()
				}
			})
		})
		b.Run(fmt.Sprintf("now/%d", workers), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.route(event)
				}
			})
		})
	}
}
