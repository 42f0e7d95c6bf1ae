package messages_test

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// freezer is a proxy in front of a NATS server. When it freezes it forwards nothing and closes
// nothing, so that neither side notices.
type freezer struct {
	url    string // where clients connect
	frozen chan struct{}
}

func newFreezer(t *testing.T, url string) *freezer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{url: "nats://" + listener.Addr().String(), frozen: make(chan struct{})}
	var open sync.WaitGroup
	over := make(chan struct{})
	t.Cleanup(func() {
		close(over)
		_ = listener.Close() // ends the loop below
		open.Wait()
	})
	forward := func(to, from net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			select {
			case <-f.frozen:
				<-over
				return
			default:
			}
			if err == nil {
				_, err = to.Write(buf[:n])
			}
			if err != nil {
				_, _ = to.Close(), from.Close() // the other way ends too
				return
			}
		}
	}
	open.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			open.Go(func() { forward(client, server) })
			open.Go(func() { forward(server, client) })
			open.Go(func() {
				<-over
				_, _ = client.Close(), server.Close() // whatever is left
			})
		}
	})
	return f
}

// TestTwoFrozenWorkers: of three workers two are frozen, and the second attempt of every request
// reaches the third.
func TestTwoFrozenWorkers(t *testing.T) {
	p := newPool(t, 1)
	f := newFreezer(t, p.url)
	for i := range 2 {
		conn := connect(t, f.url, "frozen")
		service, err := messages.Serve(link(conn, "here"), func(m *nats.Msg) { p.serve(t, 1+i, m) })
		if err == nil {
			err = conn.FlushTimeout(5 * time.Second)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = service.Leave() })
	}
	r := requester(t, p.url)
	for end := time.Now().Add(10 * time.Second); !p.apart(); {
		if time.Now().After(end) {
			t.Fatal("the workers are not known")
		}
		p.reset()
		for range 30 {
			askFor(t, r, bson.NewObjectID())
		}
	}
	close(f.frozen)
	var slow atomic.Int64
	var crowd sync.WaitGroup
	for range 48 {
		crowd.Go(func() {
			req, started := request(), time.Now()
			req.EventID = bson.NewObjectID()
			reply := r.Request(t.Context(), req, started.Add(4*time.Second)).Reply
			if reply.Outcome != store.Registered {
				t.Errorf("an answer is %s", reply.Outcome)
			}
			if time.Since(started) > time.Second {
				slow.Add(1)
			}
		})
	}
	crowd.Wait()
	if slow.Load() == 0 {
		t.Error("nobody waited for one that is frozen, so nothing is shown")
	}
}

// apart reports whether every event was served by one worker, and every worker has served some.
func (p *pool) apart() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(map[int]bool)
	for _, workers := range p.served {
		if len(workers) > 1 {
			return false
		}
		for worker := range workers {
			seen[worker] = true
		}
	}
	return len(seen) == 3
}

// TestAFrozenServerIsLeftSoon: with the default timeouts, before the second attempt of a request.
func TestAFrozenServerIsLeftSoon(t *testing.T) {
	const tries = 3
	for range tries { // a machine that stands still for a while notices nothing
		f := newFreezer(t, newPool(t, 0).url)
		conn := connect(t, f.url, "api")
		lost := conn.StatusChanged(nats.RECONNECTING)
		started := time.Now()
		close(f.frozen)
		select {
		case <-lost:
			t.Logf("noticed after %v", time.Since(started))
			return
		case <-time.After(1950 * time.Millisecond):
		}
	}
	t.Fatalf("not noticed in 1.95 s, %d times", tries)
}
