package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/worker"
)

// open connects to a NATS server of its own.
func open(t *testing.T) *nats.Conn {
	t.Helper()
	conn, err := messages.Connect(testenv.StartNATS(t).URL(), "worker", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func TestAWorkerStartsOnce(t *testing.T) {
	conn := open(t)
	w := worker.New(conn, nowhere{}, worker.Config{}, zerolog.Nop())
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err == nil {
		t.Error("it starts twice")
	}
	stopped := worker.New(conn, nowhere{}, worker.Config{}, zerolog.Nop())
	for _, each := range []*worker.Worker{w, stopped} {
		if err := each.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := stopped.Start(); err == nil {
		t.Error("it starts after it was stopped")
	}
}

// TestAWorkerThatCannotStart: Start fails and leaves no goroutine behind, which TestMain checks.
func TestAWorkerThatCannotStart(t *testing.T) {
	conn := open(t)
	conn.Close()
	for _, config := range []worker.Config{{}, {Prefix: "a prefix"}} {
		if err := worker.New(conn, nowhere{}, config, zerolog.Nop()).Start(); err == nil {
			t.Errorf("%+v: it starts on a closed connection", config)
		}
	}
}

// TestStopWithoutAConnection: Stop returns at once on a closed connection.
func TestStopWithoutAConnection(t *testing.T) {
	conn := open(t)
	w := worker.New(conn, nowhere{}, worker.Config{}, zerolog.Nop())
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	began := time.Now()
	if err := w.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > limit/2 {
		t.Errorf("it took %v", took)
	}
}

// hanging is a store that answers when release is closed, or when its context ends.
type hanging struct {
	nowhere
	applying chan struct{}
	release  chan struct{}
}

func (h hanging) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	h.applying <- struct{}{}
	select {
	case <-h.release:
		return make([]store.SeatResult, len(batch)), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestStopWaitsForWhatIsInFlight: until the batch is applied, or until the context of Stop ends.
func TestStopWaitsForWhatIsInFlight(t *testing.T) {
	for _, patient := range []bool{true, false} {
		conn := open(t)
		log := new(lines)
		seats := hanging{applying: make(chan struct{}, 1), release: make(chan struct{})}
		w := worker.New(conn, seats, worker.Config{}, zerolog.New(log))
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		data, err := messages.Encode(messages.SeatRequest{
			Kind: messages.KindRegister, RequestID: "a request", EventID: store.NewID(), UserID: store.NewID(), RemainingMillis: 60_000,
		})
		if err == nil {
			err = conn.PublishRequest(messages.Namespace{Prefix: messages.DefaultPrefix, Database: "nowhere"}.Seats(), conn.NewInbox()+".1", data)
		}
		if err != nil {
			t.Fatal(err)
		}
		<-seats.applying
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- w.Stop(ctx) }()
		select {
		case err := <-stopped:
			t.Fatalf("it has stopped beside a batch in flight: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		if patient {
			close(seats.release)
		} else {
			cancel()
		}
		select {
		case err = <-stopped:
		case <-time.After(limit):
			t.Fatal("it does not stop")
		}
		cancel()
		if patient && err != nil || !patient && !errors.Is(err, context.Canceled) {
			t.Errorf("patient: %t, and Stop says %v", patient, err)
		}
		if patient {
			checkBatchLine(t, log.String())
		}
	}
}

// checkBatchLine checks that a log has no warning, and a line for the batch with its duration.
func checkBatchLine(t *testing.T, log string) {
	t.Helper()
	for text := range strings.Lines(log) {
		var line struct {
			Level, Message string
			Took           float64 `json:"duration_ms"`
		}
		if err := json.Unmarshal([]byte(text), &line, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		if line.Level != "info" {
			t.Errorf("a worker that stops as it should logs %s", text)
		}
		if took := time.Duration(line.Took * float64(time.Millisecond)); line.Message == "batch" && (took < 50*time.Millisecond || took > limit) {
			t.Errorf("a batch that was held up for 100 ms took %v", took)
		}
	}
	if !strings.Contains(log, `"message":"batch"`) {
		t.Errorf("no line tells of the batch: %s", log)
	}
}

// caller sends requests as an API process does, and says itself when it has sent them.
type caller struct {
	*site
	inbox   string
	replies *nats.Subscription
	began   time.Time
	asked   int
}

func newCaller(t *testing.T, s *site) *caller {
	t.Helper()
	c := &caller{site: s, inbox: s.conn.NewInbox(), began: time.Now()}
	var err error
	if c.replies, err = s.conn.SubscribeSync(c.inbox + ".*"); err != nil {
		t.Fatal(err)
	}
	return c
}

// now is the caller's clock, in milliseconds.
func (c *caller) now() int64 { return 20_000 + time.Since(c.began).Milliseconds() }

// ask sends a request that was sent at a time by the caller's clock, and returns the reply.
func (c *caller) ask(req messages.SeatRequest, sent int64) messages.SeatReply {
	c.t.Helper()
	c.asked++
	req.RemainingMillis, req.SentMillis = 5000, sent
	data, err := messages.Encode(req)
	if err == nil {
		err = c.conn.PublishRequest(c.names().Seats(), fmt.Sprintf("%s.%d", c.inbox, c.asked), data)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	reply, err := c.replies.NextMsg(limit)
	if err != nil {
		c.t.Fatal(err)
	}
	got, err := messages.DecodeReplies(reply.Data)
	if err != nil {
		c.t.Fatal(err)
	}
	return got[0]
}

// register asks for a seat for somebody new.
func (c *caller) register(sent int64) messages.Outcome {
	c.t.Helper()
	return c.ask(messages.SeatRequest{Kind: messages.KindRegister, RequestID: "a request", EventID: c.event, UserID: store.NewID()}, sent).Outcome
}

// becomeKnown sends until the worker knows the caller's clock.
func (c *caller) becomeKnown() {
	c.t.Helper()
	testenv.Eventually(c.t, limit, "know the requester's clock", func() error {
		if got := c.register(c.now()); got != store.Registered {
			c.t.Fatalf("a new message is answered %s", got)
		}
		if got := c.register(c.now() - 10_000); got != messages.OutcomeOverloaded {
			return fmt.Errorf("an old message is answered %s", got)
		}
		return nil
	})
}

// TestAnOldMessageIsNotWritten: a message that was sent ten seconds before others of its requester,
// and comes after them, is too old to be applied.
func TestAnOldMessageIsNotWritten(t *testing.T) {
	c := newCaller(t, newSite(t, worker.Config{}, pass))
	c.becomeKnown()
	if got := c.register(c.now()); got != store.Registered {
		t.Errorf("a new message is answered %s", got)
	}
}

// TestALateAttemptGetsNoSeat: two attempts of a request overtake each other. The second was refused when the first comes,
// for which a seat is free: it does not get it, and one that is sent after the refusal does.
func TestALateAttemptGetsNoSeat(t *testing.T) {
	c := newCaller(t, newSite(t, worker.Config{}, pass))
	c.becomeKnown()
	event, holder, user := storetest.NewEvent(t, c.store, 1).ID, store.NewID(), store.NewID()
	register := func(user store.ID) messages.SeatRequest {
		return messages.SeatRequest{Kind: messages.KindRegister, RequestID: "a request", EventID: event, UserID: user}
	}
	first := c.now()
	for step, want := range []struct {
		request messages.SeatRequest
		sent    int64
		reply   messages.Outcome
	}{
		{register(holder), c.now(), store.Registered},
		{register(user), c.now(), store.SoldOut},
		{messages.SeatRequest{Kind: messages.KindCancel, RequestID: "a cancel", EventID: event, UserID: holder}, c.now(), store.Cancelled},
		{register(user), first, messages.OutcomeOverloaded},
	} {
		got := c.ask(want.request, want.sent)
		if got.Outcome != want.reply || got.Again != (want.reply == messages.OutcomeOverloaded) {
			t.Fatalf("step %d: %+v, want %s", step, got, want.reply)
		}
	}
	testenv.Eventually(t, limit, "take a later attempt", func() error {
		if got := c.ask(register(user), c.now()); got.Outcome != store.Registered {
			return fmt.Errorf("it is answered %+v", got)
		}
		return nil
	})
}

// TestACopyOfAMessageMovesNoSeat: a message comes twice over a real connection. Its request was refused, and a seat has
// become free when the copy comes: nobody gets it, because nobody would be told.
func TestACopyOfAMessageMovesNoSeat(t *testing.T) {
	var mu sync.Mutex
	applied := 0
	s := newSite(t, worker.Config{}, func(batch []store.SeatRequest) error {
		mu.Lock()
		defer mu.Unlock()
		applied += len(batch)
		return nil
	})
	inbox := s.conn.NewInbox()
	replies, err := s.conn.SubscribeSync(inbox + ".*")
	if err != nil {
		t.Fatal(err)
	}
	send := func(name string) {
		t.Helper()
		data, err := messages.Encode(messages.SeatRequest{
			Kind: messages.KindRegister, RequestID: "a request", EventID: s.event, UserID: store.NewID(), RemainingMillis: 5000,
		})
		if err == nil {
			err = s.conn.PublishRequest(s.names().Seats(), inbox+"."+name, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"1", "1", "1", "2"} {
		send(name)
	}
	for answered := 0; answered < 2; { // the first and the last, which came behind the copies
		msg, err := replies.NextMsg(limit)
		if err != nil {
			t.Fatal(err)
		}
		all, err := messages.DecodeReplies(msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		answered += len(all)
	}
	s.stop()
	if mu.Lock(); applied != 2 {
		t.Errorf("%d requests were applied, of two messages", applied)
	}
	mu.Unlock()
}
