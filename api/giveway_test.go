package api

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

func TestGiveWay(t *testing.T) {
	for _, c := range []struct {
		name    string
		asking  int64
		streams int
		worked  time.Duration
		want    time.Duration // until all streams may go on
	}{
		{"nobody asks", 0, 4, 10 * time.Millisecond, 0},
		{"few ask", crowd - 1, 4, 10 * time.Millisecond, 0},
		{"one stream rests for three times its work", crowd, 1, 10 * time.Millisecond, 30 * time.Millisecond},
		{"streams rest one after the other", crowd, 4, 10 * time.Millisecond, 120 * time.Millisecond},
		{"a long piece of work does not make a long rest", crowd, 1, time.Minute, longestRest},
		{"more than four streams do not keep each other waiting", crowd, 1000, time.Second, maxResting * longestRest},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGiveWay()
				g.asking.Add(c.asking)
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

func TestAReaderThatIsGoneDoesNotRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGiveWay()
		g.asking.Add(crowd)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		started := time.Now()
		g.pause(ctx, time.Second)
		if got := time.Since(started); got != 0 {
			t.Errorf("it rested for %v", got)
		}
	})
}

// TestStreamsGiveWay: a long list is whole whether or not a crowd asks for seats, and with
// one it takes its rests.
func TestStreamsGiveWay(t *testing.T) {
	const items = 50_000
	for _, asking := range []int64{0, crowd} {
		t.Run(strconv.FormatInt(asking, 10)+" ask", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &API{giveWay: newGiveWay(), config: Config{RequestTimeout: time.Second}}
				a.giveWay.asking.Add(asking)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				w := httptest.NewRecorder()
				started := time.Now()
				req := &request{Request: r}
				req.start(whileClientWaits, a.config.RequestTimeout)
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
				// All but the last piece, which is small, are followed by a rest.
				took := time.Since(started)
				if took < work || (took > 3*work) != (asking > 0) || took > (1+rest)*work {
					t.Errorf("it took %v, of which %v are work", took, work)
				}
			})
		})
	}
}

// TestWhoAsksForASeatIsCounted: a request counts while a worker has it, and no longer.
func TestWhoAsksForASeatIsCounted(t *testing.T) {
	s := &site{nats: testenv.StartNATS(t), log: &sharedLog{}}
	var err error
	if s.st, err = sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db")); err != nil {
		t.Fatal(err)
	}
	defer s.st.Close()
	i := s.start(t, identity.Keys{}, trusted)
	full, err := messages.Encode(messages.SeatReply{Outcome: messages.OutcomeOverloaded})
	if err != nil {
		t.Fatal(err)
	}
	conn := s.connect(t)
	asking := make(chan int64, 1)
	if _, err := conn.Subscribe(s.link(conn).Namespace.Seats(), func(m *nats.Msg) {
		asking <- i.giveWay.asking.Load()
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
	if during, after := <-asking, i.giveWay.asking.Load(); during != 1 || after != 0 {
		t.Errorf("%d ask during the request and %d after it, want 1 and 0", during, after)
	}
}
