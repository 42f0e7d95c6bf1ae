package fresh

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/eventio/eventio/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = time.Second

var errMissing = errors.New("missing")

// database is a source in which each read takes a while and sees the state at its beginning, as one of
// a snapshot does: the worst case for who joins it.
type database struct {
	fails func(keys []int) error

	mu       sync.Mutex // guards all below
	takes    time.Duration
	rows     map[int]int
	reads    [][]int
	inFlight int
	most     int
}

func (d *database) write(key, value int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows[key] = value
}

func (d *database) many(ctx context.Context, keys []int) (map[int]int, error) {
	d.mu.Lock()
	d.reads = append(d.reads, slices.Clone(keys))
	d.inFlight++
	d.most = max(d.most, d.inFlight)
	takes := d.takes
	found := make(map[int]int)
	for _, key := range keys {
		if value, there := d.rows[key]; there {
			found[key] = value
		}
	}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.inFlight--
		d.mu.Unlock()
	}()
	if d.fails != nil {
		if err := d.fails(keys); err != nil {
			return nil, err
		}
	}
	select {
	case <-time.After(takes):
		return found, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *database) source() Source[int, int] {
	return Source[int, int]{
		One: func(ctx context.Context, key int) (int, error) {
			found, err := d.many(ctx, []int{key})
			if err != nil {
				return 0, err
			}
			value, there := found[key]
			if !there {
				return 0, errMissing
			}
			return value, nil
		},
		Many: d.many, Missing: func(int) error { return errMissing }, Timeout: limit,
	}
}

func newDatabase() *database { return &database{takes: 10 * time.Millisecond, rows: map[int]int{1: 1}} }

// oneLane finds n keys of one lane, which the seed decides.
func oneLane(r *Reads[int, int], n int) (keys []int) {
	same := func(key int) uint64 { return laneOf(r, key) }
	for key := 1; len(keys) < n; key++ {
		if same(key) == same(1) {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestWhoAsksDuringAReadHasTheNext: one who asks while a read is under way sees what was written before
// they asked, which that read does not; all who ask meanwhile share one more.
func TestWhoAsksDuringAReadHasTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		r := New(d.source())
		var all sync.WaitGroup
		all.Go(func() {
			if got, err := r.Read(t.Context(), 1); got != 1 || err != nil {
				t.Errorf("the first reader got %d, %v", got, err)
			}
		})
		time.Sleep(d.takes / 2) // the clock of the test: the first read is under way
		d.write(1, 2)
		for range 1000 {
			all.Go(func() {
				if got, err := r.Read(t.Context(), 1); got != 2 || err != nil {
					t.Errorf("who asked after a write got %d, %v", got, err)
				}
			})
		}
		all.Wait()
		if len(d.reads) != 2 || d.most != 1 {
			t.Errorf("%d reads, %d at once; want 2, one after the other", len(d.reads), d.most)
		}
	})
}

// TestAnIdleReadBeginsAtOnce: alone, a caller waits for its own read and nothing else.
func TestAnIdleReadBeginsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		r := New(d.source())
		for range 3 {
			started := time.Now()
			if _, err := r.Read(t.Context(), 1); err != nil || time.Since(started) != d.takes {
				t.Errorf("the read took %v, %v; want %v", time.Since(started), err, d.takes)
			}
		}
	})
}

// TestKeysShareARead: keys that are asked for during a read are one read, up to maxKeys.
func TestKeysShareARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		r := New(d.source())
		keys := oneLane(r, maxKeys+11)
		for _, key := range keys {
			d.write(key, -key)
		}
		const missing = 5 // of the keys
		d.mu.Lock()
		delete(d.rows, keys[missing])
		d.mu.Unlock()
		var all sync.WaitGroup
		all.Go(func() { _, _ = r.Read(t.Context(), keys[0]) })
		synctest.Wait()
		for i, key := range keys[1:] {
			for range 2 {
				all.Go(func() {
					got, err := r.Read(t.Context(), key)
					if i+1 == missing && !errors.Is(err, errMissing) {
						t.Errorf("key %d that is not there: %d, %v", key, got, err)
					}
					if i+1 != missing && (got != -key || err != nil) {
						t.Errorf("key %d: %d, %v", key, got, err)
					}
				})
			}
		}
		all.Wait()
		var sizes []int
		for _, read := range d.reads {
			sizes = append(sizes, len(read))
		}
		if want := []int{1, maxKeys, 10}; !slices.Equal(sizes, want) {
			t.Errorf("the reads had %v keys, want %v", sizes, want)
		}
	})
}

