package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv/issuer"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// leastOfOwn is what another proof must give of the throughput of our own tokens (S16).
const leastOfOwn = 0.95

// proven makes the n-th person of a round with their proof.
type proven func(round, n int) (load.Request, error)

// hotBy is an arm: a burst on a new event by people with a proof of their own.
func (s *system) hotBy(name string, connections int, prove proven) arm {
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
		_, got, err := s.load(ctx, load.Plan{Connections: connections, Next: func() (load.Request, bool) {
			n := int(asked.Add(1) - 1)
			if n >= len(all) {
				return load.Request{}, false
			}
			return all[n], true
		}}, http.StatusCreated)
		return got, err
	}}
}

// BenchmarkIdentities is the part of S16 about who is calling: a burst at one event by people whom another
// issuer has proven, and a gateway's header, in turn with our own tokens, at the same processes. It fails below
// leastOfOwn.
func BenchmarkIdentities(b *testing.B) {
	const own, others, header = "own token", "token of an issuer", "header of a gateway"
	is := issuer.Start(b)
	b.Setenv("EVENTIO_OIDC_ISSUER", is.URL)
	b.Setenv("EVENTIO_OIDC_AUDIENCE", issuer.Audience)
	b.Setenv("EVENTIO_TRUSTED_PROXIES", "127.0.0.1")
	b.Setenv("EVENTIO_IDENTITY_HEADER", "X-Remote-User")
	m := measureIn(b, func(ctx context.Context, m *bench) ([]arm, error) {
		s, err := m.newSystem(ctx, 1, setup.Token)
		if err != nil {
			return nil, err
		}
		return []arm{
			s.hotBy(own, few, func(int, int) (load.Request, error) {
				who, err := m.crowd.Mint()
				return load.Request{Seat: load.Seat{User: who.ID}, Token: who.Token}, err
			}),
			s.hotBy(others, few, func(round, n int) (load.Request, error) {
				subject := fmt.Sprintf("%d of %d", n, round)
				token, err := is.Token(subject, nil)
				return load.Request{Seat: load.Seat{User: foreign.ID(is.URL, subject)}, Token: token}, err
			}),
			s.hotBy(header, few, func(round, n int) (load.Request, error) {
				name := fmt.Sprintf("%d of %d", n, round)
				return load.Request{Seat: load.Seat{User: foreign.ID(foreign.Gateway, name)}, Header: "X-Remote-User: " + name}, nil
			}),
		}, nil
	})
	median(b, m, own, goodput, "req/s")
	byIssuer := ratio(b, m, others, own, "ratio_issuer")
	byHeader := ratio(b, m, header, own, "ratio_header")
	b.Log("\n" + report.Report{Scenarios: []report.Result{m.result}}.Table())
	if byIssuer < leastOfOwn || byHeader < leastOfOwn {
		b.Fatalf("the ratios are %.2f and %.2f, want at least %.2f", byIssuer, byHeader, leastOfOwn)
	}
}
