package api

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// crowd is how many must be asking for seats for streams to give way: more than an
	// ordinary day brings, and far fewer than a sale that opens.
	crowd = 32
	// rest is how long a stream rests for the time that it worked.
	rest = 3
	// longestRest and maxResting bound how long a reader waits for the next piece, and
	// resting streams hold a connection of the store each: the embedded one has eight.
	longestRest = 100 * time.Millisecond
	maxResting  = 4
)

// giveWay keeps those who read long lists from slowing down those who want seats. While many
// do, a stream rests after each piece, one stream after the other. It is safe for concurrent
// use.
type giveWay struct {
	asking  atomic.Int64  // requests for seats under way
	resting chan struct{} // holds the streams that rest or wait for their turn
	turn    chan struct{} // holds the one that rests
}

func newGiveWay() *giveWay {
	return &giveWay{resting: make(chan struct{}, maxResting), turn: make(chan struct{}, 1)}
}

// pause is called by a stream that worked for so long, and returns when it may go on.
func (g *giveWay) pause(ctx context.Context, worked time.Duration) {
	if g.asking.Load() < crowd {
		return
	}
	select {
	case g.resting <- struct{}{}:
		defer func() { <-g.resting }()
	default:
		return
	}
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(min(rest*worked, longestRest)):
	case <-ctx.Done():
	}
}
