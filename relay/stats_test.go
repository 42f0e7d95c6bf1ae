package relay_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/relay"
)

// lagOf reads the lag of a sink from the metrics of a relay, in seconds. It fails when there is none.
func lagOf(metrics prometheus.Gatherer, sink string) (float64, error) {
	families, err := metrics.Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "eventio_relay_lag_seconds" && m.GetLabel()[0].GetValue() == sink {
				return m.GetGauge().GetValue(), nil
			}
		}
	}
	return 0, errors.New("there is no lag")
}

// TestLag: every process shows how far a sink is behind, also while another one holds its lease and does
// nothing, and while its own sink fails; and when all is told, that it is not behind any more.
func TestLag(t *testing.T) {
	stores(t, func(t *testing.T, st store.Store) {
		event := storetest.NewEvent(t, st, 1000)
		at, err := st.ChangesPosition(t.Context())
		if err == nil {
			err = st.CreateConsumer(t.Context(), "held", at)
		}
		var dead store.Lease
		if err == nil {
			dead, err = st.TakeLease(t.Context(), "held", "killed", time.Minute)
		}
		if err != nil {
			t.Fatal(err)
		}
		held, failing := newSink("held"), newSink("failing")
		var mu sync.Mutex
		away := errors.New("it is away")
		failing.fail = func() error { mu.Lock(); defer mu.Unlock(); return away }
		r := relay.New(st, relay.Config{Lease: 600 * time.Millisecond, LookEvery: 20 * time.Millisecond}, zerolog.Nop())
		metrics := prometheus.NewPedanticRegistry()
		metrics.MustRegister(r.Metrics())
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.Run(ctx, held, failing) })
		t.Cleanup(func() { cancel(); running.Wait() })
		created(t, st, "held", "failing")

		begun := time.Now()
		req := storetest.NewRequest(event.ID)
		req.At = begun.UTC()
		storetest.MustApply(t, st, req)
		const behind = 2.5 // more than any look takes
		for _, sink := range []string{"held", "failing"} {
			testenv.Eventually(t, limit, "fall behind", func() error {
				lag, err := lagOf(metrics, sink)
				if err != nil {
					return err
				}
				if age := time.Since(begun).Seconds(); lag > age+1 {
					t.Fatalf("%s is %v s behind after %v s", sink, lag, age)
				}
				if lag < behind {
					return fmt.Errorf("%s is %v s behind", sink, lag)
				}
				return nil
			})
		}
		if problems, err := testutil.GatherAndLint(metrics); err != nil || len(problems) > 0 {
			t.Errorf("%v %v", problems, err)
		}
		if err := testutil.GatherAndCompare(metrics, strings.NewReader(`
			# HELP eventio_relay_leading 1 while this process holds the lease of the sink, so that it is the one that tells.
			# TYPE eventio_relay_leading gauge
			eventio_relay_leading{sink="failing"} 1
			eventio_relay_leading{sink="held"} 0
		`), "eventio_relay_leading"); err != nil {
			t.Error(err)
		}
		mu.Lock()
		away = nil
		mu.Unlock()
		if err := st.EndLease(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		for _, sink := range []string{"held", "failing"} {
			testenv.Eventually(t, limit, "catch up", func() error {
				lag, err := lagOf(metrics, sink)
				if err == nil && lag >= behind-1 { // a look waits a second for news
					err = fmt.Errorf("%s is %v s behind", sink, lag)
				}
				return err
			})
		}
	})
}
