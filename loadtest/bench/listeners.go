package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/loadtest/procfs"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/pkg/store"
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
	before, err := s.memory()
	if err != nil {
		return err
	}
	all, err := s.listen(ctx, events[0], n)
	if err != nil {
		return err
	}
	defer all.close()
	after, err := s.memory()
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
		all, err := s.listen(ctx, events[0], n)
		if err != nil {
			return nil, err
		}
		defer all.close()
		heard, started := all.heard.Load(), time.Now()
		_, got, err := s.burst(ctx, some, events[0])
		if err != nil {
			return nil, err
		}
		got[messagesTold] = float64(all.heard.Load()-heard) / time.Since(started).Seconds()
		if lost := all.lost.Load(); lost > 0 {
			return nil, fmt.Errorf("%d of %d streams were cut off", lost, n)
		}
		return got, nil
	}}
}

// memory is what the API process holds now.
func (s *system) memory() (int64, error) {
	if err := procfs.ForgetPeak(s.api.Pid); err != nil {
		return 0, err
	}
	return procfs.PeakMemory(s.api.Pid)
}

// audience is the clients that listen to one event. They read with a buffer of their own and decode
// nothing, because they share the cores that are measured.
type audience struct {
	conns       []net.Conn
	readers     sync.WaitGroup
	heard, lost atomic.Int64
	closing     atomic.Bool
}

// listen opens so many streams, and returns when each has got its first message.
func (s *system) listen(ctx context.Context, event store.ID, n int) (*audience, error) {
	a := &audience{conns: make([]net.Conn, n)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setupConnections)
	request := "GET /api/events/" + event.Hex() + "/live HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n"
	for i := range a.conns {
		group.Go(func() error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
			if err != nil {
				return err
			}
			a.conns[i] = conn
			_ = conn.SetDeadline(time.Now().Add(callLimit))
			if _, err := conn.Write([]byte(request)); err != nil {
				return err
			}
			text, buf := "", make([]byte, 2048)
			for !strings.Contains(text, "\nevent: state") {
				n, err := conn.Read(buf)
				if err != nil {
					return fmt.Errorf("open a stream: %w", err)
				}
				if text += string(buf[:n]); len(text) > 12 && !strings.HasPrefix(text[9:], fmt.Sprint(http.StatusOK)) {
					return fmt.Errorf("open a stream: %.40q", text)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		a.close()
		return nil, err
	}
	for _, conn := range a.conns {
		a.readers.Go(func() {
			buf := make([]byte, 512)
			for {
				if _, err := conn.Read(buf); err != nil {
					if !a.closing.Load() {
						a.lost.Add(1)
					}
					return
				}
				a.heard.Add(1)
			}
		})
	}
	return a, nil
}

func (a *audience) close() {
	a.closing.Store(true)
	for _, conn := range a.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
	a.readers.Wait()
}
