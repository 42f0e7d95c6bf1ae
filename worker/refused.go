package worker

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// sentMargin is how much later than it was a message may seem to have been sent: by the way of the fastest message of
	// its requester, and by clocks that drift apart (maxDrift) since that one came, which is some seconds ago at most
	// while requests come.
	sentMargin = 50 * time.Millisecond
	// refusedWindow is for how long, once or twice, a refusal is remembered: longer than an attempt is on its way.
	refusedWindow = 10 * time.Second
	// maxRefused bounds the refusals of a window. Who was sent before those that are forgotten early counts as refused.
	maxRefused = 200_000
)

// refusals remembers which requests this worker has refused a moment ago, and when. A user whose API process died repeats
// a request by another one, and is refused; the first attempt may be on its way still, and must not get the seat that has
// become free since. It is safe for concurrent use.
type refusals struct {
	seed  maphash.Seed
	begun time.Time

	mu      sync.Mutex                    // guards refused
	refused recent[uint64, time.Duration] // when, since begun: a map without pointers costs the collector nothing
}

func newRefusals() *refusals {
	return &refusals{seed: maphash.MakeSeed(), begun: time.Now(), refused: newRecent[uint64, time.Duration](refusedWindow, maxRefused)}
}

// refusedRequest is what all attempts of a request have in common.
type refusedRequest struct {
	event, user store.ID
	id          string
}

func (n *refusals) key(r request) uint64 {
	return maphash.Comparable(n.seed, refusedRequest{r.EventID, r.UserID, r.RequestID})
}

// late reports of each request of a batch whether it may have been refused since it was sent: in an earlier batch, or
// earlier in this one, in which a seat may become free between the two.
func (n *refusals) late(batch []request) []bool {
	late := make([]bool, len(batch))
	var seen map[uint64]bool
	if slices.ContainsFunc(batch, func(r request) bool { return r.Kind != messages.KindRegister }) {
		seen = make(map[uint64]bool, len(batch))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, r := range batch {
		if r.Kind != messages.KindRegister {
			continue
		}
		key := n.key(r)
		at, found := n.refused.get(key)
		found = found && at >= r.sent.Sub(n.begun) || r.sent.Before(n.refused.forgotten)
		late[i] = !r.sent.IsZero() && (found || seen[key])
		if seen != nil {
			seen[key] = true
		}
	}
	return late
}

// note notes which requests of a batch were refused, before anybody is told.
func (n *refusals) note(batch []request, results []store.SeatResult) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, res := range results {
		refused := res.Outcome.Refuses() || res.Outcome == store.AlreadyRegistered || res.Outcome == store.AlreadyWaitlisted
		if r := batch[i]; refused && r.Kind == messages.KindRegister {
			n.refused.put(n.key(r), now.Sub(n.begun), now)
		}
	}
}
