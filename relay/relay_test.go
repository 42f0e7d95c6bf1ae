package relay_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/relay"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const limit = 10 * time.Second

// stores runs a test on both stores.
func stores(t *testing.T, test func(*testing.T, store.Store)) {
	t.Run("SQLite", func(t *testing.T) {
		s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, s)
	})
	t.Run("MongoDB", func(t *testing.T) {
		s, err := mongostore.Open(t.Context(), testenv.MongoDB(t), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, s)
	})
}

// sink keeps what it is told.
type sink struct {
	name string
	fail func() error // nil: never

	mu   sync.Mutex // guards rows
	rows map[store.ID][]int64
}

func newSink(name string) *sink { return &sink{name: name, rows: make(map[store.ID][]int64)} }

func (s *sink) Name() string { return s.name }

func (s *sink) Deliver(_ context.Context, rows []store.ChangeRecord) error {
	if s.fail != nil {
		if err := s.fail(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rows {
		s.rows[r.EventID] = append(s.rows[r.EventID], r.Revision)
	}
	return nil
}

// await waits until the sink was told of all revisions of an event up to last, in order, and fails when
// one comes before its predecessor.
func (s *sink) await(t *testing.T, event store.ID, first, last int64) {
	t.Helper()
	testenv.Eventually(t, limit, "tell of every change", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		next := first
		for _, revision := range s.rows[event] {
			if revision > next {
				t.Fatalf("of %v, %d is missing or late", s.rows[event], next)
			}
			next = max(next, revision+1)
		}
		if next <= last {
			return errors.New("it is not told yet")
		}
		return nil
	})
}

// start runs sinks until the returned function is called.
func start(t *testing.T, st store.Store, sinks ...relay.Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		relay.New(st, relay.Config{Lease: 600 * time.Millisecond}, zerolog.Nop()).Run(ctx, sinks...)
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// created waits until the consumers of sinks exist: they begin at the present.
func created(t *testing.T, st store.Store, names ...string) {
	t.Helper()
	for _, name := range names {
		testenv.Eventually(t, limit, "create the consumer", func() error {
			_, err := st.TakeLease(t.Context(), name, "nobody", time.Nanosecond)
			if errors.Is(err, store.ErrLeaseHeld) {
				return nil
			}
			return errors.Join(errors.New("nobody holds the lease"), err)
		})
	}
}

func TestEverySinkIsTold(t *testing.T) {
	stores(t, func(t *testing.T, st store.Store) {
		event := storetest.NewEvent(t, st, 1000)
		good, bad := newSink("good"), newSink("bad")
		bad.fail = func() error { return errors.New("it is away") }
		stop := start(t, st, good, bad)
		created(t, st, "good", "bad")
		for range 5 {
			storetest.MustApply(t, st, storetest.NewRequest(event.ID))
		}
		good.await(t, event.ID, 2, 6)
		stop()
		// While no process runs, nothing is missed; and what failed comes then.
		storetest.MustApply(t, st, storetest.NewRequest(event.ID))
		bad.fail = nil
		start(t, st, good, bad)
		good.await(t, event.ID, 2, 7)
		bad.await(t, event.ID, 2, 7)
		if n := len(good.rows[event.ID]); n != 6 {
			t.Errorf("a sink that was stopped in order is told %d rows, want 6", n)
		}
	})
}

// TestAProcessThatDiesIsReplaced: another holds the lease, and does nothing with it, which is what a
// killed process does.
func TestAProcessThatDiesIsReplaced(t *testing.T) {
	stores(t, func(t *testing.T, st store.Store) {
		event := storetest.NewEvent(t, st, 1000)
		at, err := st.ChangesPosition(t.Context())
		if err == nil {
			err = st.CreateConsumer(t.Context(), "sink", at)
		}
		if err == nil {
			_, err = st.TakeLease(t.Context(), "sink", "killed", 700*time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		storetest.MustApply(t, st, storetest.NewRequest(event.ID))
		told := newSink("sink")
		start(t, st, told)
		told.await(t, event.ID, 2, 2)
	})
}

// TestProcessesShareSinks: of several processes one at a time tells, and when it ends another goes on.
func TestProcessesShareSinks(t *testing.T) {
	stores(t, func(t *testing.T, st store.Store) {
		event := storetest.NewEvent(t, st, 1000)
		told := newSink("sink")
		first := start(t, st, told)
		created(t, st, "sink")
		start(t, st, told)
		revision := int64(1)
		for range 10 {
			storetest.MustApply(t, st, storetest.NewRequest(event.ID))
			revision++
		}
		told.await(t, event.ID, 2, revision)
		first()
		storetest.MustApply(t, st, storetest.NewRequest(event.ID))
		told.await(t, event.ID, 2, revision+1)
		if !slices.IsSorted(told.rows[event.ID]) || int64(len(told.rows[event.ID])) != revision {
			t.Errorf("told are %v", told.rows[event.ID])
		}
	})
}

// lost is a store whose leases end: another process takes them.
type lost struct {
	store.Store
	stolen chan struct{}
}

func (l lost) RenewLease(ctx context.Context, lease store.Lease, length time.Duration) error {
	select {
	case <-l.stolen:
		return store.ErrLeaseLost
	default:
		return l.Store.RenewLease(ctx, lease, length)
	}
}

// TestALostLeaseEndsTheWork: who has lost the lease stops, and does not tell any more.
func TestALostLeaseEndsTheWork(t *testing.T) {
	stores(t, func(t *testing.T, st store.Store) {
		if err := st.CreateConsumer(t.Context(), "sink", ""); err != nil {
			t.Fatal(err)
		}
		stolen := lost{st, make(chan struct{})}
		err := relay.Hold(t.Context(), stolen, relay.Holding{Consumer: "sink", Owner: "a", Length: 300 * time.Millisecond}, func(ctx context.Context, _ *relay.Held) error {
			close(stolen.stolen)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(limit):
				t.Error("the work goes on")
				return nil
			}
		})
		if !errors.Is(err, store.ErrLeaseLost) {
			t.Errorf("error is %v", err)
		}
	})
}
