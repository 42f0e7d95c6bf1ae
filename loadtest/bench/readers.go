package main

import (
	"context"
	"fmt"
	"math/rand"
	"net/http"

	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/usage"
)

// storeReads is a figure: commands that MongoDB carries out in a second.
const storeReads = "store commands/s"

// readers is S14. Its baseline is /livez, which goes through the same handlers and asks nobody.
func readers(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	events, err := s.newEvents(ctx, b.size(10_000, 200), plenty)
	if err != nil {
		return err
	}
	n := b.size(20_000, 500)
	b.say("  registering %d users", n)
	event, ids, err := s.preload(ctx, n, plenty)
	if err != nil {
		return err
	}
	people, err := b.crowd.Members(ids, s.auth)
	if err != nil {
		return err
	}
	path := "/api/events/" + event.Hex()
	someone := func(path func(crowd.Member) string) func() load.Request {
		return func() load.Request {
			m := people[rand.Intn(len(people))]
			return load.Request{Path: path(m), Token: m.Token}
		}
	}
	alone, one := latest(s.hot("burst alone", some)), latest(s.asking("one event", crowd.Always(path)))
	const left = "burst alone, less the readers' share"
	if err := b.alternate(ctx,
		s.asking("/livez", crowd.Always("/livez")),
		one.arm,
		s.asking("10,000 events by Zipf", crowd.Zipf(events)),
		s.asking("am I in?", someone(func(m crowd.Member) string { return path + "/registrations/" + m.ID.Hex() })),
		s.asking("a person's list", someone(func(m crowd.Member) string { return "/api/users/" + m.ID.Hex() + "/registrations" })),
		s.asking("a page of events", crowd.Always("/api/events?limit=20")),
		alone.arm, s.beside("burst beside readers", s.hot("", some), crowd.Always(path)),
		arm{left, func(context.Context) (figures, error) {
			return figures{goodput: alone.got[goodput] * (1 - readRate/one.got[goodput])}, nil
		}},
	); err != nil {
		return err
	}
	for name, goal := range map[string]report.Goal{
		"one event": report.AtLeast(0.85), "10,000 events by Zipf": report.AtLeast(0.6), "am I in?": report.AtLeast(0.5),
	} {
		b.result.Compare(name, "/livez", goodput, goal)
	}
	for _, name := range []string{"/livez", "one event", "am I in?"} {
		b.result.Judge(name, cpuOfAll, report.Goal{})
	}
	b.result.Compare("a person's list", "/livez", goodput, report.Goal{})
	b.result.Compare("a page of events", "/livez", goodput, report.Goal{})
	b.result.Judge("one event", storeReads, report.AtMost(1000))
	b.result.Judge("one event", p99, report.Goal{})
	b.result.Compare("burst beside readers", alone.name, goodput, report.Goal{})
	b.result.Compare("burst beside readers", left, goodput, report.AtLeast(1))
	return nil
}

// readRate is how many requests a second read beside a burst.
const readRate = 2000

// asking is an arm: a closed loop of reads.
func (s *system) asking(name string, next func() load.Request) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		res, got, err := s.load(ctx, load.Plan{
			Connections: some, Next: func() (load.Request, bool) { return next(), true },
		})
		if err == nil {
			err = res.Expect(http.StatusOK)
		}
		if err != nil {
			return nil, err
		}
		got[storeReads] = got[usage.PerRequest] * got[goodput]
		return got, nil
	}}
}

// beside is an arm: another one, beside a steady rate of reads.
func (s *system) beside(name string, burst arm, next func() load.Request) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		reading := load.Background(load.Plan{
			Addr: s.addr, Connections: few, For: s.b.Window, Rate: readRate, Next: func() (load.Request, bool) { return next(), true },
		})
		got, err := burst.run(ctx)
		read := <-reading
		if err == nil {
			err = read.Err
		}
		if err == nil {
			err = read.Result.Expect(http.StatusOK)
		}
		if err != nil {
			return nil, fmt.Errorf("beside readers: %w", err)
		}
		return got, nil
	}}
}
