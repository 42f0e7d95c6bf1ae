package worker_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/worker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testenv.M{M: m}) }

const limit = 10 * time.Second

// seats is a store that calls before, which may block or fail, and then a real store.
type seats struct {
	store.Seats
	before func(batch []store.SeatRequest) error
}

func (s seats) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	if err := s.before(batch); err != nil {
		return nil, err
	}
	return s.Seats.Apply(ctx, batch)
}

// site is one worker over a real NATS server and a real store.
type site struct {
	t         testing.TB
	url       string
	store     *sqlitestore.Store
	worker    *worker.Worker
	conn      *nats.Conn          // of the callers
	requester *messages.Requester // over conn
	event     store.ID
}

func newSite(t testing.TB, config worker.Config, before func([]store.SeatRequest) error) *site {
	t.Helper()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s := &site{t: t, url: testenv.StartNATS(t).URL(), store: st, event: storetest.NewEvent(t, st, 1_000_000).ID}
	s.conn = s.connect("callers")
	if s.requester, err = messages.NewRequester(messages.Link{Conn: s.conn, Namespace: s.names()}); err != nil {
		t.Fatal(err)
	}
	s.worker = worker.New(s.connect("worker"), seats{st, before}, config, zerolog.Nop())
	if err := s.worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	testenv.Eventually(t, limit, "be ready", func() error {
		if _, err := s.conn.Request(s.names().Seats(), []byte("{}"), time.Second); err != nil {
			return err
		}
		return nil
	})
	return s
}

// names returns the namespace of the site.
func (s *site) names() messages.Namespace {
	return messages.Namespace{Prefix: messages.DefaultPrefix, Database: s.store.DatabaseID()}
}

func (s *site) connect(name string) *nats.Conn {
	s.t.Helper()
	conn, err := messages.Connect(s.url, name, zerolog.Nop())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	return conn
}

func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.worker.Stop(ctx); err != nil {
		s.t.Error(err)
	}
}

// ask sends a new user's registration and returns the outcome; "" when there is no worker.
func (s *site) ask(event store.ID) messages.Outcome {
	wanted := storetest.NewRequest(event)
	got := s.requester.Request(s.t.Context(), messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: event, UserID: wanted.UserID,
	}, time.Now().Add(limit))
	if errors.Is(got.Cause, nats.ErrNoResponders) {
		return ""
	}
	return got.Reply.Outcome
}

// send sends a message as it is and returns the one reply to it.
func (s *site) send(data []byte) messages.SeatReply {
	s.t.Helper()
	msg, err := s.conn.Request(s.names().Seats(), data, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	replies, err := messages.DecodeReplies(msg.Data)
	if err != nil || len(replies) != 1 {
		s.t.Fatalf("%q is answered with %q, %v", data, msg.Data, err)
	}
	return replies[0]
}

func pass([]store.SeatRequest) error { return nil }

func TestBatchesFormByThemselves(t *testing.T) {
	var mu sync.Mutex
	var sizes []int
	entered, release := make(chan struct{}, 100), make(chan struct{})
	s := newSite(t, worker.Config{}, func(batch []store.SeatRequest) error {
		mu.Lock()
		sizes = append(sizes, len(batch))
		mu.Unlock()
		entered <- struct{}{}
		<-release
		return nil
	})
	var callers sync.WaitGroup
	call := func() {
		callers.Go(func() {
			if got := s.ask(s.event); got != store.Registered {
				t.Errorf("outcome is %s", got)
			}
		})
	}
	call()
	<-entered // the first goes at once, alone
	for range 20 {
		call()
	}
	testenv.Eventually(t, limit, "gather", func() error {
		if n := s.worker.Waiting(); n != 20 {
			return errors.New("not all wait yet")
		}
		return nil
	})
	close(release)
	callers.Wait()
	if len(sizes) != 2 || sizes[0] != 1 || sizes[1] != 20 {
		t.Fatalf("batches of %v, want 1 and 20", sizes)
	}
}

func TestWhatCannotBeReadIsAnsweredInvalid(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	for _, data := range []string{"", "garbage", "{}", `{"v":9}`} {
		if reply := s.send([]byte(data)); reply.Outcome != messages.OutcomeInvalid {
			t.Errorf("%q: %+v", data, reply)
		}
	}
	// A message without a reply subject, or with one that the worker takes requests from, gets no
	// reply.
	seen := make(chan *nats.Msg, 10)
	tap, err := s.conn.ChanSubscribe(s.names().Seats(), seen)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.conn.Publish(s.names().Seats(), []byte("garbage")),
		s.conn.PublishRequest(s.names().Seats(), s.names().Seats(), []byte("garbage")))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.ask(s.event); got != store.Registered {
		t.Fatalf("afterwards the outcome is %s", got)
	}
	if err := tap.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 { // the two above, and the request
		t.Errorf("%d messages came by, want 3: the worker has written to itself", len(seen))
	}
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	s := newSite(t, worker.Config{MaxWaiting: 1}, func([]store.SeatRequest) error {
		entered <- struct{}{}
		<-release
		return nil
	})
	var callers sync.WaitGroup
	callers.Go(func() { s.ask(s.event) })
	<-entered
	callers.Go(func() { s.ask(s.event) })
	testenv.Eventually(t, limit, "fill the queue", func() error {
		if s.worker.Waiting() != 1 {
			return errors.New("not full yet")
		}
		return nil
	})
	if got := s.ask(s.event); got != messages.OutcomeOverloaded {
		t.Errorf("outcome is %s", got)
	}
	close(release)
	callers.Wait()
}

