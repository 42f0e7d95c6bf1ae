package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"syscall"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv/issuer"
	"github.com/eventio/eventio/internal/testenv/nginx"
	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// hotBy is an arm: a burst on a new event. prove makes the n-th person of a round with their proof.
func (s *system) hotBy(name string, prove func(round, n int) (load.Request, error)) arm {
	round := 0
	return arm{name, func(ctx context.Context) (figures, error) {
		round++
		events, err := s.newEvents(ctx, 1, plenty)
		if err != nil {
			return nil, err
		}
		all := make([]load.Request, s.b.expected())
		for n := range all { // before: doing it while the load runs would slow it
			if all[n], err = prove(round, n); err != nil {
				return nil, err
			}
			all[n].Event = events[0]
		}
		var asked atomic.Int64
		_, got, err := s.load(ctx, load.Plan{Connections: few, Next: func() (load.Request, bool) {
			n := int(asked.Add(1) - 1)
			if n >= len(all) {
				return load.Request{}, false
			}
			return all[n], true
		}}, http.StatusCreated)
		return got, err
	}}
}

// identities is S16: people whom another issuer, a gateway's header and API keys have proven, in turn with our own tokens, and
// a burst and readers through nginx, in turn with the way without it. All come to the same processes.
func identities(ctx context.Context, b *bench) error {
	const own, others, first, header, key = "own token", "token of an issuer", "token of an issuer, never seen before", "header of a gateway", "API key"
	const reads, through = "one event", ", through nginx"
	is, err := issuer.New()
	if err != nil {
		return err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { is.Close(); return nil })
	b.env = []string{
		"EVENTIO_OIDC_ISSUER=" + is.URL, "EVENTIO_OIDC_AUDIENCE=" + issuer.Audience, "EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_IDENTITY_HEADER=X-Remote-User",
	}
	s, err := b.newSystem(ctx, 1, setup.Token)
	if err != nil {
		return err
	}
	front, proxy, err := nginx.Start(ctx, b.dir, s.addr)
	if err != nil {
		return err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { return proxy.End(syscall.SIGTERM) }) // its workers outlive a kill
	if err := awaitReady(ctx, front); err != nil {
		return err
	}
	events, err := s.newEvents(ctx, 1, plenty)
	if err != nil {
		return err
	}
	keys := crowd.NewPrograms(s.store)
	byOwn := func(int, int) (load.Request, error) {
		who, err := b.crowd.Mint()
		return load.Request{Seat: load.Seat{User: who.ID}, Token: who.Token}, err
	}
	byIssuer := func(round, n int) (load.Request, error) {
		subject := fmt.Sprintf("%d of %d", n, round)
		token, err := is.Token(subject, nil)
		return load.Request{Seat: load.Seat{User: foreign.ID(is.URL, subject)}, Token: token}, err
	}
	known := make([]load.Request, b.expected())
	for n := range known {
		if known[n], err = byIssuer(-1, n); err != nil {
			return err
		}
	}
	reading := s.asking(reads, crowd.Always("/api/events/"+events[0].Hex()))
	if err := b.alternate(ctx,
		s.hotBy(key, func(_, n int) (load.Request, error) { return keys.Request(ctx, n) }),
		s.hotBy(own, byOwn),
		s.hotBy(others, func(_, n int) (load.Request, error) { return known[n], nil }),
		s.hotBy(header, func(_, n int) (load.Request, error) {
			name := fmt.Sprint(n)
			return load.Request{Seat: load.Seat{User: foreign.ID(foreign.Gateway, name)}, Header: "X-Remote-User: " + name}, nil
		}),
		// People whom nobody has seen are noted as users for a moment after the load, beside what is not compared with tokens.
		s.by(front, s.hotBy(own+through, byOwn)), s.hotBy(first, byIssuer), reading, s.by(front, arm{reads + through, reading.run}),
	); err != nil {
		return err
	}
	for _, name := range []string{others, header, key} {
		b.result.Compare(name, own, goodput, report.AtLeast(0.95))
	}
	b.result.Compare(first, own, goodput, report.Goal{})
	b.result.Compare(own+through, own, goodput, report.Goal{})
	b.result.Compare(reads+through, reads, goodput, report.Goal{})
	b.result.Judge(own, cpuOfAll, report.Goal{})
	b.result.Judge(first, cpuOfAll, report.Goal{})
	return nil
}

// by is an arm whose load goes to another address, which hands it on.
func (s *system) by(addr string, a arm) arm {
	return arm{a.name, func(ctx context.Context) (figures, error) {
		defer func(direct string) { s.addr = direct }(s.addr)
		s.addr = addr
		return a.run(ctx)
	}}
}
