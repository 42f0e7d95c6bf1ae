package people

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testQuotas checks that a quota is never passed, whoever uses it at the same time, and that all
// amounts of a use count or none.
func testQuotas(t *testing.T, target storetest.Target) {
	a, b := target.Store, target.Again(t)
	use := func(subject string, amounts ...store.QuotaAmount) store.QuotaUse {
		return store.QuotaUse{Subject: subject, At: storetest.Now(), Amounts: amounts}
	}
	amount := func(kind string, n, limit int64) store.QuotaAmount {
		return store.QuotaAmount{Kind: kind, Amount: n, Limit: limit}
	}
	take := func(t *testing.T, s store.Store, u store.QuotaUse) {
		t.Helper()
		if err := s.UseQuota(storetest.Context(t), u); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(t *testing.T, s store.Store, u store.QuotaUse, kind string) {
		t.Helper()
		err := s.UseQuota(storetest.Context(t), u)
		exceeded, ok := errors.AsType[*store.QuotaError](err)
		if !ok || !errors.Is(err, store.ErrNothingStored) || errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("error is %v", err)
		}
		want := store.QuotaError{Subject: u.Subject, Kind: kind, Limit: u.Amounts[0].Limit, Until: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)}
		for _, a := range u.Amounts {
			if a.Kind == kind {
				want.Limit = a.Limit
			}
		}
		if *exceeded != want {
			t.Fatalf("it is %+v, want %+v", *exceeded, want)
		}
	}
	t.Run("up to the limit and no further", func(t *testing.T) {
		take(t, a, use("ada", amount("events", 2, 3)))
		refused(t, b, use("ada", amount("events", 2, 3)), "events")
		take(t, b, use("ada", amount("events", 1, 3)))
		refused(t, a, use("ada", amount("events", 1, 3)), "events")
		take(t, a, use("ada", amount("events", 1, 4))) // the limit was raised
	})
	t.Run("more than a day has is refused at once", func(t *testing.T) {
		refused(t, a, use("carol", amount("events", 4, 3)), "events")
		take(t, a, use("carol", amount("events", 3, 3)))
	})
	t.Run("subjects, kinds and days are apart", func(t *testing.T) {
		take(t, a, use("bob", amount("events", 3, 3)))
		take(t, a, use("bobby", amount("events", 3, 3)))
		take(t, a, use("bob", amount("keys", 3, 3)))
		tomorrow := use("bob", amount("events", 3, 3))
		tomorrow.At = storetest.Now().Add(14 * time.Hour)
		take(t, b, tomorrow)
		refused(t, a, use("bob", amount("events", 1, 3)), "events")
		yesterday := use("bob", amount("events", 3, 3))
		yesterday.At = storetest.Now().Add(-24 * time.Hour)
		take(t, a, yesterday)
	})
	t.Run("all amounts count or none", func(t *testing.T) {
		take(t, a, use("dora", amount("events", 1, 3), amount("bytes", 80, 100)))
		refused(t, b, use("dora", amount("events", 1, 3), amount("bytes", 30, 100)), "bytes")
		refused(t, b, use("dora", amount("events", 3, 3), amount("bytes", 10, 100)), "events")
		take(t, b, use("dora", amount("events", 2, 3), amount("bytes", 20, 100)))
	})
	t.Run("of 40 at once as many as fit", func(t *testing.T) {
		var taken atomic.Int64
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				err := []store.Store{a, b}[i%2].UseQuota(storetest.Context(t), use("crowd", amount("events", 1, 25)))
				if err == nil {
					taken.Add(1)
				} else if _, ok := errors.AsType[*store.QuotaError](err); !ok {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if taken.Load() != 25 {
			t.Fatalf("%d of 40 have taken one of 25", taken.Load())
		}
	})
}
