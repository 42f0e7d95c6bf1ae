package messages_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func connect(t *testing.T, url, name string) *nats.Conn {
	t.Helper()
	conn, err := messages.Connect(url, name, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// names returns the namespace of a database with the default prefix.
func names(database string) messages.Namespace {
	return messages.Namespace{Prefix: messages.DefaultPrefix, Database: database}
}

func link(conn *nats.Conn, database string) messages.Link {
	return messages.Link{Conn: conn, Namespace: names(database)}
}

func requester(t *testing.T, url string) *messages.Requester {
	t.Helper()
	r, err := messages.NewRequester(link(connect(t, url, "api"), "here"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// anew stands for OutcomeOverloaded with Again.
const anew = "anew"

// answering starts a worker that answers the nth request with the nth outcome, or not at all when
// that is "". It returns a channel of the requests.
func answering(t *testing.T, url string, outcomes ...messages.Outcome) <-chan messages.SeatRequest {
	t.Helper()
	conn := connect(t, url, "worker")
	got := make(chan messages.SeatRequest, 10)
	n := 0
	_, err := conn.QueueSubscribe(names("here").Seats(), messages.QueueWorkers, func(m *nats.Msg) {
		all, err := messages.DecodeRequests(m.Data)
		if err != nil || len(all) != 1 {
			t.Errorf("%d requests, %v", len(all), err)
			return
		}
		got <- all[0]
		switch o := outcomes[min(n, len(outcomes)-1)]; o {
		case "":
		case anew:
			_ = m.Respond(encode(t, messages.SeatReply{Outcome: messages.OutcomeOverloaded, Again: true}))
		default:
			_ = m.Respond(encode(t, messages.SeatReply{Outcome: o, Number: 1}))
		}
		n++
	})
	if err == nil {
		err = conn.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func ask(t *testing.T, r *messages.Requester, limit time.Duration) messages.SeatReply {
	t.Helper()
	return r.Request(t.Context(), request(), time.Now().Add(limit)).Reply
}

func TestRequester(t *testing.T) {
	const limit = time.Second
	for _, c := range []struct {
		name     string
		outcomes []messages.Outcome // of the worker, by attempt; none: there is no worker
		want     messages.Outcome
		sent     int
	}{
		{"an answer", []messages.Outcome{store.Registered}, store.Registered, 1},
		{"a refusal", []messages.Outcome{store.SoldOut}, store.SoldOut, 1},
		{"no worker", nil, messages.OutcomeOverloaded, 0},
		{"a worker that is full", []messages.Outcome{messages.OutcomeOverloaded}, messages.OutcomeOverloaded, 1},
		{"silence", []messages.Outcome{""}, messages.OutcomeUnknown, 2},
		{"silence, then an answer", []messages.Outcome{"", store.Registered}, store.Registered, 2},
		{"a worker that wants it anew", []messages.Outcome{anew, anew, store.Registered}, store.Registered, 3},
		{"silence, then one that does", []messages.Outcome{"", anew, store.SoldOut}, store.SoldOut, 3},
		{"doubt is sticky", []messages.Outcome{"", messages.OutcomeOverloaded}, messages.OutcomeUnknown, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := testenv.StartNATS(t).URL()
			var seen <-chan messages.SeatRequest
			if c.outcomes != nil {
				seen = answering(t, url, c.outcomes...)
			}
			r := requester(t, url)
			started := time.Now()
			got := r.Request(t.Context(), request(), started.Add(limit))
			if got.Reply.Outcome != c.want {
				t.Errorf("outcome is %s, want %s", got.Reply.Outcome, c.want)
			}
			definite := c.want == store.Registered || c.want == store.SoldOut
			if (got.Cause == nil) != definite {
				t.Errorf("the cause of %s is %v", c.want, got.Cause)
			}
			if took := time.Since(started); took > limit+250*time.Millisecond {
				t.Errorf("the answer took %v", took)
			}
			if len(seen) != c.sent {
				t.Fatalf("sent %d times, want %d", len(seen), c.sent)
			}
			for range c.sent {
				if req := <-seen; req.RemainingMillis >= limit.Milliseconds()/2 {
					t.Errorf("an attempt has %d ms: it would overlap the next one", req.RemainingMillis)
				}
			}
		})
	}
}

func TestRequesterWithoutAServer(t *testing.T) {
	server := testenv.StartNATS(t)
	answering(t, server.URL(), store.Registered)
	r := requester(t, server.URL())
	if got := ask(t, r, 5*time.Second); got.Outcome != store.Registered {
		t.Fatalf("outcome is %s", got.Outcome)
	}
	server.Stop()
	testenv.Eventually(t, 10*time.Second, "notice that the server is gone", func() error {
		if r.Ready(t.Context()) == nil {
			return context.DeadlineExceeded
		}
		return nil
	})
	if got := ask(t, r, time.Second); got.Outcome != messages.OutcomeOverloaded {
		t.Errorf("outcome is %s: surely nothing was sent", got.Outcome)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 15*time.Second, "serve again", func() error {
		if got := ask(t, r, time.Second); got.Outcome != store.Registered {
			return context.DeadlineExceeded
		}
		return nil
	})
}

// TestRequestsShareMessages: most of many concurrent requests share messages, and each gets its
// own reply.
func TestRequestsShareMessages(t *testing.T) {
	url := testenv.StartNATS(t).URL()
	conn := connect(t, url, "worker")
	var messagesSeen atomic.Int64
	_, err := conn.QueueSubscribe(names("here").Seats(), messages.QueueWorkers, func(m *nats.Msg) {
		messagesSeen.Add(1)
		all, err := messages.DecodeRequests(m.Data)
		if err != nil {
			t.Error(err)
		}
		_, name := messages.SplitReplySubject(m.Reply)
		var replies []byte
		for i, req := range slices.Backward(all) { // the order is not part of the contract
			number, err := strconv.ParseInt(req.RequestID, 10, 64)
			if err != nil {
				t.Error(err)
			}
			replies = append(replies, encode(t, messages.SeatReply{Message: name, Item: i, Outcome: store.Registered, Number: number})...)
		}
		_ = m.Respond(replies)
	})
	if err == nil {
		err = conn.FlushTimeout(5 * time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	const callers, each = 64, 50
	r := requester(t, url)
	var crowd sync.WaitGroup
	for i := range callers {
		crowd.Go(func() {
			for j := range each {
				req := request()
				req.RequestID = strconv.Itoa(i*each + j + 1)
				got := r.Request(t.Context(), req, time.Now().Add(10*time.Second))
				if got.Cause != nil || got.Reply.Outcome != store.Registered || strconv.FormatInt(got.Reply.Number, 10) != req.RequestID {
					t.Errorf("request %s is answered %+v", req.RequestID, got)
				}
			}
		})
	}
	crowd.Wait()
	if n := messagesSeen.Load(); n > callers*each/2 {
		t.Errorf("%d messages for %d requests of %d callers at once", n, callers*each, callers)
	} else {
		t.Logf("%d messages for %d requests", n, callers*each)
	}
}

// TestNoAttemptOutlivesItsCaller: an attempt that begins late, because there was no worker before,
// has no more time left than its caller.
func TestNoAttemptOutlivesItsCaller(t *testing.T) {
	const limit = time.Second
	url := testenv.StartNATS(t).URL()
	r := requester(t, url)
	told := make(chan messages.Answer, 1)
	deadline := time.Now().Add(limit)
	go func() { told <- r.Request(t.Context(), request(), deadline) }()
	time.Sleep(200 * time.Millisecond) // what is tested is that time has passed
	left := time.Until(deadline)       // nobody gets a request before
	got := answering(t, url, "")
	if answer := <-told; answer.Reply.Outcome != messages.OutcomeUnknown {
		t.Errorf("outcome is %s", answer.Reply.Outcome)
	}
	for n := len(got); n > 0; n-- {
		if req := <-got; time.Duration(req.RemainingMillis)*time.Millisecond > left {
			t.Errorf("an attempt has %d ms, its caller at most %s", req.RemainingMillis, left)
		}
		left -= limit/2 - 100*time.Millisecond // what an attempt takes at least, on a busy machine too
	}
}

// TestNoAttemptIsMadeForWhoHasLeft: neither the first, nor another one, when the first had no reply, was to be sent anew or
// met no worker; what was sent is waited for.
func TestNoAttemptIsMadeForWhoHasLeft(t *testing.T) {
	const limit = time.Second
	for name, c := range map[string]struct {
		leaves   int // before which attempt
		outcomes []messages.Outcome
		want     messages.Outcome
		least    time.Duration
	}{
		"before the first":       {1, []messages.Outcome{store.Registered}, messages.OutcomeOverloaded, 0},
		"after silence":          {2, []messages.Outcome{"", store.Registered}, messages.OutcomeUnknown, limit / 4},
		"before it is sent anew": {2, []messages.Outcome{anew, store.Registered}, messages.OutcomeOverloaded, 0},
		"and no worker is there": {2, nil, messages.OutcomeOverloaded, 0},
		"after the last":         {3, []messages.Outcome{"", store.Registered}, store.Registered, limit / 4},
	} {
		t.Run(name, func(t *testing.T) {
			url := testenv.StartNATS(t).URL()
			var seen <-chan messages.SeatRequest
			if c.outcomes != nil {
				seen = answering(t, url, c.outcomes...)
			}
			asked := 0
			ctx := messages.WithCaller(t.Context(), func() bool { asked++; return asked >= c.leaves })
			begun := time.Now()
			got := requester(t, url).Request(ctx, request(), begun.Add(limit))
			if took := time.Since(begun); got.Reply.Outcome != c.want || took < c.least || asked != min(c.leaves, 2) {
				t.Errorf("%s after %v, asked %d times", got.Reply.Outcome, took, asked)
			}
			if seen != nil && len(seen) != c.leaves-1 {
				t.Errorf("%d attempts", len(seen))
			}
		})
	}
}
