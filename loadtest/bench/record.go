package main

import (
	"context"
	"errors"
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
	idleWith, idleWithout := idleInTurn(quiet+is, with, quiet+not, without)
	if err := b.alternate(ctx,
		with.hot(hot+is, many), without.hot(hot+not, many), evenlyWith, evenlyWithout, idleWith, idleWithout); err != nil {
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

// idleInTurn are two arms: one client of each system asks ten times a second, both in turn, so that they
// find the machine in the same state. Each request is a batch of its own.
func idleInTurn(name string, s *system, otherName string, other *system) (arm, arm) {
	var took [2]load.Timing
	run := func(ctx context.Context) (figures, error) {
		took = [2]load.Timing{}
		tick := time.NewTicker(100 * time.Millisecond / 2)
		defer tick.Stop()
		var asks [2]func() error
		for i, s := range []*system{s, other} {
			events, err := s.newEvents(ctx, 1, plenty)
			if err != nil {
				return nil, err
			}
			next, err := s.b.crowd.Prepare(s.b.size(50, 5), events, s.auth)
			if err != nil {
				return nil, err
			}
			conn, err := load.Dial(s.addr)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
			asks[i] = func() error {
				request, _ := next()
				err := took[i].Take(tick, func() error { return conn.Grant(request) })
				if err == nil {
					s.account(load.Result{Told: []load.Seat{request.Seat}})
				}
				return err
			}
		}
		for range s.b.size(50, 5) {
			if err := errors.Join(asks[0](), asks[1](), ctx.Err()); err != nil {
				return nil, err
			}
		}
		return figures{p50: took[0].Median()}, nil
	}
	return arm{name, run}, arm{otherName, func(context.Context) (figures, error) { return figures{p50: took[1].Median()}, nil }}
}
