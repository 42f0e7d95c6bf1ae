package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
	"github.com/eventio/eventio/pkg/store"
)

// The names of figures.
const (
	goodput      = "requests/s"
	p50          = "ms p50"
	p90          = "ms p90"
	p99          = "ms p99"
	p999         = "ms p99.9"
	slowest      = "ms slowest"
	took         = "s until all are answered"
	faults       = "of 1,000 answered 5xx"
	journalBytes = "journal bytes/seat"
	meanBatch    = "requests/batch"
	cpuOf        = "CPU s/1,000 requests: " // and the process
)

// target is what a load goes to.
type target struct {
	b         *bench
	addr      string
	processes []*testenv.Program
	workers   []*testenv.Program          // those whose batches are counted
	admins    map[*testenv.Program]string // where workers tell their metrics
	// read adds to an account what is stored; nil: nothing is.
	read     func(context.Context, load.Account) (load.Account, error)
	accounts map[store.ID]*load.Account
	unknown  int // requests whose outcome nobody was told
}

// owe notes events in which that many seats are held already, so that check looks at them.
func (t *target) owe(events []store.ID, before int) {
	if t.accounts == nil {
		t.accounts = make(map[store.ID]*load.Account)
	}
	for _, id := range events {
		t.accounts[id] = &load.Account{Event: id, Before: before}
	}
}

// check proves, at the scenario's end, that what users were told is what is stored.
func (t *target) check(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, a := range t.accounts {
		group.Go(func() error {
			a.Unknown = t.unknown
			found, err := t.read(ctx, *a)
			if err != nil {
				return err
			}
			return found.Check()
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("a promise is broken: %w", err)
	}
	return nil
}

// load makes a load and returns what came of it and what it cost. Answers other than the
// expected ones are an error; with none expected, any may come. A server may always say
// that it cannot now: that is bad, and counted, but no broken promise.
func (t *target) load(ctx context.Context, p load.Plan, expected ...int) (load.Result, figures, error) {
	if err := ctx.Err(); err != nil {
		return load.Result{}, nil, err
	}
	p.Addr = t.addr
	if p.For == 0 {
		p.For = t.b.Window
	}
	for _, w := range t.processes {
		if err := w.Forget(); err != nil {
			return load.Result{}, nil, err
		}
	}
	before, err := t.usage(ctx)
	if err != nil {
		return load.Result{}, nil, err
	}
	res, err := load.Run(p)
	if err != nil {
		return res, nil, err
	}
	after, err := t.usage(ctx)
	if err != nil {
		return res, nil, err
	}
	t.account(res)
	if len(expected) > 0 {
		expected = append(expected, http.StatusServiceUnavailable, http.StatusGatewayTimeout)
		if err := res.Expect(expected...); err != nil {
			return res, nil, err
		}
	}
	got := figuresOf(res)
	n, used := max(res.Count(load.Any), 1), after.Since(before)
	for name, cpu := range used.CPU {
		got[cpuOf+name] = cpu.Seconds() / float64(n) * 1000
	}
	got[cpuOfAll] = used.Millis(n, func(name string) bool { return name != "load" && (name != "mongod" || t.read != nil) })
	if seats := len(res.Told); seats > 0 {
		got[journalBytes] = used.Counts[usage.Journal] / float64(seats)
	}
	maps.Copy(got, used.Counts.Work(n))
	if len(t.workers) > 0 && len(expected) > 0 { // refused by a full queue is in no batch
		sizes, err := load.Batches(ctx, 0, t.workers...)
		if err != nil {
			return res, nil, err
		}
		sum := 0
		for _, size := range sizes {
			sum += size
		}
		got[meanBatch] = float64(sum) / float64(max(len(sizes), 1))
	}
	return res, got, nil
}

// judgeWork adds rows that say what an arm made workers and MongoDB do.
func (b *bench) judgeWork(name string) {
	for _, figure := range usage.OfCommits() {
		b.result.Judge(name, figure, report.Goal{})
	}
}

func figuresOf(res load.Result) figures {
	h := res.Latency(load.Any)
	millis := func(q float64) float64 { return load.Quantile(h, q).Seconds() * 1000 }
	return figures{
		goodput: res.Rate(load.Served), p50: millis(0.5), p90: millis(0.9), p99: millis(0.99), p999: millis(0.999), slowest: millis(1),
		took: res.Took().Seconds(), faults: float64(res.Count(fault)) / float64(max(res.Count(load.Any), 1)) * 1000,
	}
}

func fault(status int) bool { return !load.Served(status) }

// account notes who was told 201, and how many were told nothing.
func (t *target) account(res load.Result) {
	for _, seat := range res.Told {
		if a := t.accounts[seat.Event]; a != nil {
			a.Told = append(a.Told, seat.User)
		}
	}
	t.unknown += res.Unanswered + res.Answers()[http.StatusGatewayTimeout]
}

// usage is what was used since all began.
func (t *target) usage(ctx context.Context) (usage.Usage, error) {
	processes := []usage.Process{{Name: "load", PID: os.Getpid()}, {Name: "mongod", PID: t.b.mongo.Pid()}}
	for _, p := range t.processes {
		processes = append(processes, usage.Process{Name: p.Name, PID: p.Pid})
	}
	return usage.Look(ctx, t.b.admin.Database("admin"), processes, slices.Collect(maps.Values(t.admins)))
}
