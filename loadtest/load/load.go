package load

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Plan says what load to make.
type Plan struct {
	Addr string
	// More are further servers; connections go to all of them in turn.
	More        []string
	Connections int
	// Next gives the next request, or false when there are enough. Many goroutines call it.
	Next func() (Request, bool)
	// Start is when to begin; zero: as soon as all connections are open.
	Start time.Time
	// For is how long requests begin.
	For time.Duration
	// Drain is how much longer answers are awaited; then the connections are cut. Default
	// 15 s, above what the API lets a request take.
	Drain time.Duration
	// Rate is the number of requests a second, begun whether or not earlier ones are
	// answered, as long as a connection is free. Zero: a closed loop, each connection's next
	// request begins when its last is answered.
	Rate float64
	// GiveUp, with a Rate, leaves out requests that no connection was free for until so
	// long after their time. Zero: each is made, however late.
	GiveUp time.Duration
	// Granted is called when somebody is told 201. nil: nothing is.
	Granted func()
}

const defaultDrain = 15 * time.Second

// Run makes the load and returns when all of it is answered or cut off.
func Run(p Plan) (Result, error) {
	conns, err := dialAll(append([]string{p.Addr}, p.More...), p.Connections)
	defer func() {
		for _, c := range conns {
			_ = c.Close() // nothing is under way on it
		}
	}()
	if err != nil {
		return Result{}, err
	}
	if p.Drain == 0 {
		p.Drain = defaultDrain
	}
	switch late := time.Since(p.Start); {
	case p.Start.IsZero():
		p.Start = time.Now()
	case late > 0:
		return Result{}, fmt.Errorf("%d connections were open only %v after the start", p.Connections, late)
	}
	r := runner{Plan: p, end: p.Start.Add(p.For)}
	parts := make([]Result, len(conns))
	errs := make([]error, len(conns))
	var crowd sync.WaitGroup
	for i, c := range conns {
		if err := c.tcp.SetDeadline(r.end.Add(p.Drain)); err != nil {
			return Result{}, err
		}
		crowd.Go(func() { parts[i], errs[i] = r.drive(c) })
	}
	crowd.Wait()
	return r.sum(parts), firstOf(errs)
}

func dialAll(addrs []string, n int) ([]*Conn, error) {
	conns := make([]*Conn, 0, n)
	for i := range n {
		c, err := Dial(addrs[i%len(addrs)])
		if err != nil {
			return conns, fmt.Errorf("open connection %d of %d: %w", len(conns)+1, n, err)
		}
		conns = append(conns, c)
		if err := c.greet(); err != nil {
			return conns, fmt.Errorf("greet on connection %d of %d: %w", len(conns), n, err)
		}
	}
	return conns, nil
}

// firstOf returns one error: a server that ends gives the same to a thousand connections.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// runner is a plan being carried out.
type runner struct {
	Plan
	end   time.Time
	slots atomic.Int64 // requests whose time somebody waits for, with a Rate
}

// drive is one connection's part.
func (r *runner) drive(c *Conn) (Result, error) {
	var part Result
	time.Sleep(time.Until(r.Start))
	for {
		due, ok := r.due()
		if !ok {
			return part, nil
		}
		sent := time.Now()
		late := sent.Sub(due)
		if r.GiveUp > 0 && late > r.GiveUp {
			part.Skipped++
			continue
		}
		request, ok := r.Next()
		if !ok {
			return part, nil
		}
		status, err := c.Send(request)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			part.Unanswered++
			return part, nil
		case err != nil:
			return part, fmt.Errorf("a connection broke %v after the start: %w", time.Since(r.Start).Round(time.Millisecond), err)
		}
		done := time.Now()
		part.samples = append(part.samples, sample{
			done: micros(done.Sub(r.Start)), took: micros(done.Sub(due)), late: micros(late), status: uint16(status),
		})
		if status == http.StatusCreated {
			part.Told = append(part.Told, request.Seat)
			if r.Granted != nil {
				r.Granted()
			}
		}
	}
}

// due waits until the next request is due, and returns when that was to be: what a server
// that is slow now makes late is its latency too.
func (r *runner) due() (time.Time, bool) {
	due := time.Now()
	if r.Rate > 0 {
		slot := r.slots.Add(1) - 1
		due = r.Start.Add(time.Duration(float64(slot) / r.Rate * float64(time.Second)))
	}
	if !due.Before(r.end) {
		return due, false
	}
	if r.Rate > 0 {
		time.Sleep(time.Until(due))
	}
	return due, true
}

// UpTo ends requests after n.
func UpTo(n int, next func() (Request, bool)) func() (Request, bool) {
	var asked atomic.Int64
	return func() (Request, bool) {
		if asked.Add(1) > int64(n) {
			return Request{}, false
		}
		return next()
	}
}
