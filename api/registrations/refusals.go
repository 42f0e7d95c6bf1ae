package registrations

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// refusalsEvery is how long refusals are counted before the store adds them up: a write a second for all
	// events of a process, whatever storm there is.
	refusalsEvery = time.Second
	// refusalsTimeout bounds the write.
	refusalsTimeout = time.Second
	// maxRefusals bounds how many minutes of events are counted while the store takes nothing. What comes
	// beyond is not counted.
	maxRefusals = 10_000
)

// refusedIn names the minute of an event in which somebody was refused.
type refusedIn struct {
	event store.ID
	at    time.Time
}

// refusals counts, for organizers, how often people are told that an event is sold out. It is safe for
// concurrent use.
type refusals struct {
	core    *serve.Core
	mu      sync.RWMutex // guards all below, and read-locked that nothing is handed on
	counted map[refusedIn]*atomic.Int64
	adding  bool // somebody will hand on what is counted
}

func newRefusals(core *serve.Core) *refusals {
	return &refusals{core: core, counted: make(map[refusedIn]*atomic.Int64)}
}

// count counts a refusal. It does not block, nor do thousands block each other, who are refused in the same minute.
func (r *refusals) count(event store.ID) {
	in := refusedIn{event, time.Now().UTC().Truncate(time.Minute)}
	if r.again(in) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(in, 1)
	if !r.adding {
		r.adding = true
		r.core.Background.Go(r.add)
	}
}

// again counts a refusal if it is not the first of its minute.
func (r *refusals) again(in refusedIn) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, known := r.counted[in]
	if !known || !r.adding {
		return false
	}
	n.Add(1)
	return true
}

// put adds to what is counted. The caller holds mu.
func (r *refusals) put(in refusedIn, n int64) {
	known := r.counted[in]
	if known == nil {
		if len(r.counted) >= maxRefusals {
			return
		}
		known = new(atomic.Int64)
		r.counted[in] = known
	}
	known.Add(n)
}

// add hands on what is counted, once a second, until nothing is left. At the end of the process it tries once.
func (r *refusals) add() {
	for ending := false; ; {
		select {
		case <-time.After(refusalsEvery):
		case <-r.core.Ending:
			ending = true
		}
		err := r.handOn()
		r.mu.Lock()
		done := len(r.counted) == 0 || ending
		r.adding = !done
		r.mu.Unlock()
		if err != nil {
			r.core.Log.Warn().Err(err).Msg("refusals are not counted for organizers yet, or not at all")
		}
		if done {
			return
		}
	}
}

// handOn has the store add up what is counted, and keeps it when surely nothing was stored.
func (r *refusals) handOn() error {
	r.mu.Lock()
	counted := r.counted
	r.counted = make(map[refusedIn]*atomic.Int64)
	r.mu.Unlock()
	minutes := make([]store.RefusedMinute, 0, len(counted))
	for in, n := range counted {
		minutes = append(minutes, store.RefusedMinute{EventID: in.event, At: in.at, Refused: n.Load()})
	}
	ctx, cancel := context.WithTimeout(context.Background(), refusalsTimeout)
	defer cancel()
	err := r.core.Store.AddRefusals(ctx, minutes)
	if errors.Is(err, store.ErrNothingStored) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for in, n := range counted {
			r.put(in, n.Load())
		}
	}
	return err
}
