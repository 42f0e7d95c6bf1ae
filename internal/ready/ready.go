// Package ready keeps the answer to "is it ready?": it looks when somebody asks, shares one
// look among all who ask meanwhile, and logs each change.
package ready

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"
)

const (
	// Limit is the longest a look takes. It is below what health checks wait, 3 s.
	Limit = 2 * time.Second
	// fresh is how long the result of a look is given to those who ask again, so that a
	// flood of probes costs what four a second do.
	fresh = 250 * time.Millisecond
	// WatchEvery is how often Watch looks.
	WatchEvery = 5 * time.Second
	// remind is how often the same reason is logged.
	remind = time.Minute
)

// Check tells whether something is ready. It is safe for concurrent use.
type Check struct {
	look  func(context.Context) error
	ready string // what is logged when it is
	log   zerolog.Logger
	group singleflight.Group

	mu     sync.Mutex // guards all below
	looked time.Time  // when the last look ended
	err    error      // what it found
	said   string     // what was logged last, and when
	saidAt time.Time
}

// New makes a check of what look finds: nil, or the reason why it is not ready. look gets a
// context that ends after Limit, and must end with it. message is logged when it is ready.
func New(look func(context.Context) error, message string, log zerolog.Logger) *Check {
	return &Check{look: look, ready: message, log: log}
}

// Ask returns nil, or the reason why it is not ready. When ctx ends first it returns
// ctx.Err.
func (c *Check) Ask(ctx context.Context) error {
	if err, ok := c.last(); ok {
		return err
	}
	result := c.group.DoChan("", func() (any, error) {
		if err, ok := c.last(); ok { // of a look that has just ended
			return nil, err
		}
		// Not ctx: the look is not of one asker alone.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), Limit)
		defer cancel()
		err := c.look(limited)
		c.tell(err)
		return nil, err
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watch asks every so often until ctx ends, for the log: a change is told also when nobody
// asks.
func (c *Check) Watch(ctx context.Context) {
	tick := time.NewTicker(WatchEvery)
	defer tick.Stop()
	for {
		_ = c.Ask(ctx) // it is logged
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *Check) last() (err error, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err, !c.looked.IsZero() && time.Since(c.looked) < fresh
}

// tell keeps what a look has found, and logs it when it is new.
func (c *Check) tell(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked, c.err = time.Now(), err
	text := ""
	if err != nil {
		text = err.Error()
	}
	if !c.saidAt.IsZero() && text == c.said && (err == nil || time.Since(c.saidAt) < remind) {
		return
	}
	c.said, c.saidAt = text, time.Now()
	if err != nil {
		c.log.Warn().Err(err).Msg("a dependency is not usable")
		return
	}
	c.log.Info().Msg(c.ready)
}
