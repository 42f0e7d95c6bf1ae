package serve

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

func TestStreamsPause(t *testing.T) {
	for _, c := range []struct {
		name    string
		asking  int64
		streams int
		worked  time.Duration
		want    time.Duration // until all streams may go on
	}{
		{"no seat requests", 0, 4, 10 * time.Millisecond, 0},
		{"few seat requests", busySeatRequests - 1, 4, 10 * time.Millisecond, 0},
		{"one stream pauses for three times its work", busySeatRequests, 1, 10 * time.Millisecond, 30 * time.Millisecond},
		{"streams pause one after the other", busySeatRequests, 4, 10 * time.Millisecond, 120 * time.Millisecond},
		{"a long piece of work does not make a long pause", busySeatRequests, 1, time.Minute, maxPause},
		{"more than four streams do not keep each other waiting", busySeatRequests, 1000, time.Second, maxPausing * maxPause},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newStreamThrottle()
				g.seatRequests.Add(c.asking)
				started := time.Now()
				var streams sync.WaitGroup
				for range c.streams {
					streams.Go(func() { g.pause(t.Context(), c.worked) })
				}
				streams.Wait()
				if got := time.Since(started); got != c.want {
					t.Errorf("all went on after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestAReaderThatIsGoneDoesNotPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newStreamThrottle()
		g.seatRequests.Add(busySeatRequests)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		started := time.Now()
		g.pause(ctx, time.Second)
		if got := time.Since(started); got != 0 {
			t.Errorf("it rested for %v", got)
		}
	})
}

// TestALongListIsWholeBesideSeatRequests: a long list is whole whether or not many seat requests are
// under way, and pauses when they are.
func TestALongListIsWholeBesideSeatRequests(t *testing.T) {
	const items = 50_000
	for _, asking := range []int64{0, busySeatRequests} {
		t.Run(strconv.FormatInt(asking, 10)+" seat requests", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &Core{throttle: newStreamThrottle(), Config: Config{RequestTimeout: time.Second}, Gate: gate.New(gate.Config{}, zerolog.Nop())}
				a.throttle.seatRequests.Add(asking)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				w := httptest.NewRecorder()
				started := time.Now()
				req := &Request{Request: r}
				req.Start(false, a.Config.RequestTimeout)
				err := a.StreamJSON(w, req, func(context.Context) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						for i := range items {
							if i%1000 == 0 {
								time.Sleep(time.Millisecond) // the store's work
							}
							if !yield(i, nil) {
								return
							}
						}
					}
				})
				if err != nil || ctx.Err() != nil {
					t.Fatal(err, ctx.Err())
				}
				if n := strings.Count(w.Body.String(), ",") + 1; n != items {
					t.Errorf("%d items, want %d", n, items)
				}
				const work = items / 1000 * time.Millisecond
				// All but the last piece, which is small, are followed by a pause.
				took := time.Since(started)
				if took < work || (took > 3*work) != (asking > 0) || took > (1+pauseFactor)*work {
					t.Errorf("it took %v, of which %v are work", took, work)
				}
			})
		})
	}
}

func TestStreamsAreBoundedForEachAddressNetworkAndInTotal(t *testing.T) {
	for name, address := range map[string]func(network, n int) string{
		"IPv4": func(network, n int) string { return fmt.Sprintf("203.0.%d.%d", network, n) },
		"IPv6": func(network, n int) string { return fmt.Sprintf("2001:db8:%x:%x::", network, n) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStreamThrottle()
			var leave []func()
			enter := func(network, n int) problem.Code {
				l, err := s.enter(netip.MustParseAddr(address(network, n)))
				if err != nil {
					return ProblemOf(err).Code
				}
				leave = append(leave, l)
				return ""
			}
			for network := range maxStreams / maxStreamsOfNetwork {
				for n := range maxStreamsOfNetwork {
					if code := enter(network, n/maxStreamsOfAddress); code != "" {
						t.Fatalf("stream %d of network %d: %s", n+1, network, code)
					}
					if n == maxStreamsOfAddress-1 {
						if code := enter(network, 0); code != problem.RateLimited {
							t.Errorf("one more of an address is %q", code)
						}
					}
				}
				if code := enter(network, 99); code != problem.RateLimited {
					t.Errorf("one more of a network is %q", code)
				}
			}
			if code := enter(99, 0); code != problem.Overloaded {
				t.Errorf("one more is %q", code)
			}
			for _, l := range leave {
				l()
			}
			if s.running != 0 || len(s.ofAddress) != 0 || len(s.ofNetwork) != 0 {
				t.Errorf("%d run, %d addresses and %d networks have some after the last has left", s.running, len(s.ofAddress), len(s.ofNetwork))
			}
		})
	}
}

// TestAStreamEnds: however slowly or long a list comes, and however long its reader takes.
func TestAStreamEnds(t *testing.T) {
	for name, c := range map[string]struct{ item, write time.Duration }{
		"an endless list":    {10 * time.Millisecond, 0},
		"a slow reader":      {0, 10 * time.Second},
		"both":               {10 * time.Millisecond, time.Second},
		"a list that hardly": {900 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &Core{throttle: newStreamThrottle(), Config: Config{RequestTimeout: time.Second}, Gate: gate.New(gate.Config{}, zerolog.Nop())}
				req := &Request{Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)}
				req.Start(false, a.Config.RequestTimeout)
				began := time.Now()
				err := a.StreamJSON(slowWriter{httptest.NewRecorder(), c.write}, req, func(ctx context.Context) iter.Seq2[any, error] {
					return func(yield func(any, error) bool) {
						item := strings.Repeat("x", 1000)
						if c.item > 100*time.Millisecond {
							item = strings.Repeat("x", flushEvery)
						}
						for {
							select {
							case <-time.After(c.item):
							case <-ctx.Done():
								yield(nil, ctx.Err())
								return
							}
							if !yield(item, nil) {
								return
							}
						}
					}
				})
				if took := time.Since(began); err == nil || took < longestStream || took > longestStream+SendTimeout {
					t.Errorf("it ends after %v with %v", took, err)
				}
				if a.throttle.running != 0 {
					t.Error("it counts after its end")
				}
			})
		})
	}
}

type slowWriter struct {
	*httptest.ResponseRecorder
	takes time.Duration
}

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(w.takes)
	w.Body.Reset()
	return w.ResponseRecorder.Write(p)
}

// TestStreamsReadAFewAtATime: so that they never take all connections to the store.
func TestStreamsReadAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &Core{throttle: newStreamThrottle(), Config: Config{RequestTimeout: 10 * time.Second}}
		var now, most atomic.Int64
		var streams sync.WaitGroup
		began := time.Now()
		for range 3 * maxReading {
			streams.Go(func() {
				err := a.Chunk(t.Context(), func(context.Context) error {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Second)
					now.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		streams.Wait()
		if took := time.Since(began); most.Load() != maxReading || took != 3*time.Second {
			t.Errorf("%d read at a time, and all have after %v", most.Load(), took)
		}
		long := &Core{throttle: a.throttle, Config: Config{RequestTimeout: time.Minute}}
		for range maxReading {
			streams.Go(func() {
				_ = long.Chunk(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			})
		}
		synctest.Wait()
		err := a.Chunk(t.Context(), func(context.Context) error { t.Error("it reads"); return nil })
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("who has no turn in time gets %v", err)
		}
		streams.Wait()
	})
}
