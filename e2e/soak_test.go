package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestSoak: people come and go at half of the pace that the system can keep. In the end everybody waits as long as in
// the beginning, no process holds more memory, goroutines or files, and a change takes as much of the disk.
//
// EVENTIO_SOAK is for how long, 12s by default; a quarter of it finds out what the pace is.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("EVENTIO_SOAK"))
	if err != nil {
		length = 12 * time.Second
	}
	dir := t.TempDir()
	mongo, err := testenv.NewMongo(dir)
	succeeds(t, err)
	t.Cleanup(func() { succeeds(t, mongo.Kill()) })
	c := newCluster(t).with("MONGODB_URI=" + mongo.URI())
	s := &soak{t: t, data: filepath.Join(dir, "data"), parts: []operated{c.operate(t, "worker"), c.operate(t, "worker"), c.operate(t, "api")}}
	s.api = newClient(t, s.parts[2].addr)
	for range 40 {
		e := createEvent(t, s.api, 25)
		for range 50 {
			s.people = append(s.people, &soaker{event: e, id: store.NewID()})
		}
	}
	knee := s.flatOut(min(length/4, time.Minute))
	t.Logf("the system makes %.0f changes a second", knee)
	const rounds = 12
	var all []sample
	for range rounds {
		all = append(all, s.round(knee/2, length*3/4/rounds))
		last := all[len(all)-1]
		t.Logf("%6d changes, %6d refused, 99 of 100 within %v, %.0f bytes of disk a change; %v", last.changes, last.refused, last.latency.Round(time.Millisecond), last.disk, last.held)
	}
	s.judge(all, length >= time.Minute)
	c.verify(t)
}

// soak is a system under a steady load.
type soak struct {
	t      *testing.T
	data   string // the database's folder
	api    *client.Client
	parts  []operated
	people []*soaker
	next   atomic.Int64 // of people
}

// soaker is one person, who comes and goes in turn.
type soaker struct {
	mu    sync.Mutex // held while they act
	event client.Event
	id    store.ID
	holds bool
}

// sample is what a round has shown.
type sample struct {
	changes, refused, failed int64
	latency                  time.Duration // of 99 of 100
	disk                     float64       // bytes a change
	held                     map[string]float64
}

// act makes the next person come or go, and reports whether that changed anything.
func (s *soak) act() (bool, error) {
	p := s.people[int(s.next.Add(1))%len(s.people)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.holds {
		err := s.api.CancelRegistration(s.t.Context(), p.event.ID, p.id)
		p.holds = err != nil
		return err == nil, err
	}
	_, _, err := s.api.PutRegistration(s.t.Context(), p.event.ID, p.id)
	if p.holds = err == nil; errors.Is(err, client.CodeSoldOut) {
		return false, nil
	}
	return p.holds, err
}

// flatOut finds out how much the system can do: 64 people at a time who wait for nothing but their answers.
func (s *soak) flatOut(length time.Duration) float64 {
	var done atomic.Int64
	var crowd sync.WaitGroup
	begun := time.Now()
	for range 64 {
		crowd.Go(func() {
			for time.Since(begun) < length {
				if _, err := s.act(); err == nil {
					done.Add(1)
				}
			}
		})
	}
	crowd.Wait()
	return float64(done.Load()) / time.Since(begun).Seconds()
}

// round lets people come and go at a pace, whether earlier ones have their answers or not.
func (s *soak) round(pace float64, length time.Duration) sample {
	before := s.bytes()
	var r sample
	var mu sync.Mutex // guards r, took and last
	var last error
	var took []time.Duration
	var crowd sync.WaitGroup
	tick := time.NewTicker(time.Duration(float64(time.Second) / pace))
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < length; {
		due := <-tick.C
		crowd.Go(func() {
			changed, err := s.act()
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			switch {
			case err != nil:
				r.failed++
				last = err
			case changed:
				r.changes++
			default:
				r.refused++
			}
		})
	}
	crowd.Wait()
	if r.failed*100 > int64(len(took)) { // a busy machine may stop for a moment
		s.t.Errorf("at half of its pace the system answers %d of %d with errors like %v", r.failed, len(took), last)
	}
	slices.Sort(took)
	r.latency = took[len(took)*99/100]
	r.disk = float64(s.bytes()-before) / float64(max(1, r.changes))
	r.held = make(map[string]float64)
	for i, p := range s.parts {
		families := metrics(s.t, p.admin)
		for short, name := range map[string]string{"MiB": "process_resident_memory_bytes", "goroutines": "go_goroutines", "files": "process_open_fds"} {
			v := value(families, name)
			if short == "MiB" {
				v /= 1 << 20
			}
			r.held[[]string{"worker 1 ", "worker 2 ", "api "}[i]+short] = float64(int(v))
		}
	}
	return r
}

// bytes is how much the database's files take. MongoDB's own journal is left out: it is made and removed in pieces of
// 100 MB.
func (s *soak) bytes() (sum int64) {
	err := filepath.WalkDir(s.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if entry != nil && (entry.Name() == "journal" || entry.Name() == "diagnostic.data") {
				return fs.SkipDir
			}
			return nil // a file may be removed meanwhile
		}
		if info, err := entry.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	succeeds(s.t, err)
	return sum
}

// judge compares the last third of the rounds with the second one; in the first one caches fill. Rounds that are not
// long say nothing of latency: a neighbour on the machine is enough to change it.
func (s *soak) judge(all []sample, long bool) {
	third := len(all) / 3
	before, after := all[third:2*third], all[2*third:]
	median := func(of []sample, get func(sample) float64) float64 {
		var values []float64
		for _, r := range of {
			values = append(values, get(r))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	flat := func(what string, get func(sample) float64, factor, more float64) {
		if was, is := median(before, get), median(after, get); is > was*factor+more {
			s.t.Errorf("%s: %.0f in the second third, %.0f in the last", what, was, is)
		}
	}
	if long {
		slow := slowness(s.t)
		flat("milliseconds that 99 of 100 wait", func(r sample) float64 { return float64(r.latency.Milliseconds()) }, 2, 50*slow)
	}
	flat("bytes of disk a change", func(r sample) float64 { return r.disk }, 1.5, 4096)
	for name := range all[0].held {
		flat(name, func(r sample) float64 { return r.held[name] }, 1.2, 32)
	}
	for _, r := range all {
		if r.changes == 0 {
			s.t.Error("a round without a change shows nothing")
		}
	}
}
