package main

import (
	"context"
	"errors"
	"time"

	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
)

// idle is S6: product, L1 and the bare store are asked in turn, ten times a second each, so
// that all three find the machine in the same state.
func idle(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 1)
	if err != nil {
		return err
	}
	events, err := s.newEvents(ctx, 2, plenty)
	if err != nil {
		return err
	}
	ours, err := load.Dial(s.addr)
	if err != nil {
		return err
	}
	defer ours.Close()
	theirs, err := load.Dial(l1.addr)
	if err != nil {
		return err
	}
	defer theirs.Close()
	n := b.size(50, 5)
	err = b.alternate(ctx, arm{"idle", func(ctx context.Context) (figures, error) {
		if err := s.workers[0].Forget(); err != nil {
			return nil, err
		}
		next, err := b.crowd.Prepare(n, events[:1], s.auth)
		if err != nil {
			return nil, err
		}
		var product, queue, bare load.Timing
		tick := time.NewTicker(100 * time.Millisecond / 3)
		defer tick.Stop()
		for range n {
			request, _ := next()
			batch := crowd.SeatRequests(events[1], 1)
			if err := errors.Join(
				product.Take(tick, func() error { return ours.Grant(request) }),
				queue.Take(tick, func() error { return theirs.Grant(request) }),
				bare.Take(tick, func() error { return crowd.Grant(ctx, s.store, batch) }),
			); err != nil {
				return nil, err
			}
			s.account(load.Result{Told: []load.Seat{request.Seat, {Event: events[1], User: batch[0].UserID}}})
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		sizes, err := load.Batches(ctx, n, s.workers...)
		return figures{
			"ms p50 of product": product.Median(), "ms p50 of L1": queue.Median(), "ms p50 of one store write": bare.Median(),
			"ms p50 - (L1 + store write)": product.Median() - queue.Median() - bare.Median(),
			meanBatch:                     float64(n) / float64(max(len(sizes), 1)),
		}, err
	}})
	if err != nil {
		return err
	}
	b.result.Judge("idle", "ms p50 - (L1 + store write)", report.AtMost(0.2))
	b.result.Judge("idle", meanBatch, report.AtMost(1))
	for _, figure := range []string{"ms p50 of product", "ms p50 of L1", "ms p50 of one store write"} {
		b.result.Judge("idle", figure, report.Goal{})
	}
	return nil
}
