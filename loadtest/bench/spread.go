package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
	"github.com/eventio/eventio/pkg/store"
)

// evenly is S4.
func evenly(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 1)
	if err != nil {
		return err
	}
	p, err := b.newOriginal(ctx, "p")
	if err != nil {
		return err
	}
	product, err := s.even(ctx, "product")
	if err != nil {
		return err
	}
	if err := b.alternate(ctx, product, l1.burst("L1", many), p.burst("P", many, b.spread(), 0, math.MaxInt)); err != nil {
		return err
	}
	b.result.Compare("product", "L1", goodput, report.AtLeast(0.5))
	b.result.Compare("product", "P", goodput, report.AtLeast(2))
	b.result.Compare("product", "P", p99, report.Goal{})
	b.result.Judge("product", meanBatch, report.Goal{})
	b.result.Judge("product", usage.PerRequest, report.Goal{})
	b.judgeWork("product")
	return nil
}

// spread is over how many events S4 is spread.
func (b *bench) spread() int { return b.size(10_000, 500) }

// even is an arm: a burst on new events in turn, with places for all.
func (s *system) even(ctx context.Context, name string) (arm, error) {
	events, err := s.newEvents(ctx, s.b.spread(), plenty)
	return arm{name, func(ctx context.Context) (figures, error) {
		_, got, err := s.burst(ctx, many, events...)
		return got, err
	}}, err
}

// quiet is S5.
func quiet(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 1)
	if err != nil {
		return err
	}
	events, err := s.newEvents(ctx, b.size(1000, 100), plenty)
	if err != nil {
		return err
	}
	hot, err := s.newEvents(ctx, 1, plenty)
	if err != nil {
		return err
	}
	alone := func(t *target, events []store.ID, auth string) func(context.Context) (figures, error) {
		return func(ctx context.Context) (figures, error) {
			_, got, err := t.load(ctx, b.atLowRate(events, auth))
			return got, err
		}
	}
	beside := func(t *target, events, hot []store.ID, auth string) func(context.Context) (figures, error) {
		return func(ctx context.Context) (figures, error) {
			low := b.atLowRate(events, auth)
			low.Start = time.Now().Add(lead)
			burst := load.Plan{Addr: t.addr, Connections: some, For: low.For, Start: low.Start, Next: b.crowd.Requests(hot, auth)}
			done := load.Background(burst)
			_, got, err := t.load(ctx, low)
			o := <-done
			if err != nil || o.Err != nil {
				return got, errors.Join(err, o.Err)
			}
			t.account(o.Result)
			got["requests/s of the burst"] = o.Result.Rate(load.Served)
			return got, nil
		}
	}
	ours, oursBurst := latest(arm{"product, quiet events alone", alone(&s.target, events, s.auth)}), latest(
		arm{"product, quiet events beside a burst", beside(&s.target, events, hot, s.auth)})
	theirs, theirsBurst := latest(arm{"L1 alone", alone(l1, someEvent(), setup.Trusted)}), latest(
		arm{"L1 beside a burst", beside(l1, someEvent(), someEvent(), setup.Trusted)})
	const factor = "times p99 alone"
	times := func(name string, burst, alone *latestOf) arm {
		return arm{name, func(context.Context) (figures, error) { return figures{factor: burst.got[p99] / alone.got[p99]}, nil }}
	}
	if err := b.alternate(ctx, ours.arm, oursBurst.arm, theirs.arm, theirsBurst.arm,
		times("product beside a burst", oursBurst, ours), times("L1 beside a burst, too", theirsBurst, theirs)); err != nil {
		return err
	}
	b.result.Compare("product beside a burst", "L1 beside a burst, too", factor, report.AtMost(0.5))
	b.result.Compare("product, quiet events beside a burst", "product, quiet events alone", p99, report.AtMost(1.5))
	b.result.Compare("L1 beside a burst", "L1 alone", p99, report.Goal{})
	b.result.Compare("product, quiet events beside a burst", "L1 beside a burst", p99, report.Goal{})
	b.result.Judge("product, quiet events beside a burst", "requests/s of the burst", report.Goal{})
	return nil
}

// latestOf is an arm that keeps what it gave last, for those that compare arms of the same round.
type latestOf struct {
	arm
	got figures
}

func latest(a arm) *latestOf {
	l := &latestOf{}
	l.arm = arm{a.name, func(ctx context.Context) (_ figures, err error) {
		l.got, err = a.run(ctx)
		return l.got, err
	}}
	return l
}

// lead is how long before their start loads that run side by side are begun: they open
// their connections in it.
const lead = 500 * time.Millisecond

// atLowRate is a load that leaves the machine mostly idle, long enough for a p99.
func (b *bench) atLowRate(events []store.ID, auth string) load.Plan {
	return load.Plan{Connections: 64, Rate: 200, For: 2 * b.Window, Next: b.crowd.Requests(events, auth)}
}
