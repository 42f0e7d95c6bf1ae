package messages

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
)

// TestHowLongWorkersAreAwaited checks when a request that surely reached no worker is sent again: soon, for half a
// second, or to the end when an attempt before may have reached one, and never after its caller has given up.
func TestHowLongWorkersAreAwaited(t *testing.T) {
	const forever = time.Hour
	for name, c := range map[string]struct {
		since, left time.Duration // since the start, and until the deadline
		unanswered  int
		cancelled   bool
		again       bool
		least, most time.Duration // that it waits
	}{
		"at first":                      {0, forever, 0, false, true, noWorkersBackoff / 2, 3 * noWorkersBackoff / 2},
		"as long as workers may need":   {noWorkersTimeout - 2*noWorkersBackoff, forever, 0, false, true, noWorkersBackoff / 2, 3 * noWorkersBackoff / 2},
		"longer than that":              {noWorkersTimeout, forever, 0, false, false, 0, 0},
		"longer, after a doubt":         {20 * noWorkersTimeout, forever, 1, false, true, noWorkersBackoff / 2, 3 * noWorkersBackoff / 2},
		"until the caller has given up": {0, time.Millisecond, 0, false, true, time.Millisecond, time.Millisecond},
		"a caller who is gone":          {0, forever, 0, true, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.cancelled {
					cancel()
				}
				now := time.Now()
				e := exchange{started: now.Add(-c.since), deadline: now.Add(c.left), unanswered: c.unanswered}
				if again := e.awaitWorkers(ctx, false); again != c.again {
					t.Errorf("another attempt: %v", again)
				}
				if took := time.Since(now); took < c.least || took > c.most {
					t.Errorf("it waits %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}

// TestWhichErrorsMeanThatNothingWasSent has those after which the answer may be "overloaded", and others.
func TestWhichErrorsMeanThatNothingWasSent(t *testing.T) {
	for _, err := range []error{
		errExpired, nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionDraining,
		nats.ErrConnectionReconnecting, nats.ErrInvalidConnection, nats.ErrMaxPayload,
	} {
		if !neverSent(err) || !neverSent(fmt.Errorf("publish: %w", err)) {
			t.Errorf("%v", err)
		}
	}
	for _, err := range []error{nil, errNoReply, errByWorker, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrPermissionViolation, errors.New("anything")} {
		if neverSent(err) {
			t.Errorf("%v", err)
		}
	}
}

func TestARefusalAfterADoubtIsUnknown(t *testing.T) {
	cause := errors.New("cause")
	for unanswered, want := range map[int]Outcome{0: OutcomeOverloaded, 1: OutcomeUnknown, 2: OutcomeUnknown} {
		e := exchange{unanswered: unanswered}
		if got := e.refusal(OutcomeOverloaded, cause); got.Reply.Outcome != want || !errors.Is(got.Cause, cause) {
			t.Errorf("after %d attempts: %+v", unanswered, got)
		}
	}
}
