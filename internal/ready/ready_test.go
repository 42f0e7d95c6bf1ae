package ready_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/ready"
)

func TestEachChangeIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var found error
		c := ready.New(func(context.Context) error { return found }, "all is well", zerolog.New(&log))
		ctx := t.Context()
		for _, step := range []struct {
			err  error
			want string // of the log
		}{
			{nil, "all is well"}, {nil, ""}, {errors.New("no queue"), "no queue"}, {errors.New("no queue"), ""},
			{errors.New("no store"), "no store"}, {nil, "all is well"},
		} {
			log.Reset()
			time.Sleep(time.Second) // of the bubble's clock: the result before is not fresh any more
			found = step.err
			if err := c.Ask(ctx); !errors.Is(err, step.err) {
				t.Errorf("answer is %v, want %v", err, step.err)
			}
			if got := log.String(); strings.Contains(got, "\n") != (step.want != "") || !strings.Contains(got, step.want) {
				t.Errorf("logged %q, want %q", got, step.want)
			}
		}
	})
}

// TestAFloodIsOneLook: all who ask while a look is under way share it, and those who come
// just after it get its result. An asker who leaves does not end it for the others.
func TestAFloodIsOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		c := ready.New(func(ctx context.Context) error {
			looks.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}, "", zerolog.Nop())
		impatient, leave := context.WithCancel(t.Context())
		var askers sync.WaitGroup
		for i := range 100 {
			askers.Go(func() {
				ctx, want := t.Context(), context.DeadlineExceeded
				if i%2 == 0 {
					ctx, want = impatient, context.Canceled
				}
				if err := c.Ask(ctx); !errors.Is(err, want) {
					t.Errorf("answer is %v, want %v", err, want)
				}
			})
		}
		synctest.Wait()
		leave()
		askers.Wait()
		if err := c.Ask(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answer is %v", err)
		}
		if n := looks.Load(); n != 1 {
			t.Errorf("looked %d times", n)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		c := ready.New(func(context.Context) error { looks.Add(1); return nil }, "", zerolog.Nop())
		ctx, cancel := context.WithTimeout(t.Context(), 10*ready.WatchEvery+time.Second)
		defer cancel()
		c.Watch(ctx)
		if n := looks.Load(); n != 11 {
			t.Errorf("looked %d times, want 11", n)
		}
	})
}
