package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

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
		next, err := b.crowd.prepare(n, events[:1], s.auth)
		if err != nil {
			return nil, err
		}
		var product, queue, bare timing
		tick := time.NewTicker(100 * time.Millisecond / 3)
		defer tick.Stop()
		for range n {
			request, _ := next()
			batch := seatRequests(events[1], 1)
			if err := errors.Join(
				product.take(tick, granted(ours, request)),
				queue.take(tick, granted(theirs, request)),
				bare.take(tick, func() error { return s.apply(ctx, batch) }),
			); err != nil {
				return nil, err
			}
			s.account(load.Result{Told: []load.Seat{request.Seat, {Event: events[1], User: batch[0].UserID}}})
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		sizes, err := batches(ctx, n, s.workers...)
		return figures{
			"ms p50 of product": product.millis(), "ms p50 of L1": queue.millis(), "ms p50 of one store write": bare.millis(),
			"ms p50 - (L1 + store write)": product.millis() - queue.millis() - bare.millis(),
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

// granted returns a call that asks for a seat and must get it.
func granted(c *load.Conn, w load.Request) func() error {
	return func() error {
		status, err := c.Register(w)
		if err == nil && status != http.StatusCreated {
			err = fmt.Errorf("the answer is %d", status)
		}
		return err
	}
}

// timing keeps how long something takes.
type timing struct{ h *hdrhistogram.Histogram }

// take waits for the next tick and times do.
func (t *timing) take(tick *time.Ticker, do func() error) error {
	if t.h == nil {
		t.h = hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	}
	<-tick.C
	started := time.Now()
	if err := do(); err != nil {
		return err
	}
	return t.h.RecordValue(time.Since(started).Microseconds())
}

func (t *timing) millis() float64 { return load.Quantile(t.h, 0.5).Seconds() * 1000 }
