package api

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
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
				a := &Core{throttle: newStreamThrottle(), config: Config{RequestTimeout: time.Second}, gate: gate.New(gate.Config{}, zerolog.Nop())}
				a.throttle.seatRequests.Add(asking)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				w := httptest.NewRecorder()
				started := time.Now()
				req := &request{Request: r}
				req.start(false, a.config.RequestTimeout)
				err := a.streamJSON(w, req, func(context.Context) iter.Seq2[any, error] {
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

// TestSeatRequestsAreCounted: a request counts while a worker has it, and no longer.
func TestSeatRequestsAreCounted(t *testing.T) {
	s := newSiteWithoutWorker(t, system.SQLite)
	i := s.start(t, identity.Keys{}, trusted)
	full, err := messages.Encode(messages.SeatReply{Outcome: messages.OutcomeOverloaded})
	if err != nil {
		t.Fatal(err)
	}
	conn := s.connect(t)
	asking := make(chan int64, 1)
	if _, err := conn.Subscribe(s.link(conn).Namespace.Seats(), func(m *nats.Msg) {
		asking <- i.core.throttle.seatRequests.Load()
		_ = m.Respond(full) // else the request below fails
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	path := "/api/events/" + store.NewID().Hex() + "/registrations"
	if r := i.ask(t, http.MethodPost, path, `{"user_id":"`+store.NewID().Hex()+`"}`); r.status != http.StatusServiceUnavailable {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if during, after := <-asking, i.core.throttle.seatRequests.Load(); during != 1 || after != 0 {
		t.Errorf("%d are under way during the request and %d after it, want 1 and 0", during, after)
	}
}
