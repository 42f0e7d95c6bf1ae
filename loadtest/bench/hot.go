package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
	"github.com/eventio/eventio/pkg/store"
)

const many, some, few = 1024, 256, 64 // connections

// hotEvent is S1.
func hotEvent(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	l0, err := b.transport(ctx, "l0")
	if err != nil {
		return err
	}
	l1, err := b.transport(ctx, "l1")
	if err != nil {
		return err
	}
	p, err := b.newOriginal(ctx, "p")
	if err != nil {
		return err
	}
	find, err := b.newOriginal(ctx, "p-find")
	if err != nil {
		return err
	}
	large := b.size(100_000, 10_000)
	b.say("  registering %d users", large)
	full, _, err := s.preload(ctx, large, plenty)
	if err != nil {
		return err
	}
	rosterName := strconv.Itoa(large) + " registered"
	const slice = 512 // requests to P: its cost grows with every one
	arms := []arm{
		s.hot("product, 1024 connections", many), l1.burst("L1, 1024 connections", many),
		s.hot("product, 256 connections", some), l1.burst("L1, 256 connections", some),
		s.hot("product, 64 connections", few), l1.burst("L1, 64 connections", few),
		l0.burst("L0, 1024 connections", many),
		{"L2, batches of 512", func(ctx context.Context) (figures, error) { return s.raw(ctx, 512) }},
		{"product, " + rosterName, func(ctx context.Context) (figures, error) {
			_, got, err := s.burst(ctx, many, full)
			return got, err
		}},
		p.burst("P, 1000 registered", originalConnections, 1, 1000-slice/2, slice),
		find.burst("P with findOneAndUpdate, 1000 registered", originalConnections, 1, 1000-slice/2, slice),
	}
	if b.Auth == setup.Trusted {
		tokens, err := b.newSystem(ctx, 1, setup.Token)
		if err != nil {
			return err
		}
		arms = append(arms, tokens.hot("product with tokens, 1024 connections", many))
	}
	arms = append(arms,
		p.burst("P, "+rosterName, originalConnections, 1, large, slice),
		p.burst("P, "+rosterName+", one at a time", 1, 1, large, slice))
	if err := b.alternate(ctx, arms...); err != nil {
		return err
	}
	b.result.Compare("product, 1024 connections", "L1, 1024 connections", goodput, report.AtLeast(0.8))
	b.result.Compare("product, 256 connections", "L1, 256 connections", goodput, report.AtLeast(0.6))
	b.result.Compare("product, 64 connections", "L1, 64 connections", goodput, report.Goal{})
	b.result.Compare("product, 1024 connections", "P, 1000 registered", goodput, report.AtLeast(50))
	b.result.Compare("product, "+rosterName, "P, "+rosterName, goodput, report.AtLeast(500))
	b.result.Compare("product, "+rosterName, "P, "+rosterName+", one at a time", goodput, report.Goal{})
	b.result.Compare("product, 1024 connections", "P with findOneAndUpdate, 1000 registered", goodput, report.Goal{})
	b.result.Compare("product, 1024 connections", "L0, 1024 connections", goodput, report.Goal{})
	b.result.Compare("product, 1024 connections", "L2, batches of 512", goodput, report.Goal{})
	if b.Auth == setup.Trusted {
		b.result.Compare("product with tokens, 1024 connections", "L1, 1024 connections", goodput, report.Goal{})
	}
	b.result.Compare("product, 1024 connections", "L1, 1024 connections", p99, report.Goal{})
	for _, figure := range []string{meanBatch, usage.PerRequest, journalBytes} {
		b.result.Judge("product, 1024 connections", figure, report.Goal{})
	}
	for _, name := range []string{"product, 1024 connections", "L1, 1024 connections"} {
		b.judgeCPU(name)
	}
	b.result.PlotQuantiles("s1-latency.svg", "S1: latency at 1,024 connections", []string{p50, p90, p99, p999, slowest}, "product, 1024 connections", "L1, 1024 connections")
	return nil
}

