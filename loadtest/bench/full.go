package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/giveback"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// soldOut is S3.
func soldOut(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 2)
	if err != nil {
		return err
	}
	const places = 1000
	event, ids, err := s.preload(ctx, places, places)
	if err != nil {
		return err
	}
	holders, err := b.crowd.Members(ids, s.auth)
	if err != nil {
		return err
	}
	storm := func(share float64) func(context.Context) (figures, error) {
		return func(ctx context.Context) (figures, error) {
			next, err := b.crowd.Prepare(b.expected(), []store.ID{event}, s.auth)
			if err != nil {
				return nil, err
			}
			_, got, err := s.load(ctx, load.Plan{Connections: many, Next: func() (load.Request, bool) {
				if rand.Float64() < share {
					m := holders[rand.IntN(len(holders))]
					return load.Request{Seat: load.Seat{Event: event, User: m.ID}, Token: m.Token}, true
				}
				return next()
			}}, http.StatusConflict, http.StatusBadRequest)
			return got, err
		}
	}
	if err := b.alternate(ctx,
		arm{"product, all sold out", storm(0)}, arm{"product, 90 % registered already", storm(0.9)},
		l1.burst("L1", many)); err != nil {
		return err
	}
	b.result.Compare("product, all sold out", "L1", goodput, report.AtLeast(0.95))
	b.result.Compare("product, 90 % registered already", "L1", goodput, report.AtLeast(0.95))
	b.result.Judge("product, all sold out", usage.PerRequest, report.AtMost(0.02))
	b.result.Judge("product, 90 % registered already", usage.PerRequest, report.AtMost(0.02))
	b.result.Compare("product, all sold out", "L1", p99, report.Goal{})
	b.say("  freeing places")
	if err := s.proveFresh(ctx, event, holders[:b.size(50, 5)]); err != nil {
		return err
	}
	_, err = s.freeInStorm(ctx, event, holders[b.size(50, 5):][:b.size(20, 5)])
	return err
}

// proveFresh frees places of a full event one by one and makes sure that the very next
// request gets each, and the one after it none; then the same with a larger capacity.
func (s *system) proveFresh(ctx context.Context, event store.ID, leaving []crowd.Member) error {
	next := func(want error) error {
		m, err := s.b.crowd.Mint()
		if err != nil {
			return err
		}
		_, err = s.as(m).Register(ctx, event, m.ID)
		if err == nil {
			s.accounts[event].Told = append(s.accounts[event].Told, m.ID)
		}
		if !errors.Is(err, want) {
			return fmt.Errorf("a refusal or a grant is stale: the answer is %v, want %v", err, want) //nolint:errorlint // both are what is compared; neither is the cause
		}
		return nil
	}
	steps := make([]func() error, 0, len(leaving)+1)
	for _, m := range leaving {
		steps = append(steps, func() error { return s.leave(ctx, event, m) })
	}
	steps = append(steps, func() error {
		_, err := s.as(s.organizer).EditEvent(ctx, event, "*", client.EventEdit{Capacity: new(int64(1001))}) // 1,000 are there
		return err
	})
	for _, free := range steps {
		for range 4 { // both workers know that it is full
			if err := next(client.CodeSoldOut); err != nil {
				return err
			}
		}
		if err := free(); err != nil {
			return err
		}
		if err := next(nil); err != nil {
			return err
		}
	}
	return next(client.CodeSoldOut)
}

// leave gives a seat back that was held from the start.
func (s *system) leave(ctx context.Context, event store.ID, m crowd.Member) error {
	s.accounts[event].Before--
	return s.as(m).CancelRegistration(ctx, event, m.ID)
}

// freeInStorm frees places while everybody asks for one: the storm gets each of them, and so soon.
func (s *system) freeInStorm(ctx context.Context, event store.ID, leaving []crowd.Member) ([]time.Duration, error) {
	plan := load.Plan{Addr: s.addr, Connections: some, Next: s.b.crowd.Requests([]store.ID{event}, s.auth)}
	sold, res, err := giveback.Storm(ctx, plan, len(leaving), func(ctx context.Context, i int) error { return s.leave(ctx, event, leaving[i]) })
	s.account(res)
	return sold, err
}
