package uplink

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Refusals remembers the last message that the NATS server did not permit a process to publish. The zero value has none. It is
// safe for concurrent use.
type Refusals struct {
	mu   sync.Mutex // guards all below
	err  error
	when time.Time
}

// Listen notes what conn reports about messages to a subject, and passes every error on to the
// handler that conn had.
func (p *Refusals) Listen(conn *nats.Conn, subject string) {
	next := conn.ErrorHandler()
	conn.SetErrorHandler(func(c *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) &&
			strings.Contains(err.Error(), `Publish to "`+subject+`"`) {
			p.mu.Lock()
			p.err, p.when = err, time.Now()
			p.mu.Unlock()
		}
		if next != nil {
			next(c, sub, err)
		}
	})
}

// Since returns the last refusal, or nil when it came before start.
func (p *Refusals) Since(start time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.when.Before(start) { // or there was none
		return nil
	}
	return p.err
}
