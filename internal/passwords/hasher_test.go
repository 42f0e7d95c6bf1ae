package passwords

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

func TestAHasherIsBounded(t *testing.T) {
	h := NewHasher(1, 2) // one of a network waits
	release, err := h.Acquire(t.Context(), somebody)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Room(somebody); err != nil {
		t.Errorf("Room says %v while nobody waits", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiter := make(chan error)
	go func() {
		_, err := h.Hash(ctx, somebody, "horse battery")
		waiter <- err
	}()
	testenv.Eventually(t, 20*time.Second, "wait for a turn", func() error {
		if h.Waiting() == 0 {
			return errors.New("nobody waits")
		}
		return nil
	})
	for _, err := range []error{h.Room(somebody), func() error { _, err := h.Acquire(t.Context(), somebody); return err }()} {
		var busy *fairqueue.BusyError
		if !errors.Is(err, store.ErrUnavailable) || !errors.As(err, &busy) || busy.RetryAfter <= 0 {
			t.Errorf("one too many gets %v, want a refusal that says when to come again", err)
		}
	}
	cancel()
	if err := <-waiter; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one that waited gets %v", err)
	}
	release()
	if release, err = h.Acquire(t.Context(), somebody); err != nil {
		t.Fatal(err)
	}
	release()
	if h.Waiting() != 0 {
		t.Errorf("%d wait", h.Waiting())
	}
}

// TestABrokenHashLosesNoTurn: the library would panic at a stored hash of no passes. Whoever hashes
// next has a turn.
func TestABrokenHashLosesNoTurn(t *testing.T) {
	h := NewHasher(1, 1)
	broken := strings.Replace(h.dummy, "t=2", "t=0", 1)
	if right, _, err := h.Matches(t.Context(), somebody, "horse battery", broken); err == nil || right {
		t.Errorf("it is right: %t, %v", right, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	release, err := h.Acquire(ctx, somebody)
	if err != nil {
		t.Fatalf("no turn after a broken hash: %v", err)
	}
	release()
}

// TestLogInsPassAFlood: while 40 clients log in without a pause, each time from a network that
// nobody has come from before, everybody who is known is let in at once, and so is a stranger.
func TestLogInsPassAFlood(t *testing.T) {
	h := NewHasher(1, 0)
	const clients = 40
	ctx, end := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	var networks, hashes atomic.Int64
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := networks.Add(1)
				who := fairqueue.Stranger(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}))
				if _, _, err := h.Matches(ctx, who, "horse battery", ""); err == nil {
					hashes.Add(1)
				}
			}
		})
	}
	testenv.Eventually(t, 20*time.Second, "wait for turns", func() error {
		if h.Waiting() < clients-1 {
			return errors.New("not all wait")
		}
		return nil
	})
	for i := range 4 {
		before := hashes.Load()
		if _, _, err := h.Matches(t.Context(), fairqueue.Known(store.ID{byte(i)}), "horse battery", h.dummy); err != nil {
			t.Errorf("somebody known gets %v", err)
		}
		if others := hashes.Load() - before; others > 3 { // who is being served, one in turn, and one that ends meanwhile
			t.Errorf("somebody known waits for %d others", others)
		}
	}
	before := hashes.Load()
	if _, _, err := h.Matches(t.Context(), fairqueue.Stranger(netip.MustParseAddr("192.0.2.1")), "horse battery", h.dummy); err != nil {
		t.Errorf("a stranger gets %v", err)
	}
	if others := hashes.Load() - before; others > clients+2 {
		t.Errorf("a stranger waits for %d others", others)
	}
}
