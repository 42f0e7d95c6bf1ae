package loadtest

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// burst is what came of many requests for seats, all of them granted.
type burst struct {
	seats   []load.Seat
	took    time.Duration
	latency *hdrhistogram.Histogram // in microseconds
}

// fire sends n requests of fresh users over that many connections, on each of them the next
// as soon as the last is answered. It fails unless each gets a seat.
func fire(b *testing.B, addr string, event store.ID, connections, n int) burst {
	b.Helper()
	var asked atomic.Int64
	res, err := load.Run(load.Plan{
		Addr: addr, Connections: connections, For: limit,
		Next: func() (load.Wish, bool) {
			return load.Wish{Seat: load.Seat{Event: event, User: store.NewID()}}, asked.Add(1) <= int64(n)
		},
	})
	if err == nil {
		err = res.Expect(http.StatusCreated)
	}
	if err != nil {
		b.Fatal(err)
	}
	return burst{res.Told, res.Took(), res.Latency(load.Any)}
}

// add joins a burst that came after.
func (r *burst) add(next burst) {
	r.seats = append(r.seats, next.seats...)
	r.took += next.took
	if r.latency == nil {
		r.latency = next.latency
	} else {
		r.latency.Merge(next.latency)
	}
}

// told are the users told 201.
func (r burst) told() []store.ID {
	users := make([]store.ID, len(r.seats))
	for i, s := range r.seats {
		users[i] = s.User
	}
	return users
}

// perSecond is the throughput.
func (r burst) perSecond() float64 { return float64(len(r.seats)) / r.took.Seconds() }

// millis is a quantile of the latency.
func (r burst) millis(q float64) float64 { return load.Quantile(r.latency, q).Seconds() * 1000 }

func (r burst) String() string {
	return fmt.Sprintf("%6.0f/s (p50 %5.1f ms, p99 %5.1f ms)", r.perSecond(), r.millis(0.5), r.millis(0.99))
}

// median is the median of what f gives for the rounds.
func median[R any](rounds []R, f func(R) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = f(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
