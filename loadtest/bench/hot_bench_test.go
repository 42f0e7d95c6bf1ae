package main

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/report"
)

// What the benchmarks demand, below what a busy machine was seen to give.
const (
	leastRatio    = 2.5 // times the throughput of P with updateOne
	leastBatch    = 8.0 // requests, to be exceeded on the average
	leastOfBefore = 0.9 // of the throughput of an earlier build
)

// measureIn runs arms in turn, which makeArms makes, within each iteration of a benchmark, and
// returns the result of the last one. It fails when what users were told is not what is stored.
func measureIn(b *testing.B, makeArms func(context.Context, *bench) ([]arm, error)) *bench {
	b.Helper()
	m, err := open(b.Context(), settings{Rounds: 5, Window: time.Second, Auth: setup.Trusted}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.close(); err != nil {
			b.Error(err)
		}
	})
	for b.Loop() {
		_, err := m.run(b.Context(), scenario{b.Name(), "", func(ctx context.Context, m *bench) error {
			arms, err := makeArms(ctx, m)
			if err != nil {
				return err
			}
			return m.alternate(ctx, arms...)
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op") // the time of all rounds together says nothing
	return m
}

// median reports the median of a figure of one arm as a metric.
func median(b *testing.B, m *bench, name, figure, unit string) float64 {
	v := m.result.Of(name, figure).Median
	b.ReportMetric(v, unit)
	return v
}

// ratio reports the median of the rounds' ratios of the throughputs of two arms as a metric.
func ratio(b *testing.B, m *bench, name, base, unit string) float64 {
	m.result.Compare(name, base, goodput, report.Goal{})
	v := m.result.Rows[len(m.result.Rows)-1].Ratio.Median
	b.ReportMetric(v, unit)
	return v
}

// BenchmarkHotEvent is S1 at 64 connections, beside both forms of P with 1,000 registered. It
// fails when the product is too slow beside P, or its batches are too small.
func BenchmarkHotEvent(b *testing.B) {
	const product, update, find = "product", "P", "P with findOneAndUpdate"
	const slice = 512 // requests to P, whose cost grows with every one
	m := measureIn(b, func(ctx context.Context, m *bench) ([]arm, error) {
		s, err := m.newSystem(ctx, 1, setup.Trusted)
		if err != nil {
			return nil, err
		}
		p, err := m.newOriginal(ctx, "p")
		if err != nil {
			return nil, err
		}
		f, err := m.newOriginal(ctx, "p-find")
		if err != nil {
			return nil, err
		}
		return []arm{
			s.hot(product, few), p.burst(update, originalConnections, 1, 1000-slice/2, slice),
			f.burst(find, originalConnections, 1, 1000-slice/2, slice),
		}, nil
	})
	median(b, m, product, goodput, "req/s")
	median(b, m, product, p99, "p99_ms")
	batch := median(b, m, product, meanBatch, "mean_batch")
	times := ratio(b, m, product, update, "ratio")
	ratio(b, m, product, find, "ratio_findOneAndUpdate")
	b.Log("\n" + report.Report{Scenarios: []report.Result{m.result}}.Table())
	if times < leastRatio || batch <= leastBatch {
		b.Fatalf("%.1f times P, want at least %.1f; mean batch is %.1f, want more than %.0f", times, leastRatio, batch, leastBatch)
	}
}

// BenchmarkAgainstBefore fires at one event at this build and in turn at an earlier one: the api
// and the worker in the folder that LOADTEST_BEFORE names. It fails when this one is slower, and tells what a request
// costs both in processor time.
func BenchmarkAgainstBefore(b *testing.B) {
	programs := os.Getenv("LOADTEST_BEFORE")
	if programs == "" {
		b.Skip("LOADTEST_BEFORE names no folder with an earlier api and worker")
	}
	const now, before, manyMore = "now", "before", ", 1024 connections"
	m := measureIn(b, func(ctx context.Context, m *bench) ([]arm, error) {
		s, err := m.newSystem(ctx, 1, setup.Trusted)
		if err != nil {
			return nil, err
		}
		old, err := m.newSystemOf(ctx, programs, 1, setup.Trusted)
		if err != nil {
			return nil, err
		}
		return []arm{s.hot(now, few), old.hot(before, few), s.hot(now+manyMore, many), old.hot(before+manyMore, many)}, nil
	})
	times := ratio(b, m, now, before, "ratio")
	ratio(b, m, now+manyMore, before+manyMore, "ratio_many")
	for _, part := range []string{cpuOfAll, cpuOf + "api", cpuOf + "worker", cpuOf + "mongod"} {
		m.result.Compare(now+manyMore, before+manyMore, part, report.Goal{})
	}
	b.Log("\n" + report.Report{Scenarios: []report.Result{m.result}}.Table())
	if times < leastOfBefore {
		b.Fatalf("the ratio is %.2f, want at least %.1f", times, leastOfBefore)
	}
}
