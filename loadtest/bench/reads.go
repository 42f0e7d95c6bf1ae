package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/crowd"
	"github.com/eventio/eventio/loadtest/procfs"
	"github.com/eventio/eventio/loadtest/report"
)

// reads is S11.
func reads(ctx context.Context, b *bench) error {
	s, err := b.newSystem(ctx, 1, b.Auth)
	if err != nil {
		return err
	}
	if _, err := s.newEvents(ctx, b.size(10_000, 500), plenty); err != nil {
		return err
	}
	n := b.size(1_000_000, 20_000)
	b.say("  registering %d users", n)
	large, _, err := s.preload(ctx, n, plenty)
	if err != nil {
		return err
	}
	alone := s.hot("burst alone", some)
	paths := []string{"/api/events", "/api/events/" + large.Hex() + "/registrations"}
	read := s.reading("burst beside readers", s.hot("", some), paths)
	if err := b.alternate(ctx, s.reading(alone.name, alone, nil), read); err != nil {
		return err
	}
	b.result.Compare(read.name, alone.name, goodput, report.AtLeast(0.8))
	b.result.Compare(read.name, alone.name, apiMemory, report.AtMost(1.25))
	b.result.Judge(read.name, "lists and rosters read", report.Goal{})
	return nil
}

// readPause is between two readings of the same list.
const readPause = time.Second

// reading is an arm: another one, while each of the paths is read over and over, with a pause
// in which nobody is served but the burst.
func (s *system) reading(name string, burst arm, paths []string) arm {
	return arm{name, func(ctx context.Context) (figures, error) {
		if err := procfs.ForgetPeak(s.api.Pid); err != nil {
			return nil, err
		}
		token := ""
		if s.auth == setup.Token {
			token = s.organizer.Token
		}
		reading, stop := context.WithCancel(ctx)
		defer stop()
		var readers sync.WaitGroup
		var whole atomic.Int64
		errs := make([]error, len(paths))
		for i, path := range paths {
			readers.Go(func() {
				for reading.Err() == nil {
					err := crowd.ReadWhole(reading, "http://"+s.addr+path, token)
					if err != nil && reading.Err() == nil {
						errs[i] = err
						return
					}
					if err == nil {
						whole.Add(1)
					}
					select {
					case <-reading.Done():
					case <-time.After(readPause):
					}
				}
			})
		}
		got, err := burst.run(ctx)
		stop()
		readers.Wait()
		for _, e := range errs {
			if err == nil {
				err = e
			}
		}
		if err != nil {
			return nil, fmt.Errorf("beside readers: %w", err)
		}
		peak, err := procfs.PeakMemory(s.api.Pid)
		got[apiMemory] = float64(peak) / (1 << 20)
		got["lists and rosters read"] = float64(whole.Load())
		return got, err
	}}
}
