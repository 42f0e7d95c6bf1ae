package main

import (
	"context"
	"fmt"
	"time"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/procfs"
	"github.com/eventio/eventio/loadtest/report"
)

// listeners is S13.
func listeners(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	n := b.size(5000, 200)
	weighed := fmt.Sprintf("%d listeners", n)
	if err := s.weigh(ctx, weighed, n); err != nil {
		return err
	}
	alone := "burst alone"
	beside := fmt.Sprintf("burst beside %d listeners", n)
	if err := b.alternate(ctx, s.listened(alone, 0), s.listened(beside, n)); err != nil {
		return err
	}
	b.result.Compare(beside, alone, goodput, report.AtLeast(0.9))
	b.result.Compare(beside, alone, p99, report.Goal{})
	b.result.Judge(beside, messagesTold, report.Goal{})
	b.result.Judge(weighed, memoryOfListener, report.Goal{})
	return nil
}

const (
	messagesTold     = "messages told a second"
	memoryOfListener = "memory of a listener, KiB"
)

// weigh keeps what a listener costs an API process that has done nothing yet: what a burst leaves behind
// would count as theirs, or take them in.
func (s *system) weigh(ctx context.Context, name string, n int) error {
	events, err := s.newEvents(ctx, 1, plenty)
	if err != nil {
		return err
	}
	before, err := procfs.Memory(s.api.Pid)
	if err != nil {
		return err
	}
	all, err := load.Listen(ctx, s.addr, events[0], n)
	if err != nil {
		return err
	}
	defer all.Close()
	after, err := procfs.Memory(s.api.Pid)
	if err != nil {
		return err
	}
	s.b.result.Keep(name, figures{memoryOfListener: float64(after-before) / 1024 / float64(n)})
	return nil
}

// listened is an arm: a burst on an event to which so many listen.
func (s *system) listened(name string, n int) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		events, err := s.newEvents(ctx, 1, plenty)
		if err != nil {
			return nil, err
		}
		all, err := load.Listen(ctx, s.addr, events[0], n)
		if err != nil {
			return nil, err
		}
		defer all.Close()
		heard, started := all.Heard(), time.Now()
		_, got, err := s.burst(ctx, some, events[0])
		if err != nil {
			return nil, err
		}
		got[messagesTold] = float64(all.Heard()-heard) / time.Since(started).Seconds()
		if lost := all.Lost(); lost > 0 {
			return nil, fmt.Errorf("%d of %d streams were cut off", lost, n)
		}
		return got, nil
	}}
}
