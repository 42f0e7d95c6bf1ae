package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
)

// recorded is S12: the product, and a build of it that keeps no record of changes, take turns at S1, S4
// and S6.
func recorded(ctx context.Context, b *bench) error {
	programs := filepath.Join(b.dir, "norecord")
	if err := os.Mkdir(programs, 0o700); err != nil {
		return err
	}
	if err := testenv.BuildTagged(ctx, programs, "norecord", "api", "worker"); err != nil {
		return err
	}
	with, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	without, err := b.newSystemOf(ctx, programs, 1, b.Auth)
	if err != nil {
		return err
	}
	const is, not = ", with", ", without"
	hot := fmt.Sprintf("one event, %d connections", many)
	even := fmt.Sprintf("%d events evenly", b.spread())
	const quiet = "idle"
	evenlyWith, err := with.even(ctx, even+is)
	if err != nil {
		return err
	}
	evenlyWithout, err := without.even(ctx, even+not)
	if err != nil {
		return err
	}
	if err := b.alternate(ctx,
		with.hot(hot+is, many), without.hot(hot+not, many), evenlyWith, evenlyWithout,
		with.idle(quiet+is), without.idle(quiet+not)); err != nil {
		return err
	}
	b.result.Compare(hot+is, hot+not, goodput, report.AtLeast(0.95))
	b.result.Compare(even+is, even+not, goodput, report.AtLeast(0.95))
	b.result.Compare(quiet+not, quiet+is, p50, report.AtLeast(0.95))
	b.result.Compare(hot+is, hot+not, p99, report.Goal{})
	b.result.Compare(hot+is, hot+not, journalBytes, report.Goal{})
	b.result.Compare(even+is, even+not, journalBytes, report.Goal{})
	return nil
}

// idle is an arm: one client asks ten times a second, each request is a batch of its own.
func (s *system) idle(name string) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		n := s.b.size(50, 5)
		events, err := s.newEvents(ctx, 1, plenty)
		if err != nil {
			return nil, err
		}
		next, err := s.b.crowd.prepare(n, events, s.auth)
		if err != nil {
			return nil, err
		}
		conn, err := load.Dial(s.addr)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		var took load.Timing
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		told := make([]load.Seat, 0, n)
		for range n {
			request, _ := next()
			if err := took.Take(tick, func() error { return conn.Grant(request) }); err != nil {
				return nil, err
			}
			if told = append(told, request.Seat); ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		s.account(load.Result{Told: told})
		return figures{p50: took.Median()}, nil
	}}
}
