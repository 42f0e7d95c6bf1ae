package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
)

// A stall is a round whose slowest hundredth waited for so long, or that gave so small a share of the median goodput.
const (
	stalledP99   = 2000.0 // ms
	stalledShare = 0.25
)

// BenchmarkStalls is S4, the product alone, in as many rounds of a second as LOADTEST_ROUNDS says, 20 by default. It fails
// when one of them stalls, and tells what workers and MongoDB did in it. Rounds beside a checkpoint of MongoDB, which
// comes once a minute, are among them when there are more than 60.
func BenchmarkStalls(b *testing.B) {
	rounds := 20
	if text := os.Getenv("LOADTEST_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil || rounds < 1 {
			b.Fatalf("LOADTEST_ROUNDS: %q is no number of rounds", text)
		}
	}
	m, err := open(b.Context(), settings{Rounds: rounds, Window: time.Second, Auth: setup.Trusted}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.close(); err != nil {
			b.Error(err)
		}
	})
	const product = "product"
	for b.Loop() {
		if _, err := m.run(b.Context(), scenario{b.Name(), "", func(ctx context.Context, m *bench) error {
			s, err := m.newSystem(ctx, 1, setup.Trusted)
			if err != nil {
				return err
			}
			even, err := s.even(ctx, product)
			if err != nil {
				return err
			}
			return m.alternate(ctx, even)
		}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
	all := m.result.Raw[product]
	typical := median(b, m, product, goodput, "req/s")
	b.ReportMetric(slices.Min(all[goodput]), "least_req/s")
	median(b, m, product, p99, "p99_ms")
	b.ReportMetric(slices.Max(all[p99]), "most_p99_ms")
	b.ReportMetric(slices.Max(all[slowest]), "slowest_ms")
	stalls := 0
	for round, late := range all[p99] {
		if late < stalledP99 && all[goodput][round] > stalledShare*typical {
			continue
		}
		stalls++
		for _, figure := range append([]string{goodput, p99, slowest, meanBatch}, usage.OfCommits()...) {
			b.Logf("round %d: %s %s", round+1, report.Number(all[figure][round]), figure)
		}
	}
	b.ReportMetric(float64(stalls), "stalls")
	if stalls > 0 {
		b.Fatalf("%d of %d rounds stalled", stalls, rounds)
	}
}
