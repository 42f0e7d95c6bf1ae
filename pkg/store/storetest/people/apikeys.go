package people

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func newAPIKey(owner store.ID, created time.Time) apikeys.Key {
	k := apikeys.Key{
		ID: store.NewID(), OwnerID: owner, Name: "$shop's key", Scopes: "read register", CreatedAt: created, ExpiresAt: created.Add(time.Hour),
	}
	copy(k.Hash[:], k.ID[:])
	k.Hash[31] = 0xff
	return k
}

// withKeys is a store that keeps keys of programs.
type withKeys interface {
	store.Store
	apikeys.Store
}

// apiKeysSince reads the keys that were changed since then, by id.
func apiKeysSince(t *testing.T, s apikeys.Store, since time.Time) map[store.ID]apikeys.Key {
	t.Helper()
	found := make(map[store.ID]apikeys.Key)
	for k, err := range s.APIKeysSince(storetest.Context(t), since) {
		if err != nil {
			t.Fatal(err)
		}
		found[k.ID] = k
	}
	return found
}

func testAPIKeys(t *testing.T, target storetest.Target) {
	s, again := target.Store.(withKeys), target.Again(t).(withKeys)
	ada, eve := createUser(t, s), createUser(t, s)
	current := time.Now().UTC().Truncate(time.Millisecond)
	first, second, past, hers := newAPIKey(ada.ID, current), newAPIKey(ada.ID, current), newAPIKey(ada.ID, current.Add(-2*time.Hour)), newAPIKey(eve.ID, current)
	for _, k := range []apikeys.Key{first, second, past, hers, first} {
		if err := s.CreateAPIKey(storetest.Context(t), k); err != nil {
			t.Fatal(err)
		}
	}
	wantKeys := func(owner store.ID, want ...apikeys.Key) {
		t.Helper()
		got, err := again.APIKeysOf(storetest.Context(t), owner, current)
		if err != nil || len(got) != len(want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		for i := range want {
			if changed := got[i].ChangedAt; time.Since(changed).Abs() > time.Minute {
				t.Errorf("it was changed at %v", changed)
			}
			if got[i].ChangedAt = want[i].ChangedAt; got[i] != want[i] {
				t.Fatalf("got %+v, want %+v", got[i], want[i])
			}
		}
	}
	wantKeys(ada.ID, second, first) // the newest first, and none that has expired
	t.Run("who reads on sees what changed", func(t *testing.T) {
		all := apiKeysSince(t, again, time.Time{})
		if len(all) != 4 || all[past.ID].Hash != past.Hash {
			t.Fatalf("there are %+v", all)
		}
		if got := apiKeysSince(t, again, all[hers.ID].ChangedAt); len(got) == 0 {
			t.Error("who reads on from the last change misses it")
		}
		if got := apiKeysSince(t, again, all[hers.ID].ChangedAt.Add(time.Minute)); len(got) != 0 {
			t.Errorf("after the last change there is %+v", got)
		}
	})
	t.Run("use", func(t *testing.T) {
		before, used := apiKeysSince(t, again, time.Time{}), current.Add(time.Minute)
		for _, at := range []time.Time{used, used.Add(-time.Second)} { // the later one stays
			if err := s.UseAPIKeys(storetest.Context(t), map[store.ID]time.Time{second.ID: at, store.NewID(): at, first.ID: at.Add(-time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.UseAPIKeys(storetest.Context(t), nil); err != nil {
			t.Fatal(err)
		}
		second.LastUsedAt, first.LastUsedAt = used, used.Add(-time.Hour)
		wantKeys(ada.ID, second, first)
		after := apiKeysSince(t, again, time.Time{})
		if len(after) != 4 || after[second.ID].ChangedAt != before[second.ID].ChangedAt {
			t.Errorf("use is a change: %+v", after)
		}
	})
	t.Run("end", func(t *testing.T) {
		for _, c := range []struct {
			owner, id store.ID
			want      bool
		}{{eve.ID, first.ID, false}, {ada.ID, store.NewID(), false}, {ada.ID, first.ID, true}, {ada.ID, first.ID, true}} {
			if found, err := s.EndAPIKey(storetest.Context(t), c.owner, c.id); err != nil || found != c.want {
				t.Fatalf("ended: %t, %v, want %t", found, err, c.want)
			}
			if !c.want {
				wantKeys(ada.ID, second, first)
			}
		}
		wantKeys(ada.ID, second)
		ended := apiKeysSince(t, again, time.Time{})[first.ID]
		if time.Since(ended.EndedAt).Abs() > time.Minute || ended.ChangedAt != ended.EndedAt {
			t.Errorf("it ended as %+v", ended)
		}
		if err := s.CreateAPIKey(storetest.Context(t), first); err != nil { // a repetition that is late
			t.Fatal(err)
		}
		wantKeys(ada.ID, second)
	})
	t.Run("locked and erased people have none", func(t *testing.T) {
		if _, err := s.LockUser(storetest.Context(t), ada.ID, current); err != nil {
			t.Fatal(err)
		}
		wantKeys(ada.ID)
		if err := s.EraseUser(storetest.Context(t), eve.ID, current); err != nil {
			t.Fatal(err)
		}
		wantKeys(eve.ID)
		all := apiKeysSince(t, again, time.Time{})
		if all[second.ID].EndedAt.IsZero() || all[hers.ID].EndedAt.IsZero() || all[hers.ID].Name != "" {
			t.Errorf("there are %+v", all)
		}
		for _, owner := range []store.ID{ada.ID, eve.ID} {
			if err := s.CreateAPIKey(storetest.Context(t), newAPIKey(owner, current)); !errors.Is(err, apikeys.ErrOwnerBarred) {
				t.Errorf("a key of somebody who may have none: %v", err)
			}
			wantKeys(owner)
		}
		if _, err := s.UnlockUser(storetest.Context(t), ada.ID); err != nil {
			t.Fatal(err)
		}
		third := newAPIKey(ada.ID, current)
		if err := s.CreateAPIKey(storetest.Context(t), third); err != nil {
			t.Fatal(err)
		}
		wantKeys(ada.ID, third)
	})
	t.Run("whom others have proven has some", func(t *testing.T) {
		k := newAPIKey(foreign.ID("https://login.example.org", store.NewID().Hex()), current)
		if err := s.CreateAPIKey(storetest.Context(t), k); err != nil {
			t.Fatal(err)
		}
		wantKeys(k.OwnerID, k)
	})
	t.Run("a key that is made meanwhile does not live", func(t *testing.T) {
		for n := range 20 {
			owner := createUser(t, s).ID
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 100 {
						err := s.CreateAPIKey(storetest.Context(t), newAPIKey(owner, current))
						if errors.Is(err, apikeys.ErrOwnerBarred) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			var err error
			if n%2 == 0 {
				_, err = again.LockUser(storetest.Context(t), owner, current)
			} else {
				err = again.EraseUser(storetest.Context(t), owner, current)
			}
			if err != nil {
				t.Fatal(err)
			}
			all.Wait()
			wantKeys(owner)
		}
	})
}