func TestFailures(t *testing.T) {
	poison := store.ID{9}
	for _, c := range []struct {
		name string
		err  func() error
		want messages.Outcome
	}{
		{"surely nothing stored", func() error { return store.ErrUnavailable }, messages.OutcomeOverloaded},
		{"nobody knows", func() error { return errors.New("odd") }, messages.OutcomeUnknown},
		{"a panic", func() error { panic("odd") }, messages.OutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, worker.Config{}, func(batch []store.SeatRequest) error {
				for _, r := range batch {
					if r.EventID == poison {
						return c.err()
					}
				}
				return nil
			})
			if got := s.ask(poison); got != c.want {
				t.Errorf("outcome is %s, want %s", got, c.want)
			}
			if got := s.ask(s.event); got != store.Registered {
				t.Errorf("afterwards the outcome is %s", got)
			}
		})
	}
}

func TestAPoisonedNeighbourHarmsNobody(t *testing.T) {
	poison := store.ID{9}
	entered, release := make(chan struct{}, 100), make(chan struct{})
	s := newSite(t, worker.Config{InFlight: 1}, func(batch []store.SeatRequest) error {
		entered <- struct{}{}
		<-release
		for _, r := range batch {
			if r.EventID == poison {
				return errors.New("odd")
			}
		}
		return nil
	})
	var callers sync.WaitGroup
	call := func(event store.ID, want messages.Outcome) {
		callers.Go(func() {
			if got := s.ask(event); got != want {
				t.Errorf("outcome is %s, want %s", got, want)
			}
		})
	}
	call(s.event, store.Registered)
	<-entered
	for range 9 {
		call(s.event, store.Registered)
	}
	call(poison, messages.OutcomeUnknown)
	testenv.Eventually(t, limit, "gather", func() error {
		if s.worker.Waiting() != 10 {
			return errors.New("not all wait yet")
		}
		return nil
	})
	close(release)
	callers.Wait()
}

func TestARequestWithoutTimeIsNotWritten(t *testing.T) {
	var applied atomic.Int64
	s := newSite(t, worker.Config{}, func([]store.SeatRequest) error { applied.Add(1); return nil })
	wanted := storetest.NewRequest(s.event)
	data, err := messages.Encode(messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: s.event, UserID: wanted.UserID, RemainingMillis: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.send(data); got.Outcome != messages.OutcomeOverloaded || applied.Load() != 0 {
		t.Fatalf("outcome is %s, applied %d times", got.Outcome, applied.Load())
	}
}

// TestStopAnswersAllThatWasAccepted: under load, every request is answered or surely reached no
// worker.
func TestStopAnswersAllThatWasAccepted(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	var registered atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for {
				switch got := s.ask(s.event); got {
				case store.Registered:
					registered.Add(1)
				case "": // no responders
					return
				default:
					t.Errorf("outcome is %s", got)
					return
				}
			}
		})
	}
	testenv.Eventually(t, limit, "get going", func() error {
		if registered.Load() < 50 {
			return errors.New("too few yet")
		}
		return nil
	})
	s.stop()
	s.stop() // a second time is nothing
	callers.Wait()
	if roster := storetest.Check(t, s.store, s.event); int64(len(roster)) != registered.Load() {
		t.Fatalf("%d registered, %d told so", len(roster), registered.Load())
	}
	if err := s.worker.Start(); err == nil {
		t.Error("a stopped worker starts")
	}
}
