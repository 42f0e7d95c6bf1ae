package identity

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

// slowKeys is a store whose keys take long to read; the first reading finds none.
type slowKeys struct {
	apikeys.Store
	begun atomic.Bool
	takes time.Duration
	has   []apikeys.Key
}

func (s *slowKeys) APIKeysSince(ctx context.Context, _ time.Time) iter.Seq2[apikeys.Key, error] {
	return func(yield func(apikeys.Key, error) bool) {
		if s.begun.CompareAndSwap(false, true) {
			return
		}
		select {
		case <-ctx.Done():
			yield(apikeys.Key{}, ctx.Err())
			return
		case <-time.After(s.takes):
		}
		for _, k := range s.has {
			if !yield(k, nil) {
				return
			}
		}
	}
}

func (*slowKeys) UseAPIKeys(context.Context, map[store.ID]time.Time) error { return nil }

// TestMuchIsReadAtLast: what takes longer than a reading may is read when readings have been given more time, as long as that
// is needed and no longer.
func TestMuchIsReadAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text, hash := NewAPIKey()
		now := time.Now()
		st := &slowKeys{takes: 3 * readLimit, has: []apikeys.Key{
			{ID: store.NewID(), OwnerID: store.NewID(), Hash: hash, Scopes: "read", ChangedAt: now, ExpiresAt: now.Add(24 * time.Hour)},
		}}
		keys, err := OpenAPIKeys(t.Context(), st, Config{Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		defer keys.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if keys.find(hash) == nil {
			t.Error("after a minute it is not read")
		}
		if _, err := keys.Check(text); err != nil {
			t.Error(err)
		}
	})
	if got := nextLimit(longestRead, t.Context()); got != readLimit {
		t.Errorf("after a reading in time the next one may take %v", got)
	}
}
