package loadtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// idleRequests are made in a round, as many of the product as of the bare store.
const idleRequests = 200

// idleRound is one round of BenchmarkIdleClient.
type idleRound struct{ product, bare burst }

// extra is how much longer than the bare store write a request takes, in ms at the median.
func (r idleRound) extra() float64 { return r.product.millis(0.5) - r.bare.millis(0.5) }

func (r idleRound) String() string {
	return fmt.Sprintf("round   p50 %.2f ms, bare store write %.2f ms, difference %.2f ms",
		r.product.millis(0.5), r.bare.millis(0.5), r.extra())
}

// BenchmarkIdleClient: one client, one request at a time, against what the store alone
// takes for the same seat: Apply with a batch of one, called in this process.
func BenchmarkIdleClient(b *testing.B) {
	s := startSystem(b)
	st := openStore(b, s.mongoURI)
	s.idleRound(b, st) // opens connections, fills caches
	var done []idleRound
	for b.Loop() {
		for range rounds {
			done = append(done, s.idleRound(b, st))
		}
	}
	product := median(done, func(r idleRound) float64 { return r.product.millis(0.5) })
	bare := median(done, func(r idleRound) float64 { return r.bare.millis(0.5) })
	extra := median(done, idleRound.extra)
	report(b, fmt.Sprintf("medians p50 %.2f ms, bare store write %.2f ms, difference %.2f ms", product, bare, extra), done)
	b.ReportMetric(product, "p50_ms")
	b.ReportMetric(bare, "bare_p50_ms")
	b.ReportMetric(extra, "extra_ms")
	if asserted() && extra > wantExtra {
		b.Fatalf("an idle client waits %.2f ms longer than the bare store write takes, want at most %.0f", extra, wantExtra)
	}
}

func (s *system) idleRound(b *testing.B, st store.Store) idleRound {
	b.Helper()
	event := storetest.NewEvent(b, st, 1_000_000)
	product := fire(b, s.addr, event.ID, 1, idleRequests)
	s.check(b, event.ID, product)
	if n := len(s.batches(b, idleRequests)); n != idleRequests {
		b.Fatalf("%d batches for %d requests one at a time", n, idleRequests)
	}
	bare := burst{latency: hdrhistogram.New(1, limit.Microseconds(), 3)}
	event = storetest.NewEvent(b, st, 1_000_000)
	for range idleRequests {
		wish := storetest.Wish(event.ID)
		ctx, cancel := context.WithTimeout(b.Context(), limit)
		started := time.Now()
		results, err := st.Apply(ctx, []store.SeatRequest{wish})
		took := time.Since(started)
		cancel()
		if err != nil || results[0].Outcome != store.Registered {
			b.Fatalf("apply: %v, %v", results, err)
		}
		if err := bare.latency.RecordValue(took.Microseconds()); err != nil {
			b.Fatal(err)
		}
	}
	return idleRound{product, bare}
}