// raw is L2: the store fed with full batches, one after the other.
func (s *system) raw(ctx context.Context, size int) (figures, error) {
	events, err := s.newEvents(ctx, 1, plenty)
	if err != nil {
		return nil, err
	}
	before, err := s.usage(ctx)
	if err != nil {
		return nil, err
	}
	n := 0
	started := time.Now()
	for time.Since(started) < s.b.Window {
		if err := crowd.Grant(ctx, s.store, crowd.SeatRequests(events[0], size)); err != nil {
			return nil, err
		}
		n += size
	}
	rate := float64(n) / time.Since(started).Seconds()
	after, err := s.usage(ctx)
	if err != nil {
		return nil, err
	}
	s.owe(events, n)
	return figures{goodput: rate, cpuOfAll: after.Since(before).Millis(n, func(name string) bool { return name == "load" || name == "mongod" })}, nil
}

// herd is S2.
func herd(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 1)
	if err != nil {
		return err
	}
	const places, requests = 1000, 20_000
	plan := load.Plan{Connections: many, Rate: requests, For: time.Second}
	err = b.alternate(ctx,
		arm{"product", func(ctx context.Context) (figures, error) {
			events, err := s.newEvents(ctx, 1, places)
			if err != nil {
				return nil, err
			}
			plan := plan
			if plan.Next, err = b.crowd.Prepare(requests, events, s.auth); err != nil {
				return nil, err
			}
			res, got, err := s.load(ctx, plan, http.StatusCreated, http.StatusConflict)
			if err != nil {
				return nil, err
			}
			got["told 201"] = float64(len(res.Told))
			return got, nil
		}},
		arm{"L1", func(ctx context.Context) (figures, error) {
			plan := plan
			plan.Next = b.crowd.Requests(someEvent(), setup.Trusted)
			_, got, err := l1.load(ctx, plan, http.StatusCreated)
			return got, err
		}})
	if err != nil {
		return err
	}
	b.result.Judge("product", "told 201", report.Exactly(places))
	b.result.Compare("product", "L1", took, report.AtMost(1.3))
	b.result.Compare("product", "L1", p99, report.Goal{})
	b.result.Judge("product", usage.PerRequest, report.Goal{})
	return nil
}

// rosters is S7.
func rosters(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	sizes := []int{1000, 10_000, 100_000, 1_000_000}
	if b.Quick {
		sizes = []int{1000, 20_000}
	}
	least, most := sizes[0], sizes[len(sizes)-1]
	b.say("  registering %d users", most)
	largest, _, err := s.preload(ctx, most, plenty)
	if err != nil {
		return err
	}
	name := func(size int) string { return "product, registered before: " + strconv.Itoa(size) }
	var arms []arm
	for _, size := range sizes {
		arms = append(arms, arm{name(size), func(ctx context.Context) (figures, error) {
			event := largest // grows little by a round, the others would grow much
			if size != most {
				var err error
				if event, _, err = s.preload(ctx, size, plenty); err != nil {
					return nil, err
				}
			}
			n := b.size(20_000, 2000)
			next, err := b.crowd.Prepare(n, []store.ID{event}, s.auth)
			if err != nil {
				return nil, err
			}
			_, got, err := s.load(ctx, load.Plan{Connections: some, For: time.Minute, Next: load.UpTo(n, next)}, http.StatusCreated)
			return got, err
		}})
	}
	if err := b.alternate(ctx, arms...); err != nil {
		return err
	}
	b.result.Compare(name(most), name(least), goodput, report.Within(0.1))
	b.result.Compare(name(most), name(least), journalBytes, report.Within(0.1))
	var names []string
	for _, size := range sizes {
		names = append(names, name(size))
	}
	b.result.PlotBars("s7-rosters.svg", "S7: by users registered before", goodput, names...)
	return nil
}

