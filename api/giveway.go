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
	// rest is how long streams rest for the time that one of them worked.
	rest = 3
	// A stream never waits longer than these two together before it goes on, whatever the
	// crowd and however many read: its reader must not take it for dead.
	longestRest = 100 * time.Millisecond
	longestTurn = time.Second
)

// giveWay keeps those who read long lists from slowing down those who want seats. While many
// do, all streams of this process together work a quarter of the time. It is safe for
// concurrent use.
type giveWay struct {
	asking atomic.Int64  // requests for seats under way
	turn   chan struct{} // holds the stream that rests
}

func newGiveWay() *giveWay { return &giveWay{turn: make(chan struct{}, 1)} }

// pause is called by a stream that worked for so long, and returns when it may go on.
func (g *giveWay) pause(ctx context.Context, worked time.Duration) {
	if g.asking.Load() < crowd {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, longestTurn)
	defer cancel()
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
