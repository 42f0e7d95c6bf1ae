package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// enterRate is how many people a second log in or sign up: ten times what a core of hashing takes.
	enterRate = 500
	entered   = "logged in or signed up/s"
	turned    = "told to come later/s"
	turnedP99 = "ms p99 of being told so"
)

// entering is S18: people who log in, and as many who sign up, at ten times the rate that hashing allows, beside a
// burst. Each comes once; a crowd that obeys Retry-After comes less often.
func entering(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	alone, beside := s.hot("burst alone", some), arm{"burst beside a crowd that enters", func(ctx context.Context) (figures, error) {
		crowd := load.Background(s.comers())
		got, err := s.hot("", some).run(ctx)
		o := <-crowd
		if err == nil {
			err = o.Err
		}
		if err != nil {
			return nil, err
		}
		return got, tellEntered(o.Result, got)
	}}
	quiet := arm{"a crowd that enters, alone", func(ctx context.Context) (figures, error) {
		o := <-load.Background(s.comers())
		got := figures{}
		if o.Err != nil {
			return nil, o.Err
		}
		return got, tellEntered(o.Result, got)
	}}
	if err := b.alternate(ctx, alone, beside, quiet); err != nil {
		return err
	}
	b.result.Compare(beside.name, alone.name, goodput, report.AtLeast(0.9))
	b.result.Compare(beside.name, alone.name, p99, report.Goal{})
	for _, name := range []string{beside.name, quiet.name} {
		for _, figure := range []string{entered, turned, turnedP99} {
			b.result.Judge(name, figure, report.Goal{})
		}
	}
	return nil
}

// comers is a load of people who log in, with a wrong password, which is hashed too, and who sign up.
func (s *system) comers() load.Plan {
	var n atomic.Int64
	return load.Plan{Addr: s.addr, Connections: many / 2, For: s.b.Window, Rate: enterRate, GiveUp: s.b.Window, Next: func() (load.Request, bool) {
		address := store.NewID().Hex() + "@example.org"
		if n.Add(1)%2 == 0 {
			return load.Request{Path: "/api/login", Body: fmt.Sprintf(`{"email":%q,"password":"not the right one"}`, address)}, true
		}
		return load.Request{Path: "/api/users", Body: fmt.Sprintf(`{"name":"Ada","email":%q,"password":"correct horse battery"}`, address)}, true
	}}
}

// tellEntered adds what became of a crowd that enters.
func tellEntered(res load.Result, got figures) error {
	if err := res.Expect(http.StatusCreated, http.StatusUnauthorized, http.StatusServiceUnavailable); err != nil {
		return err
	}
	refused := load.Only(http.StatusServiceUnavailable)
	got[entered] = res.Rate(load.Served)
	got[turned] = res.Rate(refused)
	got[turnedP99] = load.Quantile(res.Latency(refused), 0.99).Seconds() * 1000
	return nil
}
