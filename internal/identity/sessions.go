package identity

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// endOverlap is how far before the latest end that is known the reading begins. Ends have the time
// of the store, so they come in order but for those that are under way, and for the clocks of a
// replica set after an election.
const endOverlap = time.Minute

// endedSessions are the sessions that were ended before their time. It is safe for concurrent use,
// and the zero value has none.
type endedSessions struct {
	mu       sync.RWMutex
	forgetAt map[store.ID]time.Time
	latest   time.Time // the latest store.EndedSession.EndedAt
}

// has reports whether a session has ended. Tokens without a session have none that could.
func (e *endedSessions) has(id store.ID) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, ended := e.forgetAt[id]
	return ended
}

// add takes a session in. The zero id is that of tokens without a session, which have no such end.
func (e *endedSessions) add(s store.EndedSession) {
	if s.ID.IsZero() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.forgetAt == nil {
		e.forgetAt = make(map[store.ID]time.Time)
	}
	e.forgetAt[s.ID] = s.ExpiresAt.Add(leeway + clockSkew)
	if s.EndedAt.After(e.latest) {
		e.latest = s.EndedAt
	}
}

// since returns from when on the store is read.
func (e *endedSessions) since(now time.Time) time.Time {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.latest.IsZero() {
		return now.Add(-keepFor)
	}
	return e.latest.Add(-endOverlap)
}

// forget drops those whose tokens have all expired.
func (e *endedSessions) forget(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, at := range e.forgetAt {
		if now.After(at) {
			delete(e.forgetAt, id)
		}
	}
}

// EndSession ends the tokens of a session whose end is stored already: here at once, and in all
// other processes when they next read the store, within RefreshEvery.
func (g *Guard) EndSession(s store.Session) {
	// Without EndedAt, which is the store's to say.
	g.ended.add(store.EndedSession{ID: s.ID, ExpiresAt: s.ExpiresAt})
}

// readSessions learns which sessions were ended since the latest end that is known.
func (g *Guard) readSessions(ctx context.Context) error {
	for e, err := range g.store.EndedSessions(ctx, g.ended.since(time.Now())) {
		if err != nil {
			return fmt.Errorf("read the sessions that were ended: %w", err)
		}
		g.ended.add(e)
	}
	return nil
}
