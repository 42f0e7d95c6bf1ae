package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/worker"
)

// nowhere is a store that has a database id and nothing else.
type nowhere struct{ store.Seats }

func (nowhere) DatabaseID() string { return "nowhere" }

// TestReadinessIsTheTruth: /readyz is 200 only while a message gets through NATS to the worker and
// back, and the store answers. /livez is always 200, because a restart would not help.
func TestReadinessIsTheTruth(t *testing.T) {
	var applied atomic.Int64
	nats := testenv.StartNATSWith(t, denied("nothing"))
	conn, err := messages.Connect(nats.URL(), "worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	log := new(lines)
	w := worker.New(conn, seats{nowhere{}, func([]store.SeatRequest) error {
		applied.Add(1)
		return errors.New("a probe has come to the store")
	}}, worker.Config{}, zerolog.New(log))
	var storeAway atomic.Bool
	up := measure.NewDependencies("queue", "store")
	health := worker.Health(w.Readiness(func(context.Context) error {
		if storeAway.Load() {
			return store.ErrUnavailable
		}
		return nil
	}, up))
	becomes := func(status int) {
		t.Helper()
		testenv.Eventually(t, limit, fmt.Sprint("become ", status), func() error {
			if got := get(health, "/livez"); got != http.StatusOK {
				t.Fatalf("/livez is %d", got)
			}
			if got := get(health, "/readyz"); got != status {
				return fmt.Errorf("/readyz is %d", got)
			}
			return nil
		})
	}
	sees := func(queue, stored float64) {
		t.Helper()
		if q, s := testutil.ToFloat64(up.WithLabelValues("queue")), testutil.ToFloat64(up.WithLabelValues("store")); q != queue || s != stored {
			t.Errorf("operators see queue %v and store %v, want %v and %v", q, s, queue, stored)
		}
	}
	becomes(http.StatusServiceUnavailable)
	sees(0, 1)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		_ = w.Stop(ctx) // NATS may be gone
	})
	becomes(http.StatusOK)
	sees(1, 1)
	for name, c := range map[string]struct {
		harm, mend    func() error
		queue, stored float64
	}{
		"the store is away": {
			func() error { storeAway.Store(true); return nil }, func() error { storeAway.Store(false); return nil }, 1, 0,
		},
		"NATS is away": {func() error { nats.Stop(); return nil }, nats.Restart, 0, 1},
		"the worker may not subscribe": {
			func() error { return nats.Reload(denied("eventio.>")) }, func() error { return nats.Reload(denied("nothing")) }, 0, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.harm(); err != nil {
				t.Fatal(err)
			}
			becomes(http.StatusServiceUnavailable)
			sees(c.queue, c.stored)
			if err := c.mend(); err != nil {
				t.Fatal(err)
			}
			becomes(http.StatusOK)
		})
	}
	if n := applied.Load(); n != 0 {
		t.Errorf("%d probes came to the store", n)
	}
	for _, text := range []string{"taking seat requests", "a dependency is not usable", store.ErrUnavailable.Error()} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("%q is not in the log:\n%s", text, log)
		}
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// denied gives every user all permissions but that to subscribe to a subject.
func denied(subject string) func(*server.Options) {
	return func(o *server.Options) {
		o.Users = []*server.User{{Username: "all", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Deny: []string{subject}},
		}}}
		o.NoAuthUser = "all"
	}
}

func get(h http.Handler, path string) int {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec.Code
}

// TestAProbeChangesNothing: a probe is answered at once, also while requests wait in the queue.
func TestAProbeChangesNothing(t *testing.T) {
	release := make(chan struct{})
	s := newSite(t, worker.Config{MaxWaiting: 1, InFlight: 1}, func([]store.SeatRequest) error { <-release; return nil })
	defer close(release)
	go s.ask(s.event)
	probe, err := messages.Encode(messages.SeatRequest{Kind: messages.KindProbe, RequestID: "probe", RemainingMillis: 1000})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if reply := s.send(probe); reply.Outcome != messages.OutcomeProbed {
		t.Errorf("answered with %s", reply.Outcome)
	}
	if took := time.Since(began); took > limit/2 {
		t.Errorf("the answer took %v", took)
	}
}