// TestAKeyHasALaneToItself: where nothing reads several keys at once, a key waits for no other one; those who ask for the same
// one share a read that begins after they asked, and nothing is kept of a key for which nobody asks any more.
func TestAKeyHasALaneToItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		source := d.source()
		source.Many, source.Missing = nil, nil
		r := New(source)
		const keys, crowd = 20, 50
		for key := range keys {
			d.write(key, -key)
		}
		started := time.Now()
		var all sync.WaitGroup
		for key := range keys {
			all.Go(func() { // before the crowd, which finds this read under way
				if got, err := r.Read(t.Context(), key); got != -key || err != nil || time.Since(started) != d.takes {
					t.Errorf("key %d: %d, %v after %v, want %v", key, got, err, time.Since(started), d.takes)
				}
			})
		}
		synctest.Wait()
		d.write(1, 7)
		for range crowd {
			all.Go(func() {
				if got, err := r.Read(t.Context(), 1); got != 7 || err != nil {
					t.Errorf("who asked after a write got %d, %v", got, err)
				}
			})
		}
		all.Wait()
		if len(d.reads) != keys+1 || d.most != keys || time.Since(started) != 2*d.takes {
			t.Errorf("%d reads, %d at once, in %v; want %d, %d, in %v", len(d.reads), d.most, time.Since(started), keys+1, keys, 2*d.takes)
		}
		if _, err := r.Read(t.Context(), keys); !errors.Is(err, errMissing) {
			t.Errorf("a key that is not there: %v", err)
		}
		synctest.Wait()
		if len(r.own) != 0 {
			t.Errorf("%d keys are kept", len(r.own))
		}
	})
}

// TestOneCallerLeaves: the read goes on for the others, also when the one who began it leaves; it ends
// with the last of them.
func TestOneCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		d.takes = limit / 2
		r := New(d.source())
		first, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		read := func(ctx context.Context, want error) {
			all.Go(func() {
				if got, err := r.Read(ctx, 1); !errors.Is(err, want) || err == nil && got != 1 {
					t.Errorf("got %d, %v; want %v", got, err, want)
				}
			})
		}
		// A round that waits, whose first caller leaves before it begins, and one that is shared.
		read(t.Context(), nil)
		synctest.Wait()
		read(first, context.Canceled)
		synctest.Wait()
		read(t.Context(), nil)
		synctest.Wait()
		leave()
		all.Wait()
		if len(d.reads) != 2 {
			t.Errorf("%d reads, want 2", len(d.reads))
		}

		// The only caller leaves, and the lane is free at once.
		alone, leaveAlone := context.WithCancel(t.Context())
		read(alone, context.Canceled)
		synctest.Wait()
		leaveAlone()
		all.Wait()
		synctest.Wait()
		if d.inFlight != 0 {
			t.Error("a read for which nobody waits goes on")
		}

		// Who has left before the round begins costs no read.
		read(t.Context(), nil)
		synctest.Wait()
		gone, leaveGone := context.WithCancel(t.Context())
		read(gone, context.Canceled)
		synctest.Wait()
		leaveGone()
		all.Wait()
		synctest.Wait()
		if len(d.reads) != 4 {
			t.Errorf("%d reads, want 4: one is for nobody", len(d.reads))
		}
		ended, end := context.WithCancel(t.Context())
		end()
		read(ended, context.Canceled)
		all.Wait()
		if len(d.reads) != 4 {
			t.Error("who has no time left is read for")
		}
	})
}

// TestWhoLeavesTakesNobodyAlong checks that a read under way goes on for those who still wait for it.
func TestWhoLeavesTakesNobodyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(newDatabase().source())
		ctx, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		read := func(ctx context.Context, want error) {
			all.Go(func() {
				if _, err := r.Read(ctx, 1); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			})
		}
		read(t.Context(), nil)
		synctest.Wait()
		read(ctx, context.Canceled)
		read(t.Context(), nil)
		time.Sleep(15 * time.Millisecond) // the clock of the test: the second read is under way
		leave()
		all.Wait()
	})
}

// TestWhoRunsARead checks that a source's own Go runs it, under a context that ends with it, that a key alone is not read as one of many,
// and that nothing runs for who has no time left.
func TestWhoRunsARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, ran := newDatabase().source(), 0
		one, under := source.One, context.Context(nil)
		source.One = func(ctx context.Context, key int) (int, error) { under = ctx; return one(ctx, key) }
		source.Go = func(work func()) { ran++; go work() }
		source.Many = func(_ context.Context, keys []int) (map[int]int, error) {
			t.Errorf("%v are read as many", keys)
			return nil, errMissing
		}
		r := New(source)
		if got, err := r.Read(t.Context(), 1); got != 1 || err != nil || ran != 1 {
			t.Errorf("%d, %v, run %d times", got, err, ran)
		}
		if under.Err() == nil {
			t.Error("the context of a read outlives it")
		}
		synctest.Wait()
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := r.Read(ended, 1); !errors.Is(err, context.Canceled) || ran != 1 {
			t.Errorf("%v, run %d times", err, ran)
		}
	})
}

// TestAReadThatHangsEnds: those behind it have their read after the timeout.
func TestAReadThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		d.takes = time.Hour
		r := New(d.source())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.Read(t.Context(), 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the read that hangs ends with %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if got, err := r.Read(t.Context(), 1); got != 1 || err != nil {
				t.Errorf("the next one got %d, %v", got, err)
			}
		})
		synctest.Wait()
		d.mu.Lock()
		d.takes = time.Millisecond
		d.mu.Unlock()
		all.Wait()
	})
}

