package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// stalled is a client that takes nothing until it is released.
type stalled struct {
	*httptest.ResponseRecorder
	writes  *atomic.Int64 // that wait
	release chan struct{}
}

func (s stalled) Write(p []byte) (int, error) {
	if s.Code == http.StatusOK && len(p) >= flushEvery/2 {
		s.writes.Add(1)
		<-s.release
	}
	return s.ResponseRecorder.Write(p)
}

// whole reports whether the list of an answer has its end.
func (r reply) whole() bool { return strings.HasSuffix(strings.TrimSpace(r.body), "]") }

// TestReadersThatStallKeepNobodyOut: 80 clients of one address open a long list and read nothing.
// A few of them are served, the others are told so at once, and everybody's reads go on.
func TestReadersThatStallKeepNobodyOut(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		i.core.config.RequestTimeout = 2 * patience // 80 pieces take the race detector longer than the default
		organizer := i.newMember(t)
		var event string
		for range 2 * eventsPiece / 5 {
			event = i.ask(t, "POST", "/api/events", eventWith(`"description":`+jsonText(strings.Repeat("long ", 400))+`,`), bearer(organizer.token)).want(t, 201, "").field(t, "id")
		}
		id, err := store.ParseID(event)
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]store.SeatRequest, 1500)
		for n := range batch {
			batch[n] = store.SeatRequest{Kind: store.Register, EventID: id, UserID: store.NewID(), RequestID: fmt.Sprint(n), At: time.Now()}
		}
		capacity := int64(len(batch))
		edit := store.SeatRequest{Kind: store.EditEvent, EventID: id, RequestID: "more", At: time.Now(), Edit: &store.Edit{Version: store.AnyVersion, Capacity: &capacity}}
		if _, err := s.st.Apply(t.Context(), append([]store.SeatRequest{edit}, batch...)); err != nil {
			t.Fatal(err)
		}
		for path, token := range map[string]string{"/api/events": "", "/api/events/" + event + "/registrations": organizer.token} {
			t.Run(path, func(t *testing.T) {
				var writes atomic.Int64
				var told sync.Map
				release := make(chan struct{})
				var clients sync.WaitGroup
				const crowd = 80
				for n := range crowd {
					clients.Go(func() {
						r := httptest.NewRequest(http.MethodGet, path, nil)
						r.RemoteAddr = fmt.Sprintf("203.0.113.9:%d", n+1)
						if token != "" {
							r.Header.Set("Authorization", "Bearer "+token)
						}
						w := stalled{httptest.NewRecorder(), &writes, release}
						i.ServeHTTP(w, r)
						told.Store(n, reply{w.Code, w.Result().Header, w.Body.String()})
					})
				}
				testenv.Eventually(t, 2*patience, "tell those that are too many", func() error {
					done := 0
					told.Range(func(any, any) bool { done++; return true })
					if n := writes.Load(); done != crowd-maxStreamsOfAddress || n != maxStreamsOfAddress {
						return fmt.Errorf("%d are told and %d are being sent to", done, n)
					}
					return nil
				})
				told.Range(func(_, r any) bool {
					r.(reply).want(t, 429, problem.RateLimited)
					if r.(reply).header.Get("Retry-After") == "" {
						t.Error("no time to come again")
					}
					return true
				})
				for range 50 {
					i.ask(t, "GET", "/api/events?limit=5", "", from("203.0.113.9:1")).want(t, 200, "")
					i.ask(t, "GET", "/api/events/"+event, "", from("203.0.113.9:1")).want(t, 200, "")
				}
				if r := i.ask(t, "GET", path, "", from("198.51.100.1:1"), bearer(organizer.token)).want(t, 200, ""); !r.whole() {
					t.Error("the list of another client is not whole")
				}
				close(release)
				clients.Wait()
				whole := 0
				told.Range(func(_, r any) bool {
					if r.(reply).status == 200 && r.(reply).whole() {
						whole++
					}
					return true
				})
				if whole != maxStreamsOfAddress {
					t.Errorf("%d lists are whole in the end, want %d", whole, maxStreamsOfAddress)
				}
				i.ask(t, "GET", path, "", from("203.0.113.9:1"), bearer(organizer.token)).want(t, 200, "")
			})
		}
	})
}

func TestStreamsAreBoundedForEachAddressAndInTotal(t *testing.T) {
	s := newStreamThrottle()
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}) }
	var leave []func()
	for n := range maxStreams {
		l, err := s.enter(address(n / maxStreamsOfAddress))
		if err != nil {
			t.Fatalf("stream %d: %v", n+1, err)
		}
		leave = append(leave, l)
	}
	for want, from := range map[problem.Code]int{problem.RateLimited: 0, problem.Overloaded: 99} {
		if _, err := s.enter(address(from)); problemOf(err).Code != want {
			t.Errorf("one more is %v, want %s", err, want)
		}
	}
	for _, l := range leave {
		l()
	}
	if s.running != 0 || len(s.ofAddress) != 0 {
		t.Errorf("%d run and %d addresses have some after the last has left", s.running, len(s.ofAddress))
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
				a := &Core{throttle: newStreamThrottle(), config: Config{RequestTimeout: time.Second}, gate: gate.New(gate.Config{}, zerolog.Nop())}
				req := &request{Request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)}
				req.start(false, a.config.RequestTimeout)
				began := time.Now()
				err := a.streamJSON(slowWriter{httptest.NewRecorder(), c.write}, req, func(ctx context.Context) iter.Seq2[any, error] {
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
				if took := time.Since(began); err == nil || took < longestStream || took > longestStream+sendTimeout {
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
		a := &Core{throttle: newStreamThrottle(), config: Config{RequestTimeout: 10 * time.Second}}
		var now, most atomic.Int64
		var streams sync.WaitGroup
		began := time.Now()
		for range 3 * maxReading {
			streams.Go(func() {
				err := a.chunk(t.Context(), func(context.Context) error {
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
		long := &Core{throttle: a.throttle, config: Config{RequestTimeout: time.Minute}}
		for range maxReading {
			streams.Go(func() {
				_ = long.chunk(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			})
		}
		synctest.Wait()
		err := a.chunk(t.Context(), func(context.Context) error { t.Error("it reads"); return nil })
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("who has no turn in time gets %v", err)
		}
		streams.Wait()
	})
}
