// Package giveback has people give their seats of a full event back while a crowd asks for one, and looks how soon each
// seat is sold again.
package giveback

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/loadtest/load"
)

// limit bounds the wait for a seat to be sold.
const limit = 30 * time.Second

// Storm has a crowd ask for seats of a full event as the plan says, and n people leave it meanwhile, one when the seat of the
// last is sold; leave returns when the i-th of them has left. It returns how long after that each seat was sold, and what the
// crowd was told. More or fewer seats than n are an error.
func Storm(ctx context.Context, plan load.Plan, n int, leave func(ctx context.Context, i int) error) (sold []time.Duration, _ load.Result, err error) {
	var asked atomic.Int64
	told, stop := make(chan time.Time, n+1), make(chan struct{})
	next := plan.Next
	plan.For = time.Hour
	plan.Granted = func() {
		select {
		case told <- time.Now():
		default: // more than there are seats, which are counted at the end
		}
	}
	plan.Next = func() (load.Request, bool) {
		select {
		case <-stop:
			return load.Request{}, false
		default:
			asked.Add(1)
			return next()
		}
	}
	more := func() error { // than there were connections twice: each of them has asked since
		before := asked.Load()
		return testenv.Poll(ctx, limit, func() error {
			if n := asked.Load() - before; n < int64(2*plan.Connections) {
				return fmt.Errorf("only %d requests were made since", n)
			}
			return nil
		})
	}
	done := load.Background(plan)
	err = more() // the storm has begun
	for i := 0; i < n && err == nil; i++ {
		var took time.Duration
		if took, err = again(ctx, told, func() error { return leave(ctx, i) }); err == nil {
			sold = append(sold, took)
		}
	}
	if err == nil { // the last seat was free before the next ones ask
		err = more()
	}
	close(stop)
	o := <-done
	if err = errors.Join(err, o.Err); err != nil {
		return nil, o.Result, fmt.Errorf("give seats back in a storm: %w", err)
	}
	if len(o.Result.Told) != n {
		return nil, o.Result, fmt.Errorf("%d seats were given back in a storm and %d sold again", n, len(o.Result.Told))
	}
	return sold, o.Result, nil
}

// again gives a seat back and returns how long after that it was sold.
func again(ctx context.Context, told <-chan time.Time, leave func() error) (time.Duration, error) {
	if err := leave(); err != nil {
		return 0, err
	}
	left := time.Now()
	select {
	case at := <-told:
		return max(0, at.Sub(left)), nil
	case <-time.After(limit):
		return 0, fmt.Errorf("a seat was not sold within %v", limit)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