// embedded is S10.
func embedded(ctx context.Context, b *bench) error {
	p, err := b.newProduct(b.Auth)
	if err != nil {
		return err
	}
	p.read = p.stored
	cmd := exec.Command(filepath.Join(b.dir, "eventio"), "--data", filepath.Join(b.dir, "eventio-data"))
	cmd.Env = p.env()
	eventio, addr, err := b.start(ctx, "eventio", cmd, "listening on http://")
	if err == nil {
		err = p.meet(addr)
	}
	if err == nil {
		err = awaitReady(ctx, addr)
	}
	if err != nil {
		return err
	}
	p.processes = append(p.processes, eventio)
	p.workers = p.processes
	b.atEnd = append(b.atEnd, p.check)
	l1, err := b.transport(ctx, "l1-embedded")
	if err != nil {
		return err
	}
	if err := b.alternate(ctx, p.hot("eventio with SQLite, 1024 connections", many), l1.burst("L1 in one process", many)); err != nil {
		return err
	}
	b.result.Compare("eventio with SQLite, 1024 connections", "L1 in one process", goodput, report.AtLeast(0.7))
	b.result.Compare("eventio with SQLite, 1024 connections", "L1 in one process", p99, report.Goal{})
	b.result.Judge("eventio with SQLite, 1024 connections", meanBatch, report.Goal{})
	return nil
}

// workers is S9.
func workers(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	counts := []int{1, 2, 4, 8}
	if b.Quick {
		counts = []int{1, 2}
	}
	even, err := s.newEvents(ctx, b.size(10_000, 500), plenty)
	if err != nil {
		return err
	}
	hotName := func(n int) string { return fmt.Sprintf("one event, workers: %d", n) }
	evenName := func(n int) string { return fmt.Sprintf("%d events, workers: %d", len(even), n) }
	var arms []arm
	for _, n := range counts {
		hot := s.hot(hotName(n), many)
		arms = append(arms, arm{hot.name, func(ctx context.Context) (figures, error) {
			if err := s.scale(ctx, n); err != nil {
				return nil, err
			}
			fresh, err := s.newEvents(ctx, n, plenty)
			if err != nil {
				return nil, err
			}
			if err := s.settle(ctx, time.Second, fresh...); err != nil {
				return nil, err
			}
			return hot.run(ctx)
		}}, arm{evenName(n), func(ctx context.Context) (figures, error) {
			// A worker knows an event of another one when it has met it twice.
			if err := s.settle(ctx, 4*time.Second, even...); err != nil {
				return nil, err
			}
			_, got, err := s.burst(ctx, many, even...)
			return got, err
		}})
	}
	if err := b.alternate(ctx, arms...); err != nil {
		return err
	}
	names := func(of func(int) string) (all []string) {
		for _, n := range counts {
			all = append(all, of(n))
		}
		return all
	}
	b.result.Extremes("one event, any number of workers", goodput, report.AtLeast(0.9), names(hotName)...)
	last := counts[len(counts)-1]
	b.result.Compare(hotName(last), hotName(1), p99, report.AtMost(1.5))
	for i, n := range counts[1:] {
		b.result.Compare(evenName(n), evenName(counts[i]), goodput, report.AtLeast(0.95))
	}
	for _, n := range counts {
		b.result.Judge(evenName(n), meanBatch, report.Goal{})
		b.result.Judge(evenName(n), cpuOfAll, report.Goal{})
		b.judgeWork(evenName(n))
	}
	b.result.PlotBars("s9-workers.svg", "S9: by workers", goodput, slices.Concat(names(hotName), names(evenName))...)
	return nil
}

// settle makes a load that does not count: the API finds out which workers there are, and
// they find out about the events.
func (s *system) settle(ctx context.Context, how time.Duration, events ...store.ID) error {
	if s.b.Quick {
		how /= 10
	}
	_, _, err := s.load(ctx, load.Plan{Connections: some, For: how, Next: s.b.crowd.Requests(events, s.auth)})
	return err
}
