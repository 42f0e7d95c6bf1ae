package main

import (
	"context"
	"net/http"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/baseline"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// transport starts L0, L1 or another baseline that stores nothing.
func (b *bench) transport(ctx context.Context, name string) (*target, error) {
	t := &target{b: b}
	var args []string
	if name == "l1" {
		nats, url, err := b.role(ctx, "nats")
		if err != nil {
			return nil, err
		}
		args = []string{"--nats-url", url}
		worker, _, err := b.role(ctx, "l1-worker", args...)
		if err != nil {
			return nil, err
		}
		t.processes = append(t.processes, nats, worker)
	}
	p, addr, err := b.role(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	t.addr, t.processes = addr, append(t.processes, p)
	return t, nil
}

// burst is an arm: a load of new users on one event, all of them told 201.
func (t *target) burst(name string, connections int) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		_, got, err := t.load(ctx, load.Plan{
			Connections: connections, Next: t.b.crowd.Requests(someEvent(), setup.Trusted),
		}, http.StatusCreated)
		return got, err
	}}
}

// someEvent is what a baseline is asked for that knows no events.
func someEvent() []store.ID { return []store.ID{store.NewID()} }

// systemAndL1 starts what most scenarios compare.
func (b *bench) systemAndL1(ctx context.Context, workers int) (*system, *target, error) {
	s, err := b.newSystem(ctx, workers, b.Auth)
	if err != nil {
		return nil, nil, err
	}
	l1, err := b.transport(ctx, "l1")
	return s, l1, err
}

// original is P.
type original struct {
	target
	*baseline.Embedded
}

// originalConnections is how many ask P for one event: about as many as are fastest with
// 1,000 registered. With 100,000 each collision costs so much that one alone is faster than
// a crowd; but a sale has a crowd.
const originalConnections = 64

// slowAt is the number of registrations with which a crowd's request takes P over a second.
const slowAt = 100_000

// newOriginal starts P with one form of its update: p is updateOne, p-find findOneAndUpdate.
func (b *bench) newOriginal(ctx context.Context, form string) (*original, error) {
	uri := b.database()
	e, err := baseline.OpenEmbedded(uri)
	if err != nil {
		return nil, err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { return e.Close() })
	o := &original{target{b: b, read: e.Account}, e}
	p, addr, err := b.role(ctx, form, "--mongodb-uri", uri)
	if err != nil {
		return nil, err
	}
	o.addr, o.processes = addr, append(o.processes, p)
	b.atEnd = append(b.atEnd, o.check)
	return o, nil
}

// burst is an arm: at most n new users on new events that hold so many registrations each.
// Where that makes P slow it gets more time than the others, or its first answers would be
// all that counts.
// Requests that are still under way at the window's end are cut off: P may need minutes for
// them. What they do is unknown to the check, and mongod is made to forget them, or they
// would take its time from whoever comes next.
func (o *original) burst(name string, connections, events, registered, n int) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		ids, err := o.Create(ctx, events, registered)
		if err != nil {
			return nil, err
		}
		o.owe(ids, registered)
		window := o.b.Window
		if registered >= slowAt {
			window *= 3
		}
		_, got, err := o.load(ctx, load.Plan{
			Connections: connections, For: window, Drain: time.Millisecond,
			Next: load.UpTo(n, o.b.crowd.Requests(ids, setup.Trusted)),
		})
		if err != nil {
			return nil, err
		}
		return got, o.Calm(ctx, startLimit)
	}}
}
