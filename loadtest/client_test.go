package loadtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// connection is one keep-alive HTTP/1.1 connection, with just as much of a client as the
// load needs: it shares the machine with the servers under test.
type connection struct {
	tcp net.Conn
	in  *bufio.Reader
	out []byte
}

func dial(addr string) (*connection, error) {
	tcp, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return nil, err
	}
	return &connection{tcp: tcp, in: bufio.NewReader(tcp)}, nil
}

// register asks for a seat and returns the status.
func (c *connection) register(event, user store.ID) (int, error) {
	c.out = fmt.Appendf(c.out[:0], "POST /api/events/%s/registrations HTTP/1.1\r\nHost: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: 38\r\n\r\n{\"user_id\":\"%s\"}",
		event.Hex(), c.tcp.RemoteAddr(), user.Hex())
	if err := c.tcp.SetDeadline(time.Now().Add(limit)); err != nil {
		return 0, err
	}
	if _, err := c.tcp.Write(c.out); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

// burst is what came of many requests for seats of one event.
type burst struct {
	took    time.Duration
	told    []store.ID      // users told 201
	others  map[int]int     // other statuses, and how often
	latency []time.Duration // of each request, sorted
}

// perSecond is the throughput.
func (r burst) perSecond() float64 { return float64(len(r.latency)) / r.took.Seconds() }

// millis is a quantile of the latency.
func (r burst) millis(q float64) float64 { return quantile(r.latency, q).Seconds() * 1000 }

func (r burst) String() string {
	return fmt.Sprintf("%6.0f/s (p50 %5.1f ms, p99 %5.1f ms)", r.perSecond(), r.millis(0.5), r.millis(0.99))
}

// fire sends n requests of fresh users over that many connections, on each of them the next
// as soon as the last is answered.
func fire(addr string, event store.ID, connections, n int) (burst, error) {
	open := make([]*connection, 0, connections)
	defer func() {
		for _, c := range open {
			_ = c.tcp.Close() // nothing is under way on it
		}
	}()
	for range connections {
		c, err := dial(addr)
		if err != nil {
			return burst{}, err
		}
		open = append(open, c)
	}
	var left atomic.Int64
	left.Store(int64(n))
	parts := make([]burst, connections)
	errs := make([]error, connections)
	var crowd sync.WaitGroup
	started := time.Now()
	for i, c := range open {
		crowd.Go(func() { parts[i], errs[i] = c.fire(event, &left) })
	}
	crowd.Wait()
	all := burst{took: time.Since(started), others: make(map[int]int)}
	for _, p := range parts {
		all.told = append(all.told, p.told...)
		all.latency = append(all.latency, p.latency...)
		for status, k := range p.others {
			all.others[status] += k
		}
	}
	slices.Sort(all.latency)
	return all, errors.Join(errs...)
}

// fire is one connection's part of a burst.
func (c *connection) fire(event store.ID, left *atomic.Int64) (burst, error) {
	part := burst{others: make(map[int]int)}
	for left.Add(-1) >= 0 {
		user := store.NewID()
		sent := time.Now()
		status, err := c.register(event, user)
		if err != nil {
			return part, err
		}
		part.latency = append(part.latency, time.Since(sent))
		if status == http.StatusCreated {
			part.told = append(part.told, user)
		} else {
			part.others[status]++
		}
	}
	return part, nil
}

// quantile is the value that the share q of the sorted values does not exceed.
func quantile[T any](sorted []T, q float64) T {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// median is the median of what f gives for the rounds.
func median[R any](rounds []R, f func(R) float64) float64 {
	values := make([]float64, len(rounds))
	for i, r := range rounds {
		values[i] = f(r)
	}
	slices.Sort(values)
	return quantile(values, 0.5)
}
