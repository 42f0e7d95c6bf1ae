package e2e

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/collector"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// BenchmarkObserved is what it costs to be seen: the goodput of one event with metrics that are scraped every
// second and traces of which 1 % are sampled, by that with neither, in rounds that take turns. The goal is 0.97.
//
//	go test ./e2e -run '^$' -bench Observed -benchtime 1x
func BenchmarkObserved(b *testing.B) {
	const rounds, window, connections = 7, 4 * time.Second, 512
	receiver := collector.Start(b)
	blind := newCluster(b).with("EVENTIO_ADMIN_ADDR=off")
	seen := newCluster(b).with("EVENTIO_ADMIN_ADDR=127.0.0.1:0", "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL,
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01")
	blind.start(b, "worker")
	off := blind.start(b, "api")
	worker, on := seen.start(b, "worker"), seen.start(b, "api")

	var targets []string
	for _, p := range []*process{worker, on} {
		found := adminAddr.FindSubmatch(p.Output())
		if found == nil {
			b.Fatalf("no metrics: %s", p.Tail())
		}
		targets = append(targets, "http://"+string(found[1])+"/metrics")
	}
	scraping, stop := context.WithCancel(b.Context())
	scraped := make(chan struct{})
	go func() {
		defer close(scraped)
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-scraping.Done():
				tick.Stop()
				return
			case <-tick.C:
				for _, url := range targets {
					if res, err := http.Get(url); err != nil {
						b.Error(err)
					} else {
						_, _ = io.Copy(io.Discard, res.Body)
						res.Body.Close()
					}
				}
			}
		}
	}()
	defer func() { stop(); <-scraped }()

	goodput := func(p *process) float64 {
		event := createEvent(b, newClient(b, p.addr), 1_000_000).ID
		got, err := load.Run(load.Plan{Addr: p.addr, Connections: connections, For: window, Next: func() (load.Request, bool) {
			return load.Request{Seat: load.Seat{Event: event, User: store.NewID()}}, true
		}})
		if err != nil || got.Unanswered > 0 {
			b.Fatalf("%d unanswered, %v", got.Unanswered, err)
		}
		succeeds(b, p.Forget())
		return got.Rate(load.Only(http.StatusCreated))
	}
	for _, p := range []*process{off, on} {
		testenv.Eventually(b, limit, "be ready", func() error { _, err := probed(p, "/readyz", http.StatusOK); return err })
		goodput(p) // warm
	}
	for b.Loop() {
		var ratios, without, with []float64
		for round := range rounds {
			pair := []*process{off, on}
			if round%2 == 1 {
				slices.Reverse(pair)
			}
			rates := map[*process]float64{}
			for _, p := range pair {
				rates[p] = goodput(p)
			}
			without, with, ratios = append(without, rates[off]), append(with, rates[on]), append(ratios, rates[on]/rates[off])
			b.Logf("round %d: %.0f/s without, %.0f/s with, %.3f", round+1, rates[off], rates[on], rates[on]/rates[off])
		}
		middle := func(all []float64) float64 { slices.Sort(all); return all[len(all)/2] }
		b.ReportMetric(middle(without), "blind/s")
		b.ReportMetric(middle(with), "seen/s")
		b.ReportMetric(middle(ratios), "ratio")
	}
	if len(receiver.Spans()) == 0 {
		b.Error("nothing was traced")
	}
}