// TestAReadOfManyThatHangsIsNotRepeated checks that keys whose time is over are not read one by one, which would have no time either.
func TestAReadOfManyThatHangsIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDatabase()
		d.takes = time.Hour
		r := New(d.source())
		var all sync.WaitGroup
		keys := oneLane(r, 3)
		for i := range keys {
			all.Go(func() {
				if _, err := r.Read(t.Context(), keys[i]); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("key %d: %v", keys[i], err)
				}
			})
			if i == 0 {
				synctest.Wait() // the others are read together
			}
		}
		all.Wait()
		if len(d.reads) != 2 {
			t.Errorf("read are %v", d.reads)
		}
	})
}

// TestAnErrorReachesWhoItConcerns: an outage all, a broken row only those who asked for it, and a panic
// likewise. The next read is another one.
func TestAnErrorReachesWhoItConcerns(t *testing.T) {
	outage, broken := errors.New("outage"), errors.New("broken row")
	for name, c := range map[string]struct {
		fails     func(keys []int, bad int) error
		bad, good error
		reads     int  // after the first
		own       bool // no error concerns all
	}{
		"an outage":                          {func([]int, int) error { return outage }, outage, outage, 1, false},
		"a broken row":                       {failOn(broken, false), broken, nil, 1 + 3, false},
		"a panic":                            {failOn(broken, true), errPanic, nil, 1 + 3, false},
		"an outage where no error is common": {func([]int, int) error { return outage }, outage, outage, 1 + 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDatabase()
				source := d.source()
				if !c.own {
					source.Common = func(err error) bool { return errors.Is(err, outage) }
				}
				r := New(source)
				keys := oneLane(r, 3)
				for _, key := range keys {
					d.write(key, -key)
				}
				var all sync.WaitGroup
				all.Go(func() { _, _ = r.Read(t.Context(), keys[0]) })
				synctest.Wait()
				d.fails = func(read []int) error { return c.fails(read, keys[1]) }
				for _, key := range keys {
					all.Go(func() {
						want := c.good
						if key == keys[1] {
							want = c.bad
						}
						if got, err := r.Read(t.Context(), key); !errors.Is(err, want) || err == nil && got != -key {
							t.Errorf("key %d: %d, %v; want %v", key, got, err, want)
						}
					})
				}
				all.Wait()
				if got := len(d.reads) - 1; got != c.reads {
					t.Errorf("%d reads, want %d", got, c.reads)
				}
				d.fails = nil
				if got, err := r.Read(t.Context(), keys[1]); got != -keys[1] || err != nil {
					t.Errorf("when it is over: %d, %v", got, err)
				}
			})
		})
	}
}

func failOn(err error, panics bool) func([]int, int) error {
	return func(keys []int, bad int) error {
		switch {
		case !slices.Contains(keys, bad):
			return nil
		case panics:
			panic(err)
		}
		return err
	}
}

// TestNobodySeesAPast: whoever writes and then reads finds the write, however many others read.
func TestNobodySeesAPast(t *testing.T) {
	var rows [8]atomic.Int64
	one := func(_ context.Context, key int) (int64, error) { return rows[key].Load(), nil }
	r := New(Source[int, int64]{
		One: one, Timeout: limit, Missing: func(int) error { return errMissing },
		Many: func(ctx context.Context, keys []int) (map[int]int64, error) {
			found := make(map[int]int64)
			for _, key := range keys {
				found[key], _ = one(ctx, key)
			}
			return found, nil
		},
	})
	var crowd sync.WaitGroup
	for range 32 {
		crowd.Go(func() {
			for range 2000 {
				key := rand.N(len(rows))
				wrote := rows[key].Add(1)
				if got, err := r.Read(t.Context(), key); err != nil || got < wrote {
					t.Errorf("after write %d of key %d a read shows %d, %v", wrote, key, got, err)
					return
				}
			}
		})
	}
	crowd.Wait()
	testenv.Eventually(t, 10*time.Second, "keep nothing", func() error {
		for i := range r.lanes {
			l := &r.lanes[i]
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.reading || len(l.waiting) > 0 || len(l.joined) > 0 {
				return fmt.Errorf("lane %d has %d rounds, %d keys", i, len(l.waiting), len(l.joined))
			}
		}
		return nil
	})
}

// BenchmarkRead measures what sharing costs beside a read that takes no time.
func BenchmarkRead(b *testing.B) {
	for _, keys := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d keys", keys), func(b *testing.B) {
			r := New(Source[int, int]{
				One: func(context.Context, int) (int, error) { return 0, nil }, Missing: func(int) error { return errMissing }, Timeout: limit,
				Many: func(_ context.Context, keys []int) (map[int]int, error) {
					found := make(map[int]int, len(keys))
					for _, key := range keys {
						found[key] = 0
					}
					return found, nil
				},
			})
			b.SetParallelism(64)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := r.Read(context.Background(), rand.N(keys)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
