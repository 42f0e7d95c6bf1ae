package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/testenv"
)

// limit bounds every wait.
const limit = 30 * time.Second

// TestTheStateOfASilentServer: a server takes connections and says nothing. Who asks whether the connection is up is told at once that it is
// not, while the connection itself makes everybody wait.
func TestTheStateOfASilentServer(t *testing.T) {
	server := testenv.StartNATS(t)
	way := testenv.StartDistance(t, strings.TrimPrefix(server.URL(), "nats://"), 0)
	conn, err := nats.Connect("nats://"+way.Addr(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.PingInterval(50*time.Millisecond), nats.MaxPingsOutstanding(1), nats.Timeout(time.Second), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := Watch(conn)
	if !s.Up() {
		t.Error("a connection that is up is not")
	}
	way.Cut(testenv.ToClients)
	testenv.Eventually(t, limit, "notice", func() error {
		if s.Up() {
			return errors.New("it is up")
		}
		return nil
	})
	held := make(chan time.Duration, 1)
	go func() {
		var longest time.Duration
		for until := time.Now().Add(1200 * time.Millisecond); time.Now().Before(until); {
			began := time.Now()
			_ = conn.Publish("nobody", nil)
			longest = max(longest, time.Since(began))
			time.Sleep(time.Millisecond)
		}
		held <- longest
	}()
	for {
		select {
		case longest := <-held:
			if longest < 500*time.Millisecond {
				t.Errorf("a message waits %v at most: this version of nats.go needs no State", longest)
			}
			way.Heal()
			testenv.Eventually(t, limit, "be back", func() error {
				if !s.Up() {
					return errors.New("it is not up")
				}
				return nil
			})
			return
		default:
			began := time.Now()
			if s.Up() {
				t.Fatal("it is up while its server says nothing")
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Fatalf("the answer took %v", took)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// TestTheStateOfAClosedConnection is that it is not up.
func TestTheStateOfAClosedConnection(t *testing.T) {
	conn, err := nats.Connect(testenv.StartNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	before, after := Watch(conn), (*State)(nil)
	conn.Close()
	after = Watch(conn)
	testenv.Eventually(t, limit, "end", func() error {
		if before.Up() || after.Up() {
			return errors.New("it is up")
		}
		return nil
	})
}

// TestAClosedConnectionIsNotWatched checks that a watch ends with its connection, and one that comes too late at once.
func TestAClosedConnectionIsNotWatched(t *testing.T) {
	conn, err := nats.Connect(testenv.StartNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	Watch(conn)
	conn.Close()
	Watch(conn)
	testenv.Eventually(t, limit, "end", func() error {
		stacks := make([]byte, 1<<20)
		if n := bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("uplink.Watch")); n > 0 {
			return fmt.Errorf("%d goroutines still watch", n)
		}
		return nil
	})
}
