package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/procfs"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/pkg/store"
)

const (
	refusal   = "ms p99 of refusals, since sent"
	accepted  = "ms p99 of those settled, since sent"
	refusals  = "refusals/s"
	skipped   = "requests/s that no connection was free for"
	recovery  = "s until normal again"
	apiMemory = "MiB peak of api"
	memory    = "MiB peak of worker"
)

// patience is how long a request of the burst waits for a free connection.
const patience = 100 * time.Millisecond

// overload is S8.
func overload(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 1)
	if err != nil {
		return err
	}
	knee, err := b.knee(ctx, "product", func(rate float64) (load.Result, error) {
		events, err := s.newEvents(ctx, 1, plenty)
		if err != nil {
			return load.Result{}, err
		}
		return s.atRate(ctx, rate, events, s.auth)
	})
	if err != nil {
		return err
	}
	if !b.Quick {
		if _, err := b.knee(ctx, "L1", func(rate float64) (load.Result, error) {
			return l1.atRate(ctx, rate, someEvent(), setup.Trusted)
		}); err != nil {
			return err
		}
	}
	if knee == 0 {
		return errors.New("no rate is held, so there is nothing to overload")
	}
	arms := []arm{{"product at the knee", func(ctx context.Context) (figures, error) {
		events, err := s.newEvents(ctx, 1, plenty)
		if err != nil {
			return nil, err
		}
		res, err := s.atRate(ctx, knee, events, s.auth)
		return figuresOf(res), err
	}}}
	for _, times := range []float64{2, 5} {
		arms = append(arms, arm{overloadName(times), func(ctx context.Context) (figures, error) { return s.overload(ctx, knee, times) }})
	}
	if err := b.alternate(ctx, arms...); err != nil {
		return err
	}
	b.result.Judge("product, knee", "requests/s at the knee", report.Goal{})
	if !b.Quick {
		b.result.Judge("L1, knee", "requests/s at the knee", report.Goal{})
	}
	for _, times := range []float64{2, 5} {
		name := overloadName(times)
		b.result.Compare(name, "product at the knee", goodput, report.AtLeast(0.9))
		if b.result.Of(name, refusals).Max > 0 { // else there is nothing to judge
			b.result.Judge(name, refusal, report.AtMost(20))
		}
		b.result.Judge(name, recovery, report.AtMost(1))
		b.result.Judge(name, apiMemory, report.AtMost(640))
		b.result.Judge(name, memory, report.AtMost(640))
		b.result.Judge(name, refusals, report.Goal{})
		b.result.Judge(name, skipped, report.Goal{})
		b.result.Judge(name, accepted, report.Goal{})
	}
	return nil
}

func overloadName(times float64) string { return fmt.Sprintf("product at %.0f times the knee", times) }

// atRate is a load at a set rate, whatever comes of it.
func (t *target) atRate(ctx context.Context, rate float64, events []store.ID, auth string) (load.Result, error) {
	next, err := t.b.crowd.Prepare(int(rate*t.b.Window.Seconds()), events, auth)
	if err != nil {
		return load.Result{}, err
	}
	res, _, err := t.load(ctx, load.Plan{Connections: many, Rate: rate, Next: next})
	return res, err
}

// knee steps the rate of a load and plots what came of it.
func (b *bench) knee(ctx context.Context, name string, try func(rate float64) (load.Result, error)) (float64, error) {
	rate, steps, err := load.Knee(float64(b.size(4000, 2000)), func(rate float64) (load.Step, error) {
		res, err := try(rate)
		if err != nil {
			return load.Step{}, err
		}
		step := load.Step{
			Offered: rate, Goodput: float64(res.Count(load.Served)) / res.Window.Seconds(),
			P99: load.Quantile(res.Latency(load.Any), 0.99),
		}

		b.say("  %s at %s/s: %s/s settled, p99 %v", name, report.Number(rate), report.Number(step.Goodput), step.P99.Round(time.Millisecond/10))
		return step, nil
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	for _, step := range steps {
		b.result.Keep(name+", knee", figures{"requests/s offered": step.Offered, goodput: step.Goodput, p99: step.P99.Seconds() * 1000})
	}
	b.result.Keep(name+", knee", figures{"requests/s at the knee": rate})
	b.result.PlotKnee("s8-knee.svg", "S8: rate and p99, one event", name, steps)
	return rate, ctx.Err()
}

// overload offers times the knee, then half of it.
func (s *system) overload(ctx context.Context, knee, times float64) (figures, error) {
	events, err := s.newEvents(ctx, 1, plenty)
	if err != nil {
		return nil, err
	}
	for _, p := range []*testenv.Program{s.api, s.workers[0]} {
		if err := errors.Join(procfs.ForgetPeak(p.Pid), p.Forget()); err != nil {
			return nil, err
		}
	}
	burst := time.Duration(s.b.size(30_000, 500)) * time.Millisecond
	connections := s.b.size(8192, 1024)
	start := time.Now().Add(time.Duration(connections) * time.Millisecond) // it takes long to open them
	// Both are planned before the first begins: nothing else is done in between, or this
	// program's own work would be part of what recovers.
	during := load.Background(load.Plan{
		Addr: s.addr, Connections: connections, Rate: times * knee, Start: start, For: burst,
		// Who finds no connection free gives up, or the backlog would go on after the burst.
		GiveUp: patience, Next: s.b.crowd.Requests(events, s.auth),
	})
	after := load.Background(load.Plan{
		Addr: s.addr, Connections: some, Start: start.Add(burst), For: time.Duration(s.b.size(5000, 500)) * time.Millisecond, Rate: knee / 2,
		Next: s.b.crowd.Requests(events, s.auth),
	})
	d, o := <-during, <-after
	if d.Err != nil || o.Err != nil {
		return nil, errors.Join(d.Err, o.Err)
	}
	res, got := d.Result, figuresOf(d.Result)
	s.account(res)
	s.account(o.Result)
	refused := load.Only(http.StatusServiceUnavailable)
	got[refusals] = res.Rate(refused)
	got[skipped] = float64(res.Skipped) / res.Window.Seconds()
	got[refusal] = load.Quantile(res.Service(refused), 0.99).Seconds() * 1000
	got[accepted] = load.Quantile(res.Service(load.Served), 0.99).Seconds() * 1000
	got[recovery] = o.Result.SlowUntil(250 * time.Millisecond).Seconds()
	for name, p := range map[string]*testenv.Program{apiMemory: s.api, memory: s.workers[0]} {
		bytes, err := procfs.PeakMemory(p.Pid)
		if err != nil {
			return nil, err
		}
		got[name] = float64(bytes) / (1 << 20)
	}
	return got, nil
}
