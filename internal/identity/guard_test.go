package identity

import (
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func TestTheLatestRevocationCountsUntilItIsForgotten(t *testing.T) {
	g := Alone()
	ada := store.NewID()
	tokens := make([]string, 4)
	for v := range tokens {
		var err error
		if tokens[v], _, err = g.Sign(Person{ID: ada, PasswordVersion: int64(v)}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, lowest int) {
		t.Helper()
		for v, token := range tokens {
			if _, err := g.Check(token); (err == nil) != (v >= lowest) {
				t.Errorf("%s: version %d: %v", when, v, err)
			}
		}
	}
	now := time.Now()
	want("at first", 0)
	g.Revoke(store.Revocation{UserID: store.NewID(), PasswordVersion: 9, ChangedAt: now})
	want("after somebody else's", 0)
	g.Revoke(store.Revocation{UserID: ada, PasswordVersion: 2, ChangedAt: now})
	want("after a revocation", 2)
	g.Revoke(store.Revocation{UserID: ada, PasswordVersion: 1, ChangedAt: now.Add(time.Hour)})
	want("after an older one that came late", 2)
	g.forget(now.Add(MaxLifetime))
	want("while such a token may live", 2)
	g.forget(now.Add(keepFor + time.Second))
	if len(g.revoked) != 0 {
		t.Errorf("%d are never forgotten", len(g.revoked))
	}
}

func TestAGuardIsSafeForConcurrentUse(t *testing.T) {
	g := Alone()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				ada := store.NewID()
				token, _, err := g.Sign(Person{ID: ada})
				if err != nil {
					t.Error(err)
				}
				if _, err := g.Check(token); err != nil {
					t.Error(err)
				}
				g.Revoke(store.Revocation{UserID: ada, PasswordVersion: 1, ChangedAt: time.Now()})
				if _, err := g.Check(token); err == nil {
					t.Error("a revoked token is believed")
				}
				g.forget(time.Now())
			}
		})
	}
	wg.Wait()
}
