package worker

import (
	"sync"
	"time"
)

const (
	// takenWindow is for how long, once or twice, the name of a message is remembered: longer than any
	// request has time left.
	takenWindow = time.Minute
	// maxTaken bounds the names of a window. Beyond it the oldest are forgotten early.
	maxTaken = 100_000
)

// takenNames remembers which messages were taken, so that each is taken once. NATS delivers a message at
// most once, but who sits between, a bridge or a tap that publishes again what it has heard, may not. The second copy
// of a request that was refused would find a seat that has become free since, of which nobody would ever be told. Names
// cannot be guessed, so nobody can have a message taken for an old one. A takenNames is safe for concurrent use.
type takenNames struct {
	mu    sync.Mutex // guards names
	names recent[string, struct{}]
}

func newTakenNames() *takenNames {
	return &takenNames{names: newRecent[string, struct{}](takenWindow, maxTaken)}
}

// again notes that a message comes now, and reports whether it has come before. name is the whole subject of its
// reply, which no other message has.
func (n *takenNames) again(name string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := n.names.get(name)
	n.names.put(name, struct{}{}, now)
	return known
}
