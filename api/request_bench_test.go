package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// BenchmarkRequest is what a request costs in processor time and memory over real connections, its client and, for a
// registration, its worker and the embedded store included. Of /livez it is the API's own part of any request, and who is
// refused from memory has nothing more than that.
func BenchmarkRequest(b *testing.B) {
	s := newSiteWithLeases(b, "sqlite")
	i := s.start(b, identity.Keys{}, func(c *gate.Config) { c.Mode, c.Local = gate.Trusted, true })
	create := func(capacity int64) store.ID {
		event := store.NewID()
		if err := s.st.CreateEvent(b.Context(), store.Event{
			ID: event, OrganizerID: store.NewID(), Title: "Concert", Capacity: capacity, StartsAt: time.Now(), EndsAt: time.Now().Add(time.Hour),
		}); err != nil {
			b.Fatal(err)
		}
		return event
	}
	register := func(event store.ID) func() load.Request {
		return func() load.Request { return load.Request{Seat: load.Seat{Event: event, User: store.NewID()}} }
	}
	path := "/api/events/" + create(1).Hex()
	for name, request := range map[string]func() load.Request{
		"registration": register(create(1 << 40)),
		"refused":      register(create(1)),
		"event":        func() load.Request { return load.Request{Path: path} },
		"livez":        func() load.Request { return load.Request{Path: "/livez"} },
	} {
		b.Run(name, func(b *testing.B) {
			conns := serveTo(b, i, 64)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			var crowd sync.WaitGroup
			for k, c := range conns {
				crowd.Go(func() {
					for n := k; n < b.N; n += len(conns) {
						if status, err := c.Send(request()); err != nil || status >= http.StatusBadRequest && status != http.StatusConflict {
							b.Errorf("status %d, %v", status, err)
							return
						}
					}
				})
			}
			crowd.Wait()
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// serveTo serves over real connections, which it returns.
func serveTo(b *testing.B, h http.Handler, n int) []*load.Conn {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- process.Server{Listener: listener, Handler: h, Log: zerolog.Nop()}.Serve(ctx)
	}()
	conns := make([]*load.Conn, n)
	for k := range conns {
		if conns[k], err = load.Dial(listener.Addr().String()); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		for _, c := range conns {
			_ = c.Close() // all is answered
		}
		stop()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	return conns
}
