package identity

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

// TestNoChangeIsMissed: whatever order changes become visible in, each is read by the first reading that begins after; and
// when nothing has changed for a while, next to nothing is read again.
func TestNoChangeIsMissed(t *testing.T) {
	type change struct {
		at      time.Time // by the clock of the store
		visible time.Time // by that of the process
		read    bool
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		// The clocks are apart, and their distance does not matter.
		apart := time.Duration(r.Int64N(int64(2*time.Hour))) - time.Hour
		begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		var changes []change
		for now := begin; now.Before(begin.Add(20 * time.Minute)); now = now.Add(time.Duration(r.ExpFloat64() * float64(10*time.Second))) {
			behind := time.Duration(r.Int64N(int64(overlap))) // under way, or by the clock of another primary
			late := time.Duration(r.Int64N(int64(overlap - behind)))
			changes = append(changes, change{at: now.Add(apart - behind), visible: now.Add(late)})
		}
		var c cursor
		for now := begin; now.Before(begin.Add(30 * time.Minute)); {
			now = now.Add(time.Duration(r.Int64N(int64(6 * time.Second))))
			ended := now.Add(time.Duration(r.Int64N(int64(time.Second))))
			if r.IntN(5) == 0 {
				continue // a reading that fails
			}
			since, latest, again := c.since(), time.Time{}, 0
			for i := range changes {
				if changes[i].visible.After(now) {
					continue
				}
				if !changes[i].at.Before(since) {
					if changes[i].read {
						again++
					}
					changes[i].read = true
					if changes[i].at.After(latest) {
						latest = changes[i].at
					}
				}
				if !changes[i].read {
					t.Fatalf("seed %d: the change of %v, visible at %v, is not read at %v, from %v on", seed, changes[i].at, changes[i].visible, now, since)
				}
			}
			c.moved(now, ended, latest)
			if now.After(begin.Add(23*time.Minute)) && again > 1 {
				t.Fatalf("seed %d: minutes after the last change %d are read again", seed, again)
			}
		}
	}
}

type (
	sessionStore = Store
	keyStore     = apikeys.Store
)

// aChange is a store in which one key and one session were changed, and which fails after telling of them when it is broken.
type aChange struct {
	sessionStore
	keyStore
	at     time.Time
	broken bool
	since  time.Time // of the last reading
}

func (s *aChange) APIKeysSince(_ context.Context, since time.Time) iter.Seq2[apikeys.Key, error] {
	return changed(s, since, apikeys.Key{ID: store.NewID(), Scopes: "read", ChangedAt: s.at})
}

func (s *aChange) EndedSessions(_ context.Context, since time.Time) iter.Seq2[store.EndedSession, error] {
	return changed(s, since, store.EndedSession{ID: store.NewID(), EndedAt: s.at})
}

func changed[T any](s *aChange, since time.Time, change T) iter.Seq2[T, error] {
	s.since = since
	return func(yield func(T, error) bool) {
		if yield(change, nil) && s.broken {
			yield(change, errors.New("the connection is cut"))
		}
	}
}

// TestReadingsGoOn from what was read, and from before it after a reading that was cut in the middle.
func TestReadingsGoOn(t *testing.T) {
	st := &aChange{at: time.Now()}
	keys := &APIKeys{store: st, keys: make(map[[32]byte]*knownKey), byID: make(map[store.ID]*knownKey)}
	guard := &Guard{store: st}
	for what, read := range map[string]func(context.Context) error{"keys": keys.read, "sessions": guard.readSessions} {
		began := time.Now()
		st.broken = true
		for range 2 {
			if err := read(t.Context()); err == nil || st.since.After(began.Add(-keepFor+time.Minute)) {
				t.Errorf("%s: %v, from %v on, want an error, from the beginning on", what, err, st.since)
			}
		}
		st.broken = false
		for range 2 {
			if err := read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if want := st.at.Add(-overlap); !st.since.Equal(want) {
			t.Errorf("%s are read from %v on, want %v", what, st.since, want)
		}
	}
}
