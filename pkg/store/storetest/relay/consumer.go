package relay

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testConsumers: one process at a time acts for a consumer, and only that one moves its position.
func testConsumers(t *testing.T, target storetest.Target) {
	a, b := target.Store, target.Again(t)
	const long, short = time.Minute, 20 * time.Millisecond
	create := func(t *testing.T, name string, at store.Position) {
		t.Helper()
		if err := a.CreateConsumer(storetest.Context(t), name, at); err != nil {
			t.Fatal(err)
		}
	}
	take := func(t *testing.T, s store.Store, name, owner string, length time.Duration) store.Lease {
		t.Helper()
		l, err := s.TakeLease(storetest.Context(t), name, owner, length)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	want := func(t *testing.T, err, wanted error) {
		t.Helper()
		if !errors.Is(err, wanted) {
			t.Fatalf("error is %v, want %v", err, wanted)
		}
	}
	// ended waits until a short lease has ended.
	ended := func(t *testing.T, l store.Lease) {
		t.Helper()
		for ctx := storetest.Context(t); ctx.Err() == nil; {
			if err := a.StorePosition(ctx, l, l.Position, short); errors.Is(err, store.ErrLeaseLost) {
				return
			}
			time.Sleep(2 * short)
		}
		t.Fatal("the lease does not end")
	}
	t.Run("one that does not exist", func(t *testing.T) {
		_, err := a.TakeLease(storetest.Context(t), "nobody", "a", long)
		want(t, err, store.ErrConsumerNotFound)
		_, err = a.ConsumerPosition(storetest.Context(t), "nobody")
		want(t, err, store.ErrConsumerNotFound)
		want(t, a.RenewLease(storetest.Context(t), store.Lease{Consumer: "nobody", Owner: "a"}, long), store.ErrLeaseLost)
		want(t, a.RemoveConsumer(storetest.Context(t), "nobody"), nil)
	})
	t.Run("positions are kept", func(t *testing.T) {
		const odd = store.Position(`{"$set": "$token"} ' "é`)
		create(t, "kept", odd)
		create(t, "kept", "another")
		l := take(t, a, "kept", "$owner", long)
		if l.Position != odd || l.Token < 1 || l.Owner != "$owner" || l.Consumer != "kept" {
			t.Fatalf("the lease is %+v", l)
		}
		want(t, a.StorePosition(storetest.Context(t), l, "$token", long), nil)
		if at, err := b.ConsumerPosition(storetest.Context(t), "kept"); err != nil || at != "$token" {
			t.Fatalf("who has no lease reads %q, %v", at, err)
		}
		want(t, a.EndLease(storetest.Context(t), l), nil)
		if l := take(t, b, "kept", "b", long); l.Position != "$token" {
			t.Fatalf("the lease is %+v", l)
		}
	})
	t.Run("one holds it until it ends", func(t *testing.T) {
		create(t, "held", "1")
		first := take(t, a, "held", "a", long)
		_, err := b.TakeLease(storetest.Context(t), "held", "b", long)
		want(t, err, store.ErrLeaseHeld)
		again := take(t, a, "held", "a", long) // its own, after an answer that was lost
		if again.Token <= first.Token {
			t.Fatalf("token %d comes after %d", again.Token, first.Token)
		}
		want(t, a.StorePosition(storetest.Context(t), first, "2", long), store.ErrLeaseLost)
		want(t, a.EndLease(storetest.Context(t), first), nil) // says nothing, and ends nothing
		want(t, a.RenewLease(storetest.Context(t), again, long), nil)
		want(t, a.EndLease(storetest.Context(t), again), nil)
		want(t, a.RenewLease(storetest.Context(t), again, long), store.ErrLeaseLost)
		second := take(t, b, "held", "b", long)
		want(t, a.StorePosition(storetest.Context(t), again, "3", long), store.ErrLeaseLost)
		if second.Position != "1" || second.Token <= again.Token {
			t.Fatalf("the second is %+v after %+v", second, again)
		}
	})
	t.Run("it ends by itself", func(t *testing.T) {
		create(t, "ends", "1")
		first := take(t, a, "ends", "a", short)
		ended(t, first)
		want(t, a.RenewLease(storetest.Context(t), first, long), store.ErrLeaseLost)
		second := take(t, b, "ends", "b", long)
		want(t, a.StorePosition(storetest.Context(t), first, "2", long), store.ErrLeaseLost)
		want(t, b.StorePosition(storetest.Context(t), second, "3", long), nil)
		_, err := a.TakeLease(storetest.Context(t), "ends", "a", long)
		want(t, err, store.ErrLeaseHeld) // StorePosition has renewed it
	})
	t.Run("of many at once one gets it", func(t *testing.T) {
		create(t, "crowd", "1")
		var got atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := []store.Store{a, b}[i%2].TakeLease(storetest.Context(t), "crowd", string(rune('a'+i)), long)
				switch {
				case err == nil:
					got.Add(1)
				case !errors.Is(err, store.ErrLeaseHeld):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got.Load() != 1 {
			t.Fatalf("%d have the lease", got.Load())
		}
	})
	t.Run("a removed one is no more", func(t *testing.T) {
		create(t, "gone", "1")
		l := take(t, a, "gone", "a", long)
		want(t, a.RemoveConsumer(storetest.Context(t), "gone"), nil)
		want(t, a.StorePosition(storetest.Context(t), l, "2", long), store.ErrLeaseLost)
	})
}
