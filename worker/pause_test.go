package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained := make(chan struct{})
		p := newPauseDetector(func(ctx context.Context) {
			select {
			case <-drained:
			case <-ctx.Done():
			}
		})
		run := func() (freeze func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); p.run(ctx) }()
			return func() { cancel(); <-ended }
		}
		freeze := run()
		time.Sleep(time.Minute)
		if p.recovering(time.Now()) {
			t.Error("a worker that runs is taken for one that was stopped")
		}
		freeze()
		time.Sleep(maxPause + heartbeatInterval)
		if !p.recovering(time.Now()) {
			t.Error("a stop is not noticed by the first who asks")
		}
		freeze = run()
		time.Sleep(maxRecovery - time.Second)
		if !p.recovering(time.Now()) {
			t.Error("the stop is forgotten while messages may still come that waited for its end")
		}
		drained <- struct{}{}
		synctest.Wait()
		if p.recovering(time.Now()) {
			t.Error("the stop is not forgotten when all that waited was taken")
		}
		freeze()
		time.Sleep(maxPause + heartbeatInterval)
		freeze = run()
		defer freeze()
		time.Sleep(maxRecovery + time.Second)
		if p.recovering(time.Now()) {
			t.Error("what cannot be taken keeps the worker from recovering for ever")
		}
	})
}

// TestWhatWaitsIsTaken checks when all messages that a subscription had count as taken: when the callback has
// returned from the last of them, or there is no subscription any more.
func TestWhatWaitsIsTaken(t *testing.T) {
	conn := connectTo(t, testenv.StartNATS(t).URL())
	entered, leave := make(chan struct{}), make(chan struct{})
	sub, err := conn.Subscribe("a", func(*nats.Msg) { entered <- struct{}{}; <-leave })
	if err != nil {
		t.Fatal(err)
	}
	if !takenOf(sub)() {
		t.Error("nothing waits, and it is not taken")
	}
	publish := func() {
		t.Helper()
		if err := conn.Publish("a", nil); err != nil {
			t.Fatal(err)
		}
		if err := conn.FlushTimeout(10 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	publish()
	<-entered
	taken := takenOf(sub)
	publish() // two come later, and do not count
	publish()
	if taken() {
		t.Error("one is being taken and one waits, and both count as taken")
	}
	leave <- struct{}{}
	<-entered
	if taken() {
		t.Error("the last one is being taken, and counts as taken")
	}
	leave <- struct{}{}
	<-entered // the first that came later
	leave <- struct{}{}
	<-entered
	if !taken() {
		t.Error("all that waited are taken, and do not count, because others came")
	}

	// A drain ends with its time while a callback does not return, and by itself when it does.
	drained := func(w *Worker, ctx context.Context) chan struct{} {
		done := make(chan struct{})
		go func() { defer close(done); w.drainPending(ctx) }()
		return done
	}
	ends := func(name string, done chan struct{}) {
		t.Helper()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the drain does not end", name)
		}
	}
	w := &Worker{conn: conn, service: &messages.Service{Subscriptions: []*nats.Subscription{sub}}}
	publish()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ends("a callback that does not return", drained(w, ctx))
	if ctx.Err() == nil {
		t.Error("the drain ends before its time, and before what waits is taken")
	}
	long, cancel := context.WithTimeout(t.Context(), time.Minute) // a drain needs a limit
	defer cancel()
	done, taken := drained(w, long), takenOf(sub)
	leave <- struct{}{}
	<-entered
	leave <- struct{}{}
	testenv.Eventually(t, 10*time.Second, "be taken, though nothing comes after it", func() error {
		if !taken() {
			return errors.New("it is not")
		}
		return nil
	})
	ends("a callback that returns", done)
	ends("a worker that has not started", drained(&Worker{conn: conn}, long))
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	ends("a subscription that has ended", drained(w, long))
	conn.Close()
	gone, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ends("no connection", drained(w, gone))
	if gone.Err() == nil {
		t.Error("the drain ends before its time, though nobody knows what waits")
	}
}

// TestWhatCountsAsAPause checks which times between heartbeats are pauses, in whichever order they are noted.
func TestWhatCountsAsAPause(t *testing.T) {
	begun := time.Now()
	for name, c := range map[string]struct {
		beats []time.Duration
		want  int
	}{
		"the first heartbeat is none":         {[]time.Duration{0}, 0},
		"one that is as late as may be":       {[]time.Duration{0, maxPause}, 0},
		"one that is later":                   {[]time.Duration{0, maxPause + 1}, 1},
		"two that are later":                  {[]time.Duration{0, 2 * maxPause, 4 * maxPause}, 2},
		"one that is late and noted twice":    {[]time.Duration{0, 2 * maxPause, 2 * maxPause}, 1},
		"one of before that is noted at last": {[]time.Duration{0, maxPause, 0, maxPause + 1}, 0},
	} {
		counted := 0
		p := newPauseDetector(nil)
		p.count = func() { counted++ }
		var recovering bool
		for _, beat := range c.beats {
			recovering = p.recovering(begun.Add(beat))
		}
		if counted != c.want || recovering != (c.want > 0) || len(p.noticed) != min(c.want, 1) {
			t.Errorf("%s: %d pauses, want %d; recovering %v, and %d are noticed", name, counted, c.want, recovering, len(p.noticed))
		}
	}
}
