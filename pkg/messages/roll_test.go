package messages

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages/internal/liveness"
	"github.com/eventio/eventio/pkg/messages/internal/uplink"
)

const rollLimit = 20 * time.Second

// joined connects a process to a NATS server until the test ends.
func joined(t *testing.T, url, name string) Link {
	t.Helper()
	conn, err := Connect(url, name, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return Link{conn, Namespace{DefaultPrefix, "here"}}
}

// sharing starts an API process that shares rolls, and routes a request every few milliseconds until the test ends.
func sharing(t *testing.T, url string) *Requester {
	t.Helper()
	r, err := NewRequester(joined(t, url, "api"))
	if err == nil {
		err = r.ShareRolls()
	}
	if err != nil {
		t.Fatal(err)
	}
	keepRouting(t, r.router)
	return r
}

func keepRouting(t *testing.T, r *router) {
	t.Helper()
	tick, stop, stopped := time.NewTicker(10*time.Millisecond), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.route(bson.NewObjectID())
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
}

// startWorkers starts workers that take requests and drop them.
func startWorkers(t *testing.T, url string, n int) []*Service {
	t.Helper()
	all := make([]*Service, n)
	for i := range all {
		l := joined(t, url, "worker")
		var err error
		if all[i], err = Serve(l, func(*nats.Msg) {}); err == nil {
			err = l.Conn.FlushTimeout(rollLimit)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// knows is how many workers a process takes for living.
func knows(r *Requester) int {
	r.router.mu.Lock()
	defer r.router.mu.Unlock()
	return len(r.router.workers.Preferred())
}

// TestDiscoveryGrowsWithTheSum: what 64 API processes in use and 16 workers send and get to find each other, in a
// second, is of the size of 64 + 16. When each API process asked by itself it was three times 64 x 16.
func TestDiscoveryGrowsWithTheSum(t *testing.T) {
	const apis, workers, rounds = 64, 16, 4
	server := testenv.StartNATS(t)
	listener := joined(t, server.URL(), "listener")
	pings, err := listener.Conn.SubscribeSync(pingSubject)
	if err != nil {
		t.Fatal(err)
	}
	rolls, err := listener.Conn.SubscribeSync(listener.Namespace.Rolls())
	if err != nil {
		t.Fatal(err)
	}
	startWorkers(t, server.URL(), workers)
	all := make([]*Requester, apis)
	for i := range all {
		all[i] = sharing(t, server.URL())
	}
	testenv.Eventually(t, rollLimit, "all processes know all workers", func() error {
		for _, r := range all {
			if n := knows(r); n != workers {
				return fmt.Errorf("%d of %d", n, workers)
			}
		}
		return nil
	})
	nextRoll := func() {
		if _, err := rolls.NextMsg(rollLimit); err != nil {
			t.Fatal(err)
		}
	}
	// They begin at the same time, and then one after the other leaves it to one.
	deadline := time.Now().Add(rollLimit)
	for alone := 0; alone < 3; alone++ {
		nextRoll()
		if n, _, _ := pings.Pending(); n != 1 {
			alone = -1
		}
		drain(pings)
		if time.Now().After(deadline) {
			t.Fatal("many ask still")
		}
	}
	before, err := server.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		nextRoll()
	}
	after, err := server.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	asked, _, _ := pings.Pending()
	got := (after.Messages - before.Messages) / rounds
	t.Logf("%d messages in and out a round, %d pings in %d rounds; each by itself: %d", got, asked, rounds, apis+3*apis*workers)
	// A ping and its deliveries, the answers, a roll and its deliveries; half as much again for a second process that asks.
	if most := int64(3*(apis+3*workers)) / 2; got > most {
		t.Errorf("%d messages a round, want at most %d", got, most)
	}
	for _, r := range all {
		if n := knows(r); n != workers {
			t.Errorf("a process takes %d of %d workers for living", n, workers)
		}
	}
}

func drain(sub *nats.Subscription) {
	for {
		if n, _, _ := sub.Pending(); n == 0 {
			return
		}
		_, _ = sub.NextMsg(time.Second) // it is there
	}
}

// TestAnotherAsksWhenTheOneWhoAskedIsGone: and who does not ask any more learns of new workers all the same.
func TestAnotherAsksWhenTheOneWhoAskedIsGone(t *testing.T) {
	server := testenv.StartNATS(t)
	startWorkers(t, server.URL(), 2)
	first := sharing(t, server.URL())
	testenv.Eventually(t, rollLimit, "the first knows both", func() error { return wantKnown(first, 2) })
	second := sharing(t, server.URL())
	testenv.Eventually(t, rollLimit, "so does the second", func() error { return wantKnown(second, 2) })
	first.conn.Close()
	startWorkers(t, server.URL(), 1)
	testenv.Eventually(t, rollLimit, "the second finds a third", func() error { return wantKnown(second, 3) })
}

func wantKnown(r *Requester, want int) error {
	if n := knows(r); n != want {
		return fmt.Errorf("it takes %d workers for living, want %d", n, want)
	}
	return nil
}

// TestADeadWorkerIsNoticedByAll: one that answers no pings any more loses its events in every process, with rolls as
// without, and also in a process of the version before, which pings by itself.
func TestADeadWorkerIsNoticedByAll(t *testing.T) {
	server := testenv.StartNATS(t)
	workers := startWorkers(t, server.URL(), 3)
	before, err := NewRequester(joined(t, server.URL(), "api of the version before"))
	if err != nil {
		t.Fatal(err)
	}
	keepRouting(t, before.router)
	all := []*Requester{before, sharing(t, server.URL()), sharing(t, server.URL()), sharing(t, server.URL())}
	each := func(want int) func() error {
		return func() error {
			for _, r := range all {
				if err := wantKnown(r, want); err != nil {
					return err
				}
			}
			return nil
		}
	}
	testenv.Eventually(t, rollLimit, "all know three", each(3))
	if err := workers[0].Leave(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, rollLimit, "all know two", each(2))
}

func TestDecodeRoll(t *testing.T) {
	most := strings.Repeat(`"w",`, liveness.MaxWorkers-1) + `"w"`
	long := func(size int) string {
		begin, end := `{"workers":["w"],"x":"`, `"}`
		return begin + strings.Repeat("x", size-len(begin)-len(end)) + end
	}
	for text, fits := range map[string]bool{
		`{"by":"a","workers":["w1","w2"]}`:              true,
		`{"by":"a","workers":["w1"],"something":"new"}`: true,
		`{"by":"a","workers":[]}`:                       false,
		`{"by":"a"}`:                                    false,
		`{"workers":["a.b"]}`:                           false,
		`{"workers":[">"]}`:                             false,
		`{"workers":[""]}`:                              false,
		`{"workers":"w1"}`:                              false,
		`{"workers":[` + most + `]}`:                    true,
		`{"workers":[` + most + `,"w"]}`:                false,
		long(MaxMessage):                                true,
		long(MaxMessage + 1):                            false,
		`garbage`:                                       false,
		``:                                              false,
	} {
		if _, err := decodeRoll([]byte(text)); (err == nil) != fits {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// TestForgedRolls: whatever a roll says, no process of ours stops or forgets whom it knows.
func TestForgedRolls(t *testing.T) {
	r := routerWith("w1")
	r.workers.PingedAt = time.Now().Add(time.Hour) // there is no connection for pings
	for _, text := range []string{"", "{}", `{"by":"x","workers":["a.b"]}`, `{"workers":["*"]}`, strings.Repeat("[", 1<<16)} {
		r.receiveRoll(&nats.Msg{Data: []byte(text)})
	}
	for i := range 2 * liveness.MaxWorkers {
		r.receiveRoll(&nats.Msg{Data: fmt.Appendf(nil, `{"by":"x","workers":["w1","forged%d"]}`, i)})
	}
	if _, known := r.workers.Missed["w1"]; !known || len(r.workers.Missed) > liveness.MaxWorkers {
		t.Errorf("w1 is known: %v; %d workers are", known, len(r.workers.Missed))
	}
}

// TestWhichRoundsAreTold checks of which rounds of answers the other processes hear.
func TestWhichRoundsAreTold(t *testing.T) {
	server := testenv.StartNATS(t)
	listener := joined(t, server.URL(), "listener")
	rolls, err := listener.Conn.SubscribeSync(listener.Namespace.Rolls())
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Conn.FlushTimeout(rollLimit); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answered   int
		over, away bool // another round has begun; the connection is away
		told       bool
	}{
		"one that a worker has answered":         {1, false, false, true},
		"one that nobody has answered":           {0, false, false, false},
		"one that as many as may be answered":    {liveness.MaxWorkers, false, false, true},
		"one that too many have answered":        {liveness.MaxWorkers + 1, false, false, false},
		"one after which another has begun":      {1, true, false, false},
		"one after which the connection is away": {1, false, true, false},
	} {
		q, err := NewRequester(joined(t, server.URL(), "api"))
		if err != nil {
			t.Fatal(err)
		}
		r, asked := q.router, &round{slices.Repeat([]string{"w"}, c.answered)}
		r.asked = asked
		if c.over {
			r.asked = new(round)
		}
		if c.away {
			r.state = new(uplink.State)
		}
		r.sendRoll(asked)
		for _, conn := range []*nats.Conn{r.conn, listener.Conn} {
			if err := conn.FlushTimeout(rollLimit); err != nil {
				t.Fatal(err)
			}
		}
		if n, _, _ := rolls.Pending(); n > 1 || (n == 1) != c.told || (r.asked == nil) == c.over {
			t.Errorf("%s: %d rolls, and the round is still on: %v", name, n, r.asked != nil)
		}
		drain(rolls)
	}
}

// TestWhatARollIsTakenFor checks what a roll changes: the choice of workers, the answers that this process would tell, and its next ping.
func TestWhatARollIsTakenFor(t *testing.T) {
	server := testenv.StartNATS(t)
	listener := joined(t, server.URL(), "listener")
	pings, err := listener.Conn.SubscribeSync(pingSubject)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Conn.FlushTimeout(rollLimit); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		by, workers             string
		away                    bool // the connection is
		anew, told, later, asks bool
	}{
		"all that are known":                 {"another", `"w1","w2"`, false, true, true, true, false},
		"of this process":                    {"me", `"w1","w2"`, false, false, false, false, false},
		"one is missing":                     {"another", `"w1"`, false, true, false, false, true},
		"one is missing, and nobody is told": {"another", `"w1"`, true, false, false, false, false},
		"one is missing, and one new":        {"another", `"w1","w3"`, true, true, false, false, false},
		"one that cannot be read":            {"another", `"a.b","w1","w2"`, false, false, false, false, false},
	} {
		q, err := NewRequester(joined(t, server.URL(), "api"))
		if err != nil {
			t.Fatal(err)
		}
		r := q.router
		r.name, r.asked = "me", new(round)
		r.workers.Answered("w1")
		r.workers.Answered("w2")
		r.current.Store(new(choices))
		if c.away {
			r.state = new(uplink.State)
		}
		r.receiveRoll(&nats.Msg{Data: fmt.Appendf(nil, `{"by":%q,"workers":[%s]}`, c.by, c.workers)})
		for _, conn := range []*nats.Conn{r.conn, listener.Conn} {
			if err := conn.FlushTimeout(rollLimit); err != nil {
				t.Fatal(err)
			}
		}
		n, _, _ := pings.Pending()
		drain(pings)
		later := r.workers.Due.After(time.Now().Add(liveness.PingInterval))
		if anew := r.current.Load() == nil; anew != c.anew || (r.asked == nil) != c.told || later != c.later || (n == 1) != c.asks {
			t.Errorf("%s: chooses anew %v, told %v, asks later %v, %d pings", name, anew, r.asked == nil, later, n)
		}
	}
}
