package people

import (
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// claim returns the claim that a process makes on the key, for a request with that content.
func claim(key, content string) store.Claim {
	return store.Claim{
		Key: sha256.Sum256([]byte(key)), Fingerprint: sha256.Sum256([]byte(content)),
		Resource: store.NewID(), Owner: store.NewID(), CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func testIdempotency(t *testing.T, target storetest.Target) {
	a, b := target.Store, target.Again(t)
	const lease = time.Hour
	begin := func(t *testing.T, s store.Store, c store.Claim, lease time.Duration) (store.Claim, bool) {
		t.Helper()
		got, done, err := s.Begin(storetest.Context(t), c, lease)
		if err != nil {
			t.Fatalf("begin: %v", err)
		}
		return got, done
	}
	refused := func(t *testing.T, s store.Store, c store.Claim, want error) {
		t.Helper()
		if _, _, err := s.Begin(storetest.Context(t), c, lease); !errors.Is(err, want) {
			t.Fatalf("error is %v, want %v", err, want)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("the first one gets the claim as it brought it", func(t *testing.T) {
		c := claim("first", "x")
		if got, done := begin(t, a, c, lease); got != c || done {
			t.Fatalf("got %+v, %v; want %+v", got, done, c)
		}
	})
	t.Run("a second one is told that it is in progress", func(t *testing.T) {
		begin(t, a, claim("progress", "x"), lease)
		refused(t, b, claim("progress", "x"), store.ErrInProgress)
	})
	t.Run("another content is refused, in progress and done", func(t *testing.T) {
		c, _ := begin(t, a, claim("content", "x"), lease)
		refused(t, b, claim("content", "y"), store.ErrKeyReused)
		must(t, a.Finish(storetest.Context(t), c))
		refused(t, b, claim("content", "y"), store.ErrKeyReused)
	})
	t.Run("what is done keeps its resource and time", func(t *testing.T) {
		c, _ := begin(t, a, claim("done", "x"), lease)
		must(t, a.Finish(storetest.Context(t), c))
		for range 2 {
			later := claim("done", "x")
			later.CreatedAt = later.CreatedAt.Add(time.Minute)
			got, done := begin(t, b, later, lease)
			if !done || got.Resource != c.Resource || got.CreatedAt != c.CreatedAt {
				t.Fatalf("got %+v, %v; want %+v", got, done, c)
			}
		}
	})
	t.Run("a claim whose lease has run out is inherited with its resource", func(t *testing.T) {
		c, _ := begin(t, a, claim("inherited", "x"), time.Millisecond)
		time.Sleep(5 * time.Millisecond) // the one thing that happens here is time
		heir := claim("inherited", "x")
		got, done := begin(t, b, heir, lease)
		if done || !got.Inherited || got.Resource != c.Resource || got.CreatedAt != c.CreatedAt || got.Owner != heir.Owner {
			t.Fatalf("got %+v, %v; first was %+v", got, done, c)
		}
		refused(t, a, claim("inherited", "x"), store.ErrInProgress)
		// The first holder is not dead after all: it loses nothing and takes nothing.
		must(t, a.Release(storetest.Context(t), c))
		refused(t, a, claim("inherited", "x"), store.ErrInProgress)
		must(t, a.Finish(storetest.Context(t), c))
		if _, done := begin(t, b, claim("inherited", "x"), lease); !done {
			t.Fatal("what one holder finished is not done")
		}
	})
	t.Run("another content inherits nothing", func(t *testing.T) {
		begin(t, a, claim("foreign", "x"), time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		refused(t, b, claim("foreign", "y"), store.ErrKeyReused)
	})
	t.Run("a released key is free for any content", func(t *testing.T) {
		c, _ := begin(t, a, claim("released", "x"), lease)
		must(t, a.Release(storetest.Context(t), c))
		other := claim("released", "y")
		if got, _ := begin(t, b, other, lease); got != other {
			t.Fatalf("got %+v, want %+v", got, other)
		}
	})
	t.Run("an inherited key that is released stays bound", func(t *testing.T) {
		c, _ := begin(t, a, claim("bound", "x"), time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		heir, _ := begin(t, b, claim("bound", "x"), lease)
		must(t, b.Release(storetest.Context(t), heir))
		refused(t, a, claim("bound", "y"), store.ErrKeyReused)
		if got, done := begin(t, a, claim("bound", "x"), lease); done || got.Resource != c.Resource {
			t.Fatalf("got %+v, %v; first was %+v", got, done, c)
		}
	})
	t.Run("a key lives as long as its claim says", func(t *testing.T) {
		long, short := claim("long", "x"), claim("short", "x")
		long.CreatedAt, long.Life = long.CreatedAt.Add(-store.KeyLife-time.Minute), 2*store.KeyLife
		short.CreatedAt, short.Life = short.CreatedAt.Add(-2*time.Hour), time.Hour
		for _, c := range []store.Claim{long, short} {
			c, _ = begin(t, a, c, lease)
			must(t, a.Finish(storetest.Context(t), c))
		}
		if _, done := begin(t, b, claim("long", "x"), lease); !done {
			t.Error("a key is forgotten before its time")
		}
		if _, done := begin(t, b, claim("short", "y"), lease); done {
			t.Error("a key is remembered for too long")
		}
	})
	t.Run("a key is free again after its life", func(t *testing.T) {
		old := claim("old", "x")
		old.CreatedAt = old.CreatedAt.Add(-store.KeyLife - time.Minute)
		c, _ := begin(t, a, old, lease)
		must(t, a.Finish(storetest.Context(t), c))
		other := claim("old", "y")
		if got, done := begin(t, b, other, lease); got != other || done {
			t.Fatalf("got %+v, %v; want %+v", got, done, other)
		}
	})
	t.Run("of 50 at once one gets the claim", func(t *testing.T) {
		var got atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				switch _, _, err := []store.Store{a, b}[i%2].Begin(storetest.Context(t), claim("crowd", "x"), lease); {
				case err == nil:
					got.Add(1)
				case !errors.Is(err, store.ErrInProgress):
					t.Errorf("error is %v, want ErrInProgress", err)
				}
			})
		}
		wg.Wait()
		if got.Load() != 1 {
			t.Fatalf("%d got the claim", got.Load())
		}
	})
}
